"""Values of build flags: from the words that people type to what `BuildOptions` holds.

Pure, and strict: what is wrong with a word is said with the name of its flag, before any work starts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, cast

from builder.cli.later import not_supported
from builder.system.errors import UsageError
from builder.system.quantities import parse_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from builder.cache.mounts import Scope
    from builder.graph.operations import Network
    from builder.snapshot.limits import UnpackLimits

_NETWORKS: Final = ("default", "none", "host")
_MOUNT_SCOPE: Final = "DOCKYARD_CACHE_MOUNT_SCOPE"
_SCOPES: Final = ("id", "platform", "shared")
_ENTITLEMENTS: Final = frozenset({"network.host", "security.insecure"})
_SSH: Final = r"ssh://|[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+:"


def assignments(flag: str, words: Iterable[str]) -> dict[str, str]:
    """`NAME=VALUE` words; a word without `=` has an empty value. Raises: UsageError."""
    return {name: value or "" for name, value in _pairs(flag, words)}


def build_arguments(words: Iterable[str], environ: Mapping[str, str]) -> dict[str, str]:
    """`--build-arg` words; one without `=` takes its value from `environ`, or is left out if it has none.

    SOURCE_DATE_EPOCH of the environment is an argument of every build, as in buildx. Raises: UsageError.
    """
    arguments = (
        {"SOURCE_DATE_EPOCH": environ["SOURCE_DATE_EPOCH"]} if environ.get("SOURCE_DATE_EPOCH") else {}
    )
    for name, value in _pairs("--build-arg", words):
        if value is not None:
            arguments[name] = value
        elif name in environ:
            arguments[name] = environ[name]
    return arguments


def build_contexts(words: Iterable[str]) -> dict[str, str]:
    """`--build-context` words, NAME=VALUE. Raises: UsageError."""
    contexts: dict[str, str] = {}
    for name, value in _pairs("--build-context", words):
        if not value:
            raise UsageError(f"invalid context value: {name}, expected key=value")
        contexts[name] = value
    return contexts


def extra_hosts(words: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """`--add-host` words, `NAME:ADDRESS` or `NAME=ADDRESS`. Raises: UsageError."""
    return tuple(_host(word) for word in words)


def _host(word: str) -> tuple[str, str]:
    from ipaddress import ip_address

    name, separator, address = word.partition("=" if "=" in word else ":")
    address = address.removeprefix("[").removesuffix("]")
    if address == "host-gateway":
        raise not_supported("--add-host with host-gateway")
    try:
        ip_address(address)
    except ValueError:
        address = ""
    if not (name and separator and address):
        raise UsageError(f"bad format for --add-host: {word!r}, expected NAME:ADDRESS")
    return name, address


def unpack_limits(environ: Mapping[str, str]) -> UnpackLimits:
    """What archives may hold, by the variables of the environment. Raises: UsageError."""
    from builder.snapshot.limits import DEFAULT_LIMITS, MEMBERS_VARIABLE, SIZE_VARIABLE, UnpackLimits

    size_word, members_word = environ.get(SIZE_VARIABLE), environ.get(MEMBERS_VARIABLE)
    if members_word and not re.fullmatch("[0-9]{1,18}", members_word, re.ASCII):
        raise UsageError(f"{MEMBERS_VARIABLE}: invalid number: {members_word!r}")
    return UnpackLimits(
        size=parse_size(SIZE_VARIABLE, size_word) if size_word else DEFAULT_LIMITS.size,
        members=int(members_word) if members_word else DEFAULT_LIMITS.members,
    )


def mount_scope(environ: Mapping[str, str]) -> Scope:
    """Which cache mounts platforms share, by DOCKYARD_CACHE_MOUNT_SCOPE. Raises: UsageError."""
    word = environ.get(_MOUNT_SCOPE) or "id"
    if word not in _SCOPES:
        raise UsageError(f"{_MOUNT_SCOPE}: invalid scope: {word!r}", hint=f"scopes: {', '.join(_SCOPES)}")
    return cast("Scope", word)


def ulimits(words: Iterable[str]) -> tuple[tuple[str, int, int], ...]:
    """`--ulimit` words, `NAME=SOFT[:HARD]`, -1 for no limit. Raises: UsageError."""
    return tuple(_ulimit(word) for word in words)


def _ulimit(word: str) -> tuple[str, int, int]:
    matched = re.fullmatch(r"([a-z]+)=(-1|\d+)(?::(-1|\d+))?", word, re.ASCII)
    if matched is None:
        raise UsageError(f"invalid ulimit argument: {word!r}, expected NAME=SOFT[:HARD]")
    soft = int(matched[2])
    hard = int(matched[3]) if matched[3] else soft
    if hard != -1 and (soft == -1 or soft > hard):
        raise UsageError(f"ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}")
    return matched[1], soft, hard


def network(word: str) -> Network:
    """`--network`. Raises: UsageError."""
    if word not in _NETWORKS:
        raise UsageError(f"invalid network mode {word!r}", hint=f"modes: {', '.join(_NETWORKS)}")
    return cast("Network", word)


def entitlements(words: Iterable[str]) -> frozenset[str]:
    """`--allow` words. Raises: UsageError."""
    allowed = frozenset(comma_separated(words))
    for name in sorted(allowed - _ENTITLEMENTS):
        raise UsageError(
            f"entitlement {name} is not known or not supported yet",
            hint=f"entitlements: {', '.join(sorted(_ENTITLEMENTS))}",
        )
    return allowed


def comma_separated(words: Iterable[str]) -> tuple[str, ...]:
    """The parts of all `words`, in order, without empty ones."""
    return tuple(part.strip() for word in words for part in word.split(",") if part.strip())


def agent_words(words: tuple[str, ...], context: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """`--ssh` words, with `default` among them where a repository is the context that needs it."""
    is_given = any(word.partition("=")[0] == "default" for word in words)
    has_agent = bool(environ.get("SSH_AUTH_SOCK"))
    return (*words, "default") if re.match(_SSH, context) and has_agent and not is_given else words


def _pairs(flag: str, words: Iterable[str]) -> list[tuple[str, str | None]]:
    pairs: list[tuple[str, str | None]] = []
    for word in words:
        name, equals, value = word.partition("=")
        if not name.strip():
            raise UsageError(f"{flag}: no name in {word!r}, expected NAME=VALUE")
        pairs.append((name, value if equals else None))
    return pairs
