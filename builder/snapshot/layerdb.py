"""The table of layers: which forms each layer has on disk.

A row is a layer. Its tree, when it has one, is the directory `trees/<id>`; its blobs are in the content store.
Layers of images are known by the chain they stand in, because the attributes of directories that a layer
implies without listing them come from the layers below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, NewType

import msgspec

from builder.oci.descriptor import Descriptor
from builder.oci.digest import DiffID, Digest
from builder.oci.mediatypes import Compression, layer_compression
from builder.store.database import Schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager

    from builder.store.database import Database

LayerID = NewType("LayerID", int)

SCHEMA: Final = Schema(
    "layers",
    (
        """CREATE TABLE layers (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            chain TEXT UNIQUE,
            diff_id TEXT,
            tree INTEGER NOT NULL DEFAULT 0,
            created_ns INTEGER NOT NULL
        )""",
        """CREATE TABLE layer_blobs (
            layer INTEGER NOT NULL REFERENCES layers (id) ON DELETE CASCADE,
            digest TEXT NOT NULL,
            size INTEGER NOT NULL,
            media_type TEXT NOT NULL,
            level INTEGER NOT NULL,
            PRIMARY KEY (layer, digest, level)
        )""",
        """CREATE TABLE layer_pieces (
            key BLOB PRIMARY KEY,
            layer INTEGER NOT NULL REFERENCES layers (id) ON DELETE CASCADE,
            digest TEXT NOT NULL,
            offset INTEGER NOT NULL,
            size INTEGER NOT NULL
        ) WITHOUT ROWID""",
        "CREATE INDEX layer_pieces_by_layer ON layer_pieces (layer)",
    ),
)


class Format(msgspec.Struct, frozen=True):
    """How a layer's blob is compressed; `level` None is the default of the compression."""

    compression: Compression = "gzip"
    level: int | None = None


class Piece(NamedTuple):
    """Where a part of a blob stands in it, in bytes, and the key by which an equal part is found."""

    key: bytes
    offset: int
    size: int


class LayerRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one layer. `created_ns`: when it was made, in nanoseconds since the epoch."""

    id: LayerID
    chain: Digest | None
    diff_id: DiffID | None
    tree: bool
    created_ns: int
    blobs: tuple[tuple[Descriptor, int | None], ...] = ()

    @property
    def durable(self) -> bool:
        """Whether the layer has a form that outlives this process."""
        return self.tree or bool(self.blobs)

    def blob(self, wanted: Format | None) -> Descriptor | None:
        """The blob in that format; with None, any."""
        for descriptor, level in self.blobs:
            made = layer_compression(descriptor.media_type)
            if wanted is None or (made == wanted.compression and wanted.level in (None, level)):
                return descriptor
        return None


class LayerTable:
    """Rows of layers in the database of the state root."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, *, created_ns: int, chain: Digest | None = None, diff_id: DiffID | None = None) -> LayerID:
        """A new layer without any form; for a chain that is known already, the layer that is there."""
        with self._database.write() as cursor:
            if chain is not None:
                found = cursor.execute("SELECT id FROM layers WHERE chain = ?", (chain,)).fetchone()
                if found is not None:
                    return LayerID(found[0])
            cursor.execute(
                "INSERT INTO layers (chain, diff_id, created_ns) VALUES (?, ?, ?)",
                (chain, diff_id, created_ns),
            )
            return LayerID(cursor.lastrowid or 0)

    def find(self, chain: Digest) -> LayerID | None:
        """The layer of an image that stands in this chain."""
        found = self._database.read("SELECT id FROM layers WHERE chain = ?", (chain,))
        return LayerID(found[0][0]) if found else None

    def get(self, layer: LayerID) -> LayerRow | None:
        """The row of `layer`; None when it has been collected."""
        # One statement: between two, another thread could give the layer a blob, and with it a diff ID.
        rows = self._database.read(
            "SELECT id, chain, diff_id, tree, created_ns, media_type, digest, size, level "
            "FROM layers LEFT JOIN layer_blobs ON layer = id WHERE id = ? ORDER BY layer_blobs.rowid",
            (layer,),
        )
        return _row(rows) if rows else None

    def set_tree(self, layer: LayerID) -> None:
        """Says that the tree is there."""
        with self._database.write() as cursor:
            cursor.execute("UPDATE layers SET tree = 1 WHERE id = ?", (layer,))

    def forget_tree(self, layer: LayerID) -> None:
        """Says that the tree is gone."""
        with self._database.write() as cursor:
            cursor.execute("UPDATE layers SET tree = 0 WHERE id = ?", (layer,))

    def add_blob(self, layer: LayerID, blob: Descriptor, diff_id: DiffID, *, level: int | None) -> None:
        """Says that `blob` in the content store holds the layer."""
        with self._database.write() as cursor:
            cursor.execute("UPDATE layers SET diff_id = ? WHERE id = ?", (diff_id, layer))
            cursor.execute(
                "INSERT OR IGNORE INTO layer_blobs (layer, digest, size, media_type, level) "
                "VALUES (?, ?, ?, ?, ?)",
                (layer, blob.digest, blob.size, blob.media_type, _NO_LEVEL if level is None else level),
            )

    def find_piece(self, key: bytes) -> tuple[Digest, Piece] | None:
        """A blob, which may be gone, and where the piece stands in it."""
        rows = self._database.read("SELECT digest, offset, size FROM layer_pieces WHERE key = ?", (key,))
        return (Digest(rows[0][0]), Piece(key, *rows[0][1:])) if rows else None

    def save_pieces(self, layer: LayerID, blob: Digest, pieces: Iterable[Piece]) -> None:
        """Says where pieces stand in the blob of `layer`; the youngest blob is the one that stays longest."""
        with self._database.write() as cursor:
            cursor.executemany(
                "INSERT OR REPLACE INTO layer_pieces (key, layer, digest, offset, size) VALUES (?, ?, ?, ?, ?)",
                ((piece.key, layer, blob, piece.offset, piece.size) for piece in pieces),
            )

    def transaction(self) -> AbstractContextManager[object]:
        """Changes made in the block, and those of the store's leases, happen together or not at all."""
        return self._database.write()

    def all(self) -> tuple[LayerID, ...]:
        """Every layer."""
        return tuple(LayerID(layer) for (layer,) in self._database.read("SELECT id FROM layers ORDER BY id"))

    def with_trees(self) -> tuple[LayerID, ...]:
        """Every layer that has a tree."""
        rows = self._database.read("SELECT id FROM layers WHERE tree ORDER BY id")
        return tuple(LayerID(layer) for (layer,) in rows)

    def delete(self, layers: Iterable[LayerID]) -> None:
        """Forgets these layers; their files are the collector's to remove."""
        with self._database.write() as cursor:
            cursor.executemany("DELETE FROM layers WHERE id = ?", ((layer,) for layer in layers))


# SQLite keeps a NULL distinct from every other one, which would defeat the primary key.
_NO_LEVEL: Final = -100


def _row(rows: Sequence[tuple[Any, ...]]) -> LayerRow:
    layer, chain, diff_id, tree, created_ns = rows[0][:5]
    return LayerRow(
        id=LayerID(layer),
        chain=Digest(chain) if chain is not None else None,
        diff_id=DiffID(Digest(diff_id)) if diff_id is not None else None,
        tree=bool(tree),
        created_ns=created_ns,
        blobs=tuple(_blob(*row[5:]) for row in rows if row[5] is not None),
    )


def _blob(media_type: str, digest: str, size: int, level: int) -> tuple[Descriptor, int | None]:
    descriptor = Descriptor(media_type=media_type, digest=Digest(digest), size=size)
    return descriptor, None if level == _NO_LEVEL else level
