"""Each instruction's own rules: from a statement to its node in the syntax tree."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypedDict

from builder.system.quoting import quote
from frontend.dockerfile import tree
from frontend.dockerfile.arguments import Pair, read_pairs, read_words
from frontend.dockerfile.characters import SPACES, split_blanks
from frontend.dockerfile.heredocs import Heredoc, parse_marker
from frontend.dockerfile.mounts import InvalidMount, mount_source
from frontend.dockerfile.statement import FlagKind, Flags, Statement, StatementError, split_statement
from frontend.dockerfile.suggestions import suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from builder.graph import Location, Network, Security

    Reader = Callable[[Statement], tree.Instruction]

_STAGE_NAME: Final = r"[a-z][a-z0-9_.-]*"
_NETWORKS: Final[Mapping[str, Network]] = {"default": "default", "none": "none", "host": "host"}
_SECURITY: Final[Mapping[str, Security]] = {"sandbox": "sandbox", "insecure": "insecure"}
_TRANSFER_FLAGS: Final[Mapping[str, FlagKind]] = {
    "chmod": "string",
    "chown": "string",
    "exclude": "list",
    "link": "boolean",
}
_COPY_FLAGS: Final[Mapping[str, FlagKind]] = {**_TRANSFER_FLAGS, "from": "string", "parents": "boolean"}
_ADD_FLAGS: Final[Mapping[str, FlagKind]] = {
    **_TRANSFER_FLAGS,
    "checksum": "string",
    "keep-git-dir": "boolean",
    "unpack": "boolean",
}
_RUN_FLAGS: Final[Mapping[str, FlagKind]] = {
    "device": "list",
    "mount": "list",
    "network": "string",
    "security": "string",
}
_HEALTHCHECK_FLAGS: Final[Mapping[str, FlagKind]] = dict.fromkeys(
    ("interval", "retries", "start-interval", "start-period", "timeout"), "string"
)
_INTEGER: Final = r"[+-]?[0-9]+"
_SPACE: Final = f"[{SPACES}]"
_MAX_RETRIES: Final = 2**31 - 1
_NO_TRIGGERS: Final = ("FROM", "MAINTAINER")


class _Common(TypedDict):
    location: Location
    text: str
    keyword: str
    comments: tuple[str, ...]


def read_instruction(statement: Statement) -> tree.Instruction:
    """The node for `statement`.

    Raises: StatementError for what breaks the instruction's rules, ArgumentError for what breaks the style
    of its arguments.
    """
    reader = READERS.get(statement.name)
    if reader is None:
        raise StatementError(f"unknown instruction: {statement.keyword}{_did_you_mean(statement.keyword)}")
    return reader(statement)


def _did_you_mean(keyword: str) -> str:
    nearest = suggest(keyword.upper(), READERS)
    if nearest is None:
        return ""
    return f" (did you mean {nearest if keyword.isupper() else nearest.lower()}?)"


def _common(statement: Statement) -> _Common:
    line = statement.line
    return {
        "location": line.location,
        "text": line.text,
        "keyword": statement.keyword,
        "comments": line.comments,
    }


def _from(statement: Statement) -> tree.From:
    words = split_blanks(statement.rest)
    if len(words) not in (1, 3) or (len(words) == 3 and words[1].lower() != "as"):
        raise StatementError("FROM requires either one or three arguments")
    written = words[2] if len(words) == 3 else ""
    name = written.lower()
    if name and not re.fullmatch(_STAGE_NAME, name):
        raise StatementError(
            f"invalid name for build stage: {quote(written)}, "
            "name can't start with a number or contain symbols"
        )
    platform = statement.flags({"platform": "string"}).texts.get("platform", "")
    return tree.From(**_common(statement), image=words[0], platform=platform, name=name, written_name=written)


def _arg(statement: Statement) -> tree.Arg:
    words = read_words(statement.rest, statement.escape)
    statement.require_arguments(words)
    definitions = tuple(_definition(word.text) for word in words)
    return tree.Arg(**_common(statement), definitions=definitions)


def _definition(word: str) -> tree.Definition:
    name, equals, default = word.partition("=")
    if not name:
        raise StatementError("ARG names can not be blank")
    return tree.Definition(name, default if equals else None)


def _env(statement: Statement) -> tree.Env:
    pairs, legacy = _pairs(statement)
    return tree.Env(**_common(statement), pairs=pairs, legacy=legacy)


def _label(statement: Statement) -> tree.Label:
    pairs, legacy = _pairs(statement)
    return tree.Label(**_common(statement), pairs=pairs, legacy=legacy)


def _pairs(statement: Statement) -> tuple[tuple[Pair, ...], bool]:
    pairs, legacy = read_pairs(statement.name, statement.rest, statement.escape)
    statement.flags()
    statement.require_arguments(pairs)
    if not all(pair.name for pair in pairs):
        raise StatementError(f"{statement.name} names can not be blank")
    return pairs, legacy


def _run(statement: Statement) -> tree.Run:
    command = _command(statement)
    flags = statement.flags(_RUN_FLAGS)
    network = flags.texts.get("network", "default")
    if network not in _NETWORKS:
        raise StatementError(f"invalid network mode {quote(network)}")
    security = flags.texts.get("security", "sandbox")
    if security not in _SECURITY:
        raise StatementError(f"security {quote(security)} is not valid")
    mounts = flags.lists.get("mount", ())
    try:
        for text in mounts:
            mount_source(text)
    except InvalidMount as error:
        raise StatementError(str(error)) from error
    return tree.Run(
        **_common(statement),
        command=command,
        network=_NETWORKS[network],
        security=_SECURITY[security],
        mounts=mounts,
        devices=flags.lists.get("device", ()),
        heredocs=statement.line.heredocs,
    )


def _cmd(statement: Statement) -> tree.Cmd:
    command = _command(statement)
    statement.flags()
    return tree.Cmd(**_common(statement), command=command)


def _entrypoint(statement: Statement) -> tree.Entrypoint:
    command = _command(statement)
    statement.flags()
    return tree.Entrypoint(**_common(statement), command=command)


def _command(statement: Statement) -> tree.Command:
    words = statement.json()
    return tree.Command((statement.rest,), shell=True) if words is None else tree.Command(words, shell=False)


def _shell(statement: Statement) -> tree.Shell:
    words = statement.json()
    statement.flags()
    statement.require_arguments(statement.rest if words is None else words)
    if words is None:
        raise StatementError("SHELL requires the arguments to be in JSON form")
    return tree.Shell(**_common(statement), words=words)


class _Transfer(_Common):
    sources: tuple[str, ...]
    destination: str
    chown: str
    chmod: str
    link: bool
    exclude: tuple[str, ...]
    heredocs: tuple[Heredoc, ...]


def _transfer(statement: Statement, words: tuple[str, ...], flags: Flags) -> _Transfer:
    if len(words) < 2:
        raise StatementError(
            f"{statement.name} requires at least two arguments, but only one was provided. "
            "Destination could not be determined"
        )
    *sources, destination = words
    if parse_marker(destination):
        raise StatementError(f"{statement.name} cannot accept a heredoc as a destination")
    # Markers count in the JSON form, too, where nothing can stand behind them: those files are empty.
    heredocs = _inline_files(statement, sources)
    sources = [source for source in sources if parse_marker(source) is None]
    return {
        **_common(statement),
        "sources": tuple(sources),
        "destination": destination,
        "chown": flags.texts.get("chown", ""),
        "chmod": flags.texts.get("chmod", ""),
        "link": flags.booleans.get("link", False),
        "exclude": flags.lists.get("exclude", ()),
        "heredocs": heredocs,
    }


def _inline_files(statement: Statement, sources: list[str]) -> tuple[Heredoc, ...]:
    """The heredocs among `sources` with their content; of two with one name, both have that of the last."""
    from msgspec.structs import replace

    contents = {each.name: each.content for each in statement.line.heredocs}
    markers = [marker for source in sources if (marker := parse_marker(source))]
    for name in (marker.name for marker in markers):
        if "/" in name or name in (".", ".."):
            raise StatementError(f"{quote(name)} cannot be the name of an inline file")
    return tuple(replace(marker, content=contents.get(marker.name, "")) for marker in markers)


def _copy(statement: Statement) -> tree.Copy:
    words = statement.list_words()
    flags = statement.flags(_COPY_FLAGS)
    return tree.Copy(
        **_transfer(statement, words, flags),
        source_stage=flags.texts.get("from", ""),
        parents=flags.booleans.get("parents", False),
    )


def _add(statement: Statement) -> tree.Add:
    words = statement.list_words()
    flags = statement.flags(_ADD_FLAGS)
    return tree.Add(
        **_transfer(statement, words, flags),
        checksum=flags.texts.get("checksum", ""),
        keep_git_dir=flags.booleans.get("keep-git-dir"),
        unpack=flags.booleans.get("unpack"),
    )


def _workdir(statement: Statement) -> tree.Workdir:
    statement.flags()
    return tree.Workdir(**_common(statement), path=statement.single())


def _user(statement: Statement) -> tree.User:
    statement.flags()
    return tree.User(**_common(statement), user=statement.single())


def _expose(statement: Statement) -> tree.Expose:
    statement.flags()
    ports = sorted(split_blanks(statement.rest))
    statement.require_arguments(ports)
    return tree.Expose(**_common(statement), ports=tuple(ports))


def _volume(statement: Statement) -> tree.Volume:
    paths = tuple(path.strip() for path in statement.list_words())
    statement.flags()
    statement.require_arguments(paths)
    if not all(paths):
        raise StatementError("VOLUME specified can not be an empty string")
    return tree.Volume(**_common(statement), paths=paths)


def _stopsignal(statement: Statement) -> tree.StopSignal:
    return tree.StopSignal(**_common(statement), signal=statement.single())


def _maintainer(statement: Statement) -> tree.Maintainer:
    statement.flags()
    return tree.Maintainer(**_common(statement), author=statement.single())


def _healthcheck(statement: Statement) -> tree.Healthcheck:
    statement.require_arguments(statement.rest)
    kind, _, behind = re.sub(_SPACE, " ", statement.rest, count=1).partition(" ")
    if kind.upper() == "NONE":
        if behind.strip():
            raise StatementError("HEALTHCHECK NONE takes no arguments")
        return tree.Healthcheck(**_common(statement), command=None)
    if kind.upper() != "CMD":
        raise StatementError(f"Unknown type {quote(kind.upper())} in HEALTHCHECK (try CMD)")
    flags = statement.flags(_HEALTHCHECK_FLAGS).texts
    command = _command(_nested(statement, behind.strip()))
    if not any(command.words):
        raise StatementError("Missing command after HEALTHCHECK CMD")
    return tree.Healthcheck(
        **_common(statement),
        command=command,
        interval=_duration(flags, "interval"),
        timeout=_duration(flags, "timeout"),
        start_period=_duration(flags, "start-period"),
        start_interval=_duration(flags, "start-interval"),
        retries=_retries(flags.get("retries", "")),
    )


def _duration(flags: Mapping[str, str], name: str) -> int:
    text = flags.get(name, "")
    if not text:
        return 0
    from frontend.dockerfile.durations import MILLISECOND, InvalidDuration, read_duration

    try:
        nanoseconds = read_duration(text)
    except InvalidDuration as error:
        raise StatementError(str(error)) from error
    if nanoseconds and nanoseconds < MILLISECOND:
        raise StatementError(f"Interval {quote(name)} cannot be less than 1ms")
    return nanoseconds


def _retries(text: str) -> int:
    if not text:
        return 0
    if not re.fullmatch(_INTEGER, text):
        raise StatementError(f"strconv.ParseInt: parsing {quote(text)}: invalid syntax")
    if len(text) > 11 or not -_MAX_RETRIES <= int(text) <= _MAX_RETRIES:
        raise StatementError(f"strconv.ParseInt: parsing {quote(text)}: value out of range")
    if int(text) < 0:
        raise StatementError(f"--retries cannot be negative ({int(text)})")
    return int(text)


def _onbuild(statement: Statement) -> tree.Onbuild:
    statement.flags()
    statement.require_arguments(statement.rest)
    inner = split_statement(_nested(statement, statement.rest).line, statement.escape)
    if inner.name == "ONBUILD":
        raise StatementError("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if inner.name in _NO_TRIGGERS:
        raise StatementError(f"{inner.name} isn't allowed as an ONBUILD trigger")
    _check_style(inner)
    bodies = "".join(f"\n{each.content}{each.name}" for each in statement.line.heredocs)
    return tree.Onbuild(**_common(statement), trigger=statement.rest + statement.line.trailing + bodies)


def _check_style(inner: Statement) -> None:
    """The rules of a trigger's instruction are for when it fires; its arguments must have its style today."""
    reader = READERS.get(inner.name)
    if reader:
        with suppress(StatementError):
            reader(inner)


def _nested(statement: Statement, text: str) -> Statement:
    """A statement for `text`, which stands inside `statement`."""
    from msgspec.structs import replace

    return replace(statement, line=replace(statement.line, text=text), rest=text, flag_words=())


READERS: Final[Mapping[str, Reader]] = {
    "ADD": _add,
    "ARG": _arg,
    "CMD": _cmd,
    "COPY": _copy,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "FROM": _from,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "MAINTAINER": _maintainer,
    "ONBUILD": _onbuild,
    "RUN": _run,
    "SHELL": _shell,
    "STOPSIGNAL": _stopsignal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
