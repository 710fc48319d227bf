"""Parser directives: `# escape=`, `# syntax=` and `# check=` at the top of a file.

There are three recognisers, because BuildKit has three, and they differ: the parser's own allows blanks
before the `#` and stops at a hashbang; those for `syntax` and `check` skip a hashbang and allow no blanks;
`syntax` is also looked for behind `//` and in a JSON document.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from builder.graph import Location, SourceFile
from frontend.dockerfile.characters import SPACES
from frontend.dockerfile.errors import DockerfileError, NotSupported

_KNOWN: Final = ("syntax", "escape", "check")
_DIRECTIVE: Final = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*")
_SLASHED: Final = re.compile(r"//\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*")
_OWN_FRONTEND: Final = r"(?:docker\.io/)?docker/dockerfile(?:-upstream)?(?:[:@].*)?|dockerfile\.v0"


class Directives(msgspec.Struct, frozen=True, kw_only=True):
    """What the top of a file says about how to read it.

    `count` lines at the top are directives and therefore no comments.
    """

    escape: str = "\\"
    syntax: str | None = None
    check: str | None = None
    count: int = 0


def read_directives(source: SourceFile, lines: list[str]) -> Directives:
    """The directives of a file.

    Raises: DockerfileError for one that is repeated, or for an escape that is none.
    """
    escape, count = "\\", 0
    seen: set[str] = set()
    for number, line in enumerate(lines, 1):
        found = _match(_DIRECTIVE, line.lstrip(SPACES))
        if found is None or found[0] not in _KNOWN:
            break
        name, value = found
        location = Location(source, number, number)
        if name in seen:
            raise DockerfileError(f"only one {name} parser directive can be used", location=location)
        seen.add(name)
        if name == "escape":
            escape = _escape(value, location)
        count = number
    return Directives(
        escape=escape,
        syntax=_find("syntax", _DIRECTIVE, lines) or _find("syntax", _SLASHED, lines) or _json_syntax(source),
        check=_find("check", _DIRECTIVE, lines),
        count=count,
    )


def require_own_frontend(frontend: str, location: Location | None) -> None:
    """Raises: NotSupported when `frontend` names another frontend than this one."""
    reference = frontend.split(maxsplit=1)[0] if frontend.strip() else ""
    if reference and not re.fullmatch(_OWN_FRONTEND, reference):
        raise NotSupported(
            f"frontend image {reference} is not supported",
            location=location,
            hint="dockyard reads Dockerfiles itself: use docker/dockerfile, or leave the syntax line out",
        )


def _match(pattern: re.Pattern[str], line: str) -> tuple[str, str] | None:
    matched = pattern.fullmatch(line)
    return (matched[1].lower(), matched[2]) if matched else None


def _escape(value: str, location: Location) -> str:
    if value not in ("\\", "`"):
        raise DockerfileError(f"invalid escape token '{value}' does not match ` or \\", location=location)
    return value


def _find(name: str, pattern: re.Pattern[str], lines: list[str]) -> str | None:
    start = 1 if lines and lines[0].startswith("#!") else 0
    for line in lines[start:]:
        found = _match(pattern, line)
        if found is None or found[0] not in _KNOWN:
            return None
        if found[0] == name:
            return found[1].split(maxsplit=1)[0]
    return None


def _json_syntax(source: SourceFile) -> str | None:
    if not source.text.lstrip(SPACES).startswith("{"):
        return None
    try:
        document = msgspec.json.decode(source.text)
    except (msgspec.DecodeError, RecursionError):
        return None
    syntax = document.get("syntax") if isinstance(document, dict) else None
    return syntax if isinstance(syntax, str) else None
