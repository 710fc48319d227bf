"""Paths of the image, lexically: always with forward slashes, never looked up on this machine."""

from __future__ import annotations

import posixpath


def clean(path: str) -> str:
    """`path` without `.`, `..` and doubled slashes; `..` stops at the root."""
    cleaned = posixpath.normpath(path)
    # POSIX lets two leading slashes mean something else; in an image they do not.
    return cleaned[1:] if cleaned.startswith("//") else cleaned


def join(directory: str, path: str) -> str:
    """`path`, from `directory` where it is relative, cleaned."""
    return clean(posixpath.join(directory, path))


def rooted(path: str) -> str:
    """The absolute cleaned form of a source path: `../../a` is `/a`."""
    return clean("/" + path)


def pivoted(path: str) -> str:
    """The source path of a copy with parents: `/base/./path`, both cleaned; the first `/./` divides them."""
    base, pivot, behind = f"/{path}".partition("/./")
    base, behind = (base, behind) if pivot else ("", path)
    front = rooted(base)
    return f"{'' if front == '/' else front}/./{rooted(behind)[1:]}"


def destination(path: str, directory: str) -> str:
    """The absolute form of a destination, from `directory` where it is relative.

    A trailing slash stays, because it says that a directory is meant; so do `.` and the empty path.
    """
    absolute = join(directory or "/", path)
    is_directory = path in ("", ".") or path.endswith(("/", "/."))
    return f"{absolute}/" if is_directory and absolute != "/" else absolute
