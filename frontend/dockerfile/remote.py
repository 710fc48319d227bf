"""Which sources of COPY and ADD are not paths: URLs and git repositories, told by their looks alone."""

from __future__ import annotations

import re
from typing import Final, Literal

_GIT: Final = re.compile(
    r"(?:git|ssh)://.*|[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+:.*|https?://[^?#]*\.git(?:[?#].*)?", re.DOTALL
)
_URL: Final = re.compile(r"https?://")


def remote_kind(source: str) -> Literal["git", "url"] | None:
    """What `source` is downloaded from; None for a path, also for one that only resembles an address."""
    if _GIT.fullmatch(source):
        return "git"
    return "url" if _URL.match(source) else None


def redacted(source: str) -> str:
    """`source` without the name and password that it may hold."""
    return re.sub(r"(://)[^/@?#]*@", r"\1xxxxx@", source)
