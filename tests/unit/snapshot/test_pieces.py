"""Layers made with the help of earlier ones: the same bytes as without, with less work."""

from __future__ import annotations

import gzip
import io
import random
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder.oci.digest import CHUNK, Digest
from builder.snapshot import gzipstream, layerdb
from builder.snapshot.compression import LayerWriter
from builder.snapshot.disk import InlineContent
from builder.snapshot.entry import Entry, Node
from builder.snapshot.layerdb import LayerTable
from builder.snapshot.pieces import Pieces
from builder.snapshot.tarwriter import write_tar
from builder.store.database import Database
from builder.store.errors import BlobNotFound

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from builder.oci.descriptor import Descriptor
    from builder.snapshot.layerdb import LayerID

_WORDS: Final = [b"%x" % number for number in random.Random(3).sample(range(1 << 28), 500)]


class Blobs:
    """The blobs that were written, in memory; all that pieces need of a content store."""

    def __init__(self) -> None:
        self.held: dict[Digest, bytes] = {}

    def open(self, digest: Digest) -> BinaryIO:
        if digest not in self.held:
            raise BlobNotFound(f"blob {digest} is not in the store")
        return io.BytesIO(self.held[digest])

    def has(self, digest: Digest) -> bool:
        return digest in self.held

    def read(self, descriptor: Descriptor, *, limit: int = 0) -> bytes:
        return self.held[descriptor.digest]


class Shelf:
    """A table of layers, and the layers that were written so far."""

    def __init__(self, database: Database) -> None:
        self.table = LayerTable(database)
        self.blobs = Blobs()

    def write(self, files: dict[str, bytes], level: int | None = None) -> tuple[LayerID, bytes]:
        """The layer of `files`, which may use what earlier ones left and leaves its own."""
        sink = io.BytesIO()
        layer = self.table.add(created_ns=1)
        with Pieces(self.table, self.blobs) as known:
            _write(files, sink, level, known)
            digest = Digest.of(sink.getvalue())
            self.blobs.held[digest] = sink.getvalue()
            known.save(layer, digest)
        return layer, sink.getvalue()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "dockyard.db", (layerdb.SCHEMA,))
    yield opened
    opened.close()


@pytest.fixture
def shelf(database: Database) -> Shelf:
    return Shelf(database)


@pytest.fixture
def compressed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of the blocks that were really compressed."""
    lengths: list[int] = []
    original = gzipstream._adaptive

    def counting(block: bytes) -> bytes:
        lengths.append(len(block))
        return original(block)

    monkeypatch.setattr(gzipstream, "_adaptive", counting)
    return lengths


def alone(files: dict[str, bytes], level: int | None = None) -> bytes:
    """The layer as a machine makes it that has no other."""
    sink = io.BytesIO()
    _write(files, sink, level, None)
    return sink.getvalue()


def _write(files: dict[str, bytes], sink: io.BytesIO, level: int | None, known: Pieces | None) -> None:
    nodes = [
        Node(Entry(name, "file", size=len(files[name])), InlineContent(files[name])) for name in sorted(files)
    ]
    with LayerWriter(sink, "gzip", level, threads=2, known=known) as writer:
        write_tar(nodes, writer)
        writer.finish()


def text(seed: int, length: int) -> bytes:
    """Words that shrink well, others for each seed."""
    return b" ".join(random.Random(seed).choices(_WORDS, k=length // 5))[:length]


def project(seed: int = 0) -> dict[str, bytes]:
    return {f"src/file{number:04}.py": text(seed + number, 9_000) for number in range(700)}


def test_a_change_of_one_file_compresses_only_what_is_near_it(shelf: Shelf, compressed: list[int]) -> None:
    shelf.write(project())
    before = sum(compressed)
    compressed.clear()

    shelf.write({**project(), "src/file0400.py": text(9_999, 13_000)})

    assert before > 6 * CHUNK
    assert sum(compressed) <= 3 * CHUNK


_edits = st.lists(
    st.tuples(st.integers(0, 760), st.one_of(st.none(), st.integers(0, 30_000))), min_size=1, max_size=6
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_edits, st.sampled_from([None, 6, 9]))
def test_what_earlier_layers_left_never_changes_the_bytes_of_a_layer(
    shelf: Shelf, edits: list[tuple[int, int | None]], level: int | None
) -> None:
    files = project()
    shelf.write(files, level)
    for number, length in edits:
        name = f"src/file{number:04}.py"
        if length is None:
            files.pop(name, None)
        else:
            files[name] = text(length, length)

    _, blob = shelf.write(files, level)

    assert blob == alone(files, level)
    assert gzip.decompress(blob)


def test_a_piece_of_another_level_is_not_taken(shelf: Shelf) -> None:
    shelf.write(project(), 1)
    shelf.write(project(), 9)

    _, blob = shelf.write(project(), 4)

    assert blob == alone(project(), 4)


@pytest.mark.parametrize("damage", ["flipped", "cut off", "gone"])
def test_a_damaged_blob_is_never_copied_from(shelf: Shelf, damage: str) -> None:
    shelf.write(project())
    for digest, blob in tuple(shelf.blobs.held.items()):
        if damage == "gone":
            del shelf.blobs.held[digest]
        else:
            half = len(blob) // 2
            rest = b"" if damage == "cut off" else bytes(byte ^ 0x55 for byte in blob[half:])
            shelf.blobs.held[digest] = blob[:half] + rest

    _, blob = shelf.write(project())

    assert blob == alone(project())


def test_the_content_decides_and_not_the_checksum(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pieces, "key", lambda *_, length, **__: b"%d" % length)
    shelf.write(project())
    other = {name: content[::-1] for name, content in project().items()}

    _, blob = shelf.write(other)

    assert blob == alone(other)


def test_the_pieces_of_a_collected_layer_are_forgotten(shelf: Shelf, database: Database) -> None:
    layer, _ = shelf.write(project())
    assert database.read("SELECT count(*) FROM layer_pieces") != [(0,)]

    shelf.table.delete([layer])

    assert database.read("SELECT count(*) FROM layer_pieces") == [(0,)]


def test_large_files_are_cut_too(shelf: Shelf) -> None:
    files = {"large": text(1, 5 * CHUNK), "small": b"x"}

    _, blob = shelf.write(files)

    assert shelf.write(files)[1] == blob == alone(files)
