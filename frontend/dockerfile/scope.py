"""Variables outside of stages: automatic platform arguments, global ARG lines, proxies, the epoch.

They are computed once for each target platform, because that is what the automatic arguments tell.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from frontend.dockerfile.errors import DockerfileError, ExpansionError
from frontend.dockerfile.expansion import expand

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from builder.graph import Location
    from builder.platforms import Platform
    from frontend.dockerfile.tree import Dockerfile
    from frontend.options import Options

EPOCH_ARGUMENT: Final = "SOURCE_DATE_EPOCH"
SCAN_CONTEXT: Final = "BUILDKIT_SBOM_SCAN_CONTEXT"
SCAN_STAGE: Final = "BUILDKIT_SBOM_SCAN_STAGE"
NOT_IN_ENVIRONMENT: Final = frozenset({SCAN_CONTEXT, SCAN_STAGE})
"""Arguments that speak to the builder, and that no step ever sees."""

_PROXIES: Final = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")
_CONTEXT: Final = "context"
_INTEGER: Final = r"[+-]?[0-9]{1,18}"


class Epoch(msgspec.Struct, frozen=True):
    """The moment that a reproducible build claims to happen in."""

    seconds: int
    rfc3339: str


def expand_at(
    word: str,
    variables: Mapping[str, str],
    *,
    location: Location,
    escape: str,
    unset: set[str] | None = None,
) -> str:
    """As `expand`, for a word at `location`. Raises: DockerfileError."""
    try:
        return expand(word, variables, escape=escape, unset=unset)
    except ExpansionError as error:
        raise DockerfileError(error.message, location=location) from error


def global_variables(
    dockerfile: Dockerfile, options: Options, *, target: Platform, build_args: Mapping[str, str]
) -> dict[str, str]:
    """What FROM lines can use: automatic arguments, and the ARG lines before the first stage.

    A build argument counts more than both, and keeps a default from being looked at.
    """
    variables = _automatic(dockerfile, options, target)
    variables |= {name: build_args[name] for name in variables if name in build_args}
    for arg in dockerfile.arguments:
        for definition in arg.definitions:
            value = build_args.get(definition.name)
            if value is None and definition.default is not None:
                value = expand_at(
                    definition.default,
                    variables,
                    location=arg.location,
                    escape=dockerfile.directives.escape,
                )
            if value is not None:
                variables[definition.name] = value
    return variables


def _automatic(dockerfile: Dockerfile, options: Options, target: Platform) -> dict[str, str]:
    return {
        **_platform_variables("BUILD", options.build_platform),
        **_platform_variables("TARGET", target),
        "TARGETSTAGE": options.target or dockerfile.stages[-1].name or "default",
    }


def _platform_variables(prefix: str, platform: Platform) -> dict[str, str]:
    system = f"{platform.os}({platform.os_version})" if platform.os_version else platform.os
    parts = (system, platform.architecture, platform.variant)
    return {
        f"{prefix}PLATFORM": "/".join(part for part in parts if part),
        f"{prefix}OS": platform.os,
        f"{prefix}OSVERSION": platform.os_version,
        f"{prefix}ARCH": platform.architecture,
        f"{prefix}VARIANT": platform.variant,
    }


def proxy_environment(build_args: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The proxies among the build arguments, each in capitals and in small letters."""
    chosen: dict[str, str] = {}
    for name in sorted(build_args):
        if name.lower() in _PROXIES and build_args[name]:
            chosen[name.lower()] = build_args[name]
    return tuple(
        (spelling, chosen[name]) for name in _PROXIES if name in chosen for spelling in (name.upper(), name)
    )


def read_epoch(
    dockerfile: Dockerfile,
    build_args: Mapping[str, str],
    variables: Mapping[str, str],
    *,
    context: int | None = None,
    named: Callable[[str, Location | None], int | None],
) -> Epoch | None:
    """The value of SOURCE_DATE_EPOCH: the build argument, else what a global ARG made of it.

    `context` is the time of the main context; None where that is a directory, whose files have many. `named` is
    asked for the time of anything else that is no number. Raises: DockerfileError for text that is no moment.
    """
    text = build_args.get(EPOCH_ARGUMENT, variables.get(EPOCH_ARGUMENT, ""))
    if not text:
        return None
    location = None if EPOCH_ARGUMENT in build_args else _declaration(dockerfile, EPOCH_ARGUMENT)
    if re.fullmatch(_INTEGER, text):
        seconds: int | None = int(text)
    else:
        seconds = context if text == _CONTEXT else named(text, location)
    if seconds is None:
        return None
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except OverflowError:
        raise DockerfileError(f"invalid {EPOCH_ARGUMENT}: {text}", location=location) from None
    return Epoch(seconds, moment.isoformat().replace("+00:00", "Z"))


def _declaration(dockerfile: Dockerfile, name: str) -> Location | None:
    """Where the last global ARG of that name stands."""
    for arg in reversed(dockerfile.arguments):
        if any(definition.name == name for definition in arg.definitions):
            return arg.location
    return None
