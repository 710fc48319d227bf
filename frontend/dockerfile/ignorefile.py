"""Reads an ignore file into its patterns.

Only the rules for lines are here; what a pattern matches is the business of `builder.graph.patterns`.
"""

from __future__ import annotations

from typing import Final

from frontend.dockerfile.characters import SPACES
from frontend.dockerfile.errors import DockerfileError
from frontend.dockerfile.lines import MAX_FILE, MAX_LINE
from frontend.dockerfile.paths import clean

_BOM: Final = b"\xef\xbb\xbf"


def read_ignore_file(content: bytes, *, name: str = ".dockerignore") -> tuple[str, ...]:
    """The patterns of an ignore file in file order, cleaned; `!` stands in front of exceptions.

    Raises: DockerfileError for a `!` alone or with a slash, for lines and files that are too long.
    """
    content = content.removeprefix(_BOM)
    if len(content) > MAX_FILE:
        raise DockerfileError(
            f"failed parsing {name}: {len(content)} bytes are more than the limit of {MAX_FILE}",
            location=None,
        )
    patterns: list[str] = []
    for raw in content.split(b"\n"):
        if len(raw) > MAX_LINE:
            raise DockerfileError(
                f"failed parsing {name}: a line is longer than {MAX_LINE} bytes", location=None
            )
        line = raw.decode(errors="replace")
        if not line.startswith("#") and (pattern := _read_pattern(line.strip(SPACES))):
            patterns.append(pattern)
    return tuple(patterns)


def _read_pattern(line: str) -> str:
    exception = line.startswith("!")
    pattern = line[1:].strip(SPACES) if exception else line
    # An exception of the top itself loses its slash, and nothing remains of it.
    if exception and (not pattern or clean(pattern) == "/"):
        raise DockerfileError('illegal exclusion pattern: "!"', location=None)
    if not pattern:
        return ""
    pattern = clean(pattern)
    if len(pattern) > 1:
        pattern = pattern.removeprefix("/")
    return f"!{pattern}" if exception else pattern
