"""The file systems of a result as one sorted list of files, for outputs that are no images.

One list for all platforms: each in a directory of its own, or laid over each other where nothing collides.
A file with several names is one file here, too, because a directory of programs may be nothing but links.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from builder.snapshot.entry import Entry, Node, sort_key
from exporter.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from builder.platforms import Platform
    from builder.snapshot.entry import FileView

_SECOND: Final = 1_000_000_000
_PLATFORM_MODE: Final = 0o755
_KEPT_XATTRS: Final = "user."


class RootFiles(NamedTuple):
    """The file system of the result for one platform."""

    platform: Platform
    view: FileView


def result_nodes(results: Sequence[RootFiles], *, split: bool, epoch: int | None) -> Iterator[Node]:
    """All files of `results`, sorted, parents first; with `split` below a directory for each platform.

    `epoch` in seconds is the time of everything, None leaves times as they are.
    Raises: ExportError for a path that two platforms have, when they are not split; OSError, ContentChanged.
    """
    if split:
        nodes = _split(results)
    elif len(results) == 1:
        nodes = _walk(results[0].view)
    else:
        nodes = _merged(results)
    return nodes if epoch is None else (_dated(node, epoch * _SECOND) for node in nodes)


def directory_name(platform: Platform) -> str:
    """Where files of `platform` go when platforms are split: `linux_arm_v7`."""
    return str(platform).replace("/", "_")


def _split(results: Sequence[RootFiles]) -> Iterator[Node]:
    for name, view in sorted((directory_name(result.platform), result.view) for result in results):
        yield Node(Entry(name, "dir", mode=_PLATFORM_MODE))
        for node in _walk(view):
            entry = node.entry
            link = f"{name}/{entry.link}" if entry.kind == "hardlink" else entry.link
            moved = msgspec.structs.replace(entry, path=f"{name}/{entry.path}", link=link)
            yield Node(moved, node.content)


def _merged(results: Sequence[RootFiles]) -> Iterator[Node]:
    found: dict[str, tuple[Platform, Node]] = {}
    for platform, view in results:
        for node in _walk(view):
            path = node.entry.path
            before = found.setdefault(path, (platform, node))
            if before[1] is not node and not before[1].entry.kind == node.entry.kind == "dir":
                raise ExportError(
                    f"cannot overwrite {path} from {before[0]} with {platform} when split option is disabled",
                    hint="use platform-split=true",
                )
    for path in sorted(found, key=sort_key):
        yield found[path][1]


def _walk(view: FileView) -> Iterator[Node]:
    first_names: dict[tuple[int, int], Entry] = {}
    pending = [iter(view.children(""))]
    while pending:
        node = next(pending[-1], None)
        if node is None:
            pending.pop()
        elif node.entry.kind in ("file", "hardlink"):
            yield _file(node, view, first_names)
        else:
            yield node
            if node.entry.kind == "dir":
                pending.append(iter(view.children(node.entry.path)))


def _file(node: Node, view: FileView, first_names: dict[tuple[int, int], Entry]) -> Node:
    """`node` with all its attributes, as a hard link if it is another name of a file that came before."""
    entry = node.entry
    if node.content is None:
        raise ValueError(f"the file {entry.path!r} has no content to export")
    if entry.kind == "hardlink":
        first = view.lstat(entry.link)
        if first is not None and first.entry.kind == "file" and _same_content(first, node):
            return node
        entry = msgspec.structs.replace(entry, kind="file", link="")
    with node.content.open() as stream:
        try:
            fd = stream.fileno()
        except OSError:
            # Content in memory has no descriptor, and nothing more to say.
            return Node(entry, node.content)
        status = os.fstat(fd)
        xattrs = {name: os.getxattr(fd, name) for name in os.listxattr(fd) if name.startswith(_KEPT_XATTRS)}
    entry = msgspec.structs.replace(entry, xattrs=tuple(sorted({**xattrs, **dict(entry.xattrs)}.items())))
    if status.st_nlink > 1:
        first_name = first_names.setdefault((status.st_dev, status.st_ino), entry)
        if first_name is not entry and _same_attributes(first_name, entry):
            entry = msgspec.structs.replace(entry, kind="hardlink", link=first_name.path)
    return Node(entry, node.content)


def _same_content(one: Node, other: Node) -> bool:
    return (
        one.content is not None
        and other.content is not None
        and one.content.identity == other.content.identity
    )


def _same_attributes(one: Entry, other: Entry) -> bool:
    """Whether one file can have both names: a COPY may give a second one another mode or owner."""
    return msgspec.structs.replace(one, path="") == msgspec.structs.replace(other, path="")


def _dated(node: Node, time_ns: int) -> Node:
    return Node(msgspec.structs.replace(node.entry, mtime_ns=time_ns), node.content)
