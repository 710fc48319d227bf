"""Paths with symbolic links, resolved inside a file system that need not be mounted.

The kernel's rules, with the root of the view for `/`: absolute links start there and `..` stops there, so no path
leads out whatever the links say. The links come from images and contexts, so their number and length are limited.
Source: path_resolution(7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from builder.snapshot.errors import PathConflict

if TYPE_CHECKING:
    from builder.snapshot.entry import Node

MAX_LINKS: Final = 40
"""Links that one path may lead through, as in the kernel."""

_PATH_MAX: Final = 4096


class Lookup(Protocol):
    """The part of a file view that finding a path takes."""

    def lstat(self, path: str) -> Node | None:
        """What stands at `path`, links not followed."""
        ...


def resolve(view: Lookup, path: str) -> str:
    """The path that `path` leads to, the last part followed too; free of links and of `..`.

    Parts that do not exist are kept as they are, so that what a dangling link names can be made.
    Raises: PathConflict when there are too many links, or one that no file system could hold.
    """
    todo = path.split("/")[::-1]
    resolved = ""
    links = 0
    while todo:
        name = todo.pop()
        if name in ("", "."):
            continue
        if name == "..":
            resolved = parent(resolved)
            continue
        candidate = join(resolved, name)
        node = view.lstat(candidate)
        if node is None or node.entry.kind != "symlink":
            resolved = candidate
            continue
        links += 1
        target = node.entry.link
        if links > MAX_LINKS or len(target) > _PATH_MAX:
            raise PathConflict(f"/{path.strip('/')}: too many levels of symbolic links, or one is too long")
        if target.startswith("/"):
            resolved = ""
        todo.extend(reversed(target.split("/")))
    return resolved


def join(directory: str, name: str) -> str:
    """The path of `name` in `directory`, which may be the root."""
    return f"{directory}/{name}" if directory else name


def parent(path: str) -> str:
    """The directory that holds `path`; of the root, the root."""
    return path.rpartition("/")[0]
