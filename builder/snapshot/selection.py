"""What a copy takes: the part of COPY and ADD that depends on the source alone.

It is kept apart from where the files go, because the content key of a copy is made of it: a change of the source
outside the selected paths must not invalidate, and what is selected must be known without looking at the
destination. Nothing is opened here.
"""

from __future__ import annotations

from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec

from builder.graph.globs import component_matcher, has_wildcard, unescape
from builder.oci.digest import Digest
from builder.snapshot.entry import Node
from builder.snapshot.errors import PathNotFound
from builder.snapshot.filtered import Filter, filtered_walk
from builder.snapshot.resolve import join, resolve
from builder.snapshot.xattrs import portable
from builder.system.quoting import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from builder.graph.operations import Copy
    from builder.snapshot.entry import FileView

_BATCH: Final = 1000
_encode: Final = msgspec.msgpack.Encoder().encode


class SelectedTree(msgspec.Struct, frozen=True):
    """One thing that is copied: a file, or a directory with all that stands below it.

    `name` is what it is called where it was named, which for a followed link is the link's name. `root` stands
    at its own path in the source; `members` follow depth first, sorted.
    """

    name: str
    root: Node
    members: tuple[Node, ...] = ()


def select(action: Copy, source: FileView) -> tuple[SelectedTree, ...]:
    """What `action` takes from `source`: the sources in order, matches of wildcards in the order of a walk.

    Raises: PathNotFound for a path that is missing or a link that leads nowhere; PatternError; PathConflict.
    """
    if action.parents:
        return tuple(tree for text in action.sources for tree in _with_parents(action, source, text))
    wanted = Filter(include=None, exclude=action.exclude) if action.exclude else None
    return tuple(_tree(source, path, wanted) for text in action.sources for path in _matches(source, text))


def select_path(source: FileView, path: str) -> SelectedTree:
    """What stands at `path` of `source`, links followed, wildcards not read as such; it has no name.

    Raises: PathNotFound, PathConflict.
    """
    return msgspec.structs.replace(_tree(source, path.strip("/")), name="")


def headers_digest(headers: Iterable[bytes]) -> Digest:
    """The name of what `selection_headers` gave."""
    total, pending = sha256(), iter(headers)
    while batch := b"".join(islice(pending, _BATCH)):
        total.update(batch)
    return Digest("sha256:" + total.hexdigest())


class Listing:
    """The headers of all that copies select, made anew for whoever asks: kept, they would fill much memory."""

    def __init__(
        self, selections: Mapping[Copy, Sequence[SelectedTree]], digest_of: Callable[[Node], Digest]
    ) -> None:
        self._selections = selections
        self._digest_of = digest_of

    def __len__(self) -> int:
        trees = [tree for selection in self._selections.values() for tree in selection]
        # In front of each tree stands what it is; the root of a directory itself does not count.
        return sum(1 + (tree.root.entry.kind != "dir") + len(tree.members) for tree in trees)

    def __iter__(self) -> Iterator[bytes]:
        for action, selection in self._selections.items():
            yield from selection_headers(action, selection, self._digest_of)


def selection_headers(
    action: Copy, selection: Iterable[SelectedTree], digest_of: Callable[[Node], Digest]
) -> Iterator[bytes]:
    """All of `selection` that has an influence on the result, except times: a MessagePack array for each path.

    Modes and owners do not count where `action` replaces them. The name of a file that is copied by itself
    does: the destination may turn out to be a directory. In front of a directory stands ("dir", entries), of a
    single file ("file", its name); all others have the eight parts of `_header`.
    Source: BuildKit's content hash rules.
    """
    for tree in selection:
        if tree.root.entry.kind == "dir":
            # The contents are merged into the destination: neither its name nor its attributes arrive.
            yield _encode(("dir", len(tree.members)))
            prefix = len(tree.root.entry.path) + 1 if tree.root.entry.path else 0
        else:
            yield _encode(("file", _bytes(tree.name)))
            yield _header(action, tree.root, b"", digest_of)
            prefix = 0
        for node in tree.members:
            yield _header(action, node, _bytes(node.entry.path[prefix:]), digest_of)


def _header(action: Copy, node: Node, name: bytes, digest_of: Callable[[Node], Digest]) -> bytes:
    entry = node.entry
    kind = "file" if entry.kind == "hardlink" else entry.kind
    keeps_mode = kind != "symlink" and not isinstance(action.mode, int)
    return _encode(
        (
            name,
            kind,
            entry.mode if keeps_mode else None,
            None if action.owner is not None else (entry.uid, entry.gid),
            _bytes(entry.link) if kind == "symlink" else None,
            entry.device,
            [(_bytes(key), value) for key, value in portable(entry.xattrs)],
            digest_of(node).encode() if kind == "file" else None,
        )
    )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _matches(source: FileView, text: str) -> Iterator[str]:
    """The paths that one source word stands for, links not followed yet."""
    components = [part for part in text.split("/") if part]
    fixed = next((index for index, part in enumerate(components) if has_wildcard(part)), len(components))
    # In front of the first wildcard a backslash is a part of the name.
    path = "/".join(components[:fixed])
    if fixed == len(components):
        yield path
        return
    start = resolve(source, path)
    node = source.lstat(start)
    if node is None or node.entry.kind != "dir":
        raise _not_found(path)
    yield from _expand(source, start, components[fixed:])


def _expand(source: FileView, start: str, patterns: Sequence[str]) -> list[str]:
    """Matches component by component; directories on the way must be directories, not links to them."""
    level = [start]
    for depth, pattern in enumerate(patterns, start=1):
        last = depth == len(patterns)
        matches = component_matcher(pattern)
        level = [
            node.entry.path
            for directory in level
            for node in source.children(directory)
            if matches(node.entry.name) and (last or node.entry.kind == "dir")
        ]
    return level


def _with_parents(action: Copy, source: FileView, text: str) -> Iterator[SelectedTree]:
    """The directories in front of the pivot, each with what is selected behind it and the way there."""
    front, _, pattern = text.partition("/./")
    is_literal = not has_wildcard(pattern)
    include = None if pattern in ("", ".") else pattern
    wanted = Filter(include=include, exclude=action.exclude)
    for path in _matches(source, front):
        found = resolve(source, path)
        root = source.lstat(found)
        if root is None or root.entry.kind != "dir":
            if has_wildcard(front):
                # Nothing can stand below it.
                continue
            raise _not_found(path)
        if is_literal and include and source.lstat(join(found, unescape(pattern))) is None:
            raise _not_found(join(path, unescape(pattern)))
        yield SelectedTree(root.entry.name, root, tuple(filtered_walk(source, found, wanted)))


def _tree(source: FileView, path: str, wanted: Filter | None = None) -> SelectedTree:
    found = resolve(source, path)
    root = source.lstat(found)
    if root is None:
        raise _not_found(path)
    members: tuple[Node, ...] = ()
    if root.entry.kind == "dir":
        members = tuple(_walk(source, found) if wanted is None else filtered_walk(source, found, wanted))
    return SelectedTree(path.rpartition("/")[2], root, members)


def _walk(source: FileView, directory: str) -> Iterator[Node]:
    """All that stands below `directory`, depth first and sorted. Not recursive: sources may be deep."""
    pending = [iter(source.children(directory))]
    while pending:
        for node in pending[-1]:
            yield node
            if node.entry.kind == "dir":
                pending.append(iter(source.children(node.entry.path)))
                break
        else:
            pending.pop()


def _not_found(path: str) -> PathNotFound:
    return PathNotFound(f"{quote('/' + path)}: not found")
