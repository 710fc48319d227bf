"""Archives for tests: random layers, and hostile ones made with `tarfile`."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import hypothesis.strategies as st

from builder.oci.digest import Digest
from builder.snapshot.disk import InlineContent
from builder.snapshot.entry import Entry, Node, sort_key
from builder.snapshot.streams import LayerReader, open_layer
from builder.snapshot.tarwriter import write_tar

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SECOND = 1_000_000_000


def plain_layer(archive: bytes) -> LayerReader:
    return open_layer(io.BytesIO(archive), "uncompressed")


def tar_of(nodes: Iterable[Node]) -> bytes:
    sink = io.BytesIO()
    write_tar(nodes, sink)
    return sink.getvalue()


def file_node(path: str, content: bytes = b"", **attributes: object) -> Node:
    entry = Entry(path, "file", size=len(content), **{"mode": 0o644, **attributes})  # type: ignore[arg-type]
    return Node(entry, InlineContent(content))


def member(
    name: str, kind: bytes = tarfile.REGTYPE, *, content: bytes = b"", link: str = ""
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.mode = kind, link, len(content), 0o755
    info.pax_headers = {"comment": content.decode("latin-1")} if content else {}
    return info


def archive(*members: tarfile.TarInfo) -> bytes:
    """A GNU-flavoured archive of members; the content of a file rides in its `comment`."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for info in members:
            content = info.pax_headers.get("comment", "").encode("latin-1")
            tar.addfile(info, io.BytesIO(content))
    return sink.getvalue()


def with_digest(node: Node) -> Entry:
    """The entry as a scan of its archive gives it."""
    entry, content = node.entry, node.content
    if content is None:
        return entry
    with content.open() as stream:
        digest = Digest.of(stream.read())
    return Entry(**{name: getattr(entry, name) for name in entry.__struct_fields__} | {"digest": digest})


def tree_of(path: Path) -> dict[str, str]:
    """Every path below `path`, with what it is: for comparing a place before and after."""
    return {str(each.relative_to(path)): str(each.lstat()) for each in path.rglob("*")}


_LETTERS = st.characters(exclude_characters="/\0", exclude_categories=("Cs",), max_codepoint=0x2FFF)
_NAMES = st.text(_LETTERS, min_size=1, max_size=12).filter(
    lambda name: name not in (".", "..") and not name.startswith(".wh.")
)
_RAW_NAMES = st.one_of(_NAMES, st.just("\udcff\udc80"), st.just("n" * 120))
_TIMES = st.integers(0, 1 << 33).map(lambda seconds: seconds * SECOND)
_IDS = st.one_of(st.integers(0, 70000), st.integers(0, 2**32 - 2))
_KINDS = st.sampled_from(["file", "file", "dir", "symlink", "char", "fifo", "whiteout", "hardlink"])


@st.composite
def layers(draw: st.DrawFn, *, times: st.SearchStrategy[int] = _TIMES) -> list[Node]:
    """A layer as our writer gets it: sorted, parents present, each path once."""
    nodes: dict[str, Node] = {}
    folders = [""]
    for _ in range(draw(st.integers(0, 12))):
        parent, name = draw(st.sampled_from(folders)), draw(_RAW_NAMES)
        path = f"{parent}/{name}" if parent else name
        if path in nodes or len(path.encode("utf-8", "surrogateescape")) > 900:
            continue
        node = _node(draw, path, times)
        nodes[path] = node
        if node.entry.kind == "dir":
            folders.append(path)
    ordered = [nodes[path] for path in sorted(nodes, key=sort_key)]
    return [_settled(node, ordered) for node in ordered]


def _node(draw: st.DrawFn, path: str, times: st.SearchStrategy[int]) -> Node:
    kind = draw(_KINDS)
    if kind == "whiteout":
        return Node(Entry(path, "whiteout"))
    attributes = {"uid": draw(_IDS), "gid": draw(_IDS), "mtime_ns": draw(times)}
    if kind == "file":
        return file_node(
            path, draw(st.binary(max_size=1500)), mode=draw(st.integers(0, 0o7777)), **attributes
        )
    if kind == "symlink":
        return Node(Entry(path, "symlink", mode=0o777, link=draw(_RAW_NAMES), **attributes))
    device = (draw(st.integers(1, 4095)), draw(st.integers(0, 1048575))) if kind == "char" else (0, 0)
    opaque = kind == "dir" and draw(st.booleans())
    mode = draw(st.integers(0, 0o7777))
    return Node(Entry(path, kind, mode=mode, device=device, opaque=opaque, **attributes))


def _settled(node: Node, ordered: list[Node]) -> Node:
    """A hard link becomes one to the first file that comes before it, or else a fifo."""
    if node.entry.kind != "hardlink":
        return node
    entry = node.entry
    before = ordered[: ordered.index(node)]
    target = next((each.entry for each in before if each.entry.kind == "file"), None)
    if target is None:
        return Node(
            Entry(entry.path, "fifo", mode=entry.mode, uid=entry.uid, gid=entry.gid, mtime_ns=entry.mtime_ns)
        )
    return Node(
        Entry(
            entry.path,
            "hardlink",
            mode=target.mode,
            uid=target.uid,
            gid=target.gid,
            mtime_ns=target.mtime_ns,
            link=target.path,
        )
    )
