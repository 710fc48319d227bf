"""Conversions of a layer from one form into another: what costs time and room, and nothing else.

Whether a conversion is needed, and that nobody else makes it at the same time, is decided by `layers`. Each ends
in one rename or commit, so what a killed process leaves is never taken for a finished form.
"""

from __future__ import annotations

import itertools
import os
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from builder.oci.descriptor import Descriptor
from builder.oci.digest import CHUNK
from builder.oci.mediatypes import layer_compression, layer_media_type
from builder.snapshot import implied
from builder.snapshot.index import IndexLayer, index_layer, save_index, scan_layer
from builder.snapshot.reporting import Reporting
from builder.snapshot.tree import tree_nodes
from builder.system.removal import remove_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from builder.snapshot.entry import FileView
    from builder.snapshot.index import LayerScan
    from builder.snapshot.layerdb import Format, LayerID, LayerTable
    from builder.snapshot.origins import Origins
    from builder.snapshot.tarwriter import ByteSink
    from builder.store.protocol import ContentWriter

    Below: TypeAlias = Callable[[], FileView]
    Progress: TypeAlias = Callable[[int], None]


class LayerPaths(msgspec.Struct, frozen=True, kw_only=True):
    """Where layers live below a state root: finished trees, path indexes, and work that may be lost."""

    trees: Path
    indexes: Path
    work: Path

    def tree(self, layer: LayerID) -> Path:
        """The tree of `layer`."""
        return self.trees / str(layer)

    def index(self, layer: LayerID) -> Path:
        """The path index of `layer`."""
        return self.indexes / str(layer)


class Conversions:
    """Makes trees, path indexes and blobs of layers. Safe to share between threads."""

    def __init__(
        self,
        table: LayerTable,
        content: ContentWriter,
        paths: LayerPaths,
        *,
        origins: Origins,
        before_writing: Callable[[], None],
    ) -> None:
        """`before_writing` is called before anything that takes room, and may raise what ends the work."""
        self._table = table
        self._content = content
        self._paths = paths
        self._origins = origins
        self._before_writing = before_writing
        self._numbers = itertools.count()
        self._guard = threading.Lock()

    def make_tree(self, layer: LayerID, below: Below) -> None:
        """Puts the tree of `layer`, which stands on `below`, under its final name.

        Raises: DockyardError, OSError.
        """
        from builder.snapshot.unpack import materialize

        with self.scratch() as scratch:
            root = scratch / "tree"
            root.mkdir()
            if (recipe := self._origins.recipe(layer)) is not None:
                materialize(recipe, root)
            else:
                self._unpack(layer, below, root)
            # What a killed process left under the final name was never complete: the row does not know it.
            remove_tree(self._paths.tree(layer))
            os.rename(root, self._paths.tree(layer))

    def make_index(self, layer: LayerID, below: Below) -> IndexLayer:
        """The path index of a layer that is a blob and stands on `below`; it is saved. Raises: DockyardError."""
        scan = self._scan(layer)
        known = implied.inherited(scan.implied, below())
        index = index_layer(implied.describe(scan.index.entries(), known)) if known else scan.index
        save_index(index, self._paths.index(layer))
        return index

    def write_blob(self, layer: LayerID, wanted: Format, progress: Progress | None) -> Descriptor:
        """Writes the blob of `layer` in that format; `progress` hears of bytes of the uncompressed layer.

        Raises: DockyardError, OSError.
        """
        from builder.snapshot.compression import LayerWriter
        from builder.snapshot.pieces import Pieces

        self._before_writing()
        with (
            Pieces(self._table, self._content) as known,
            self._content.ingest(f"layer-{layer}-{wanted.compression}") as ingest,
        ):
            with LayerWriter(ingest, wanted.compression, wanted.level, known=known) as writer:
                self._write_tar(layer, writer if progress is None else Reporting(writer, progress))
                written = writer.finish()
            digest = ingest.commit(size=written.size)
        blob = Descriptor(media_type=layer_media_type(wanted.compression), digest=digest, size=written.size)
        with self._table.transaction():
            self._table.add_blob(layer, blob, written.diff_id, level=wanted.level)
            known.save(layer, blob.digest)
        if (recipe := self._origins.recipe(layer)) is not None:
            save_index(index_layer(node.entry for node in recipe), self._paths.index(layer))
        return blob

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty directory beside the trees, gone with everything in it at the end of the block."""
        self._before_writing()
        with self._guard:
            number = next(self._numbers)
        (path := self._paths.work / str(number)).mkdir()
        try:
            yield path
        finally:
            remove_tree(path)

    def _unpack(self, layer: LayerID, below: Below, root: Path) -> None:
        from builder.snapshot.streams import open_layer_ahead
        from builder.snapshot.unpack import unpack_layer

        row, blob = self._origins.fetched(layer)
        with (
            self._content.open(blob.digest) as stream,
            open_layer_ahead(stream, layer_compression(blob.media_type)) as archive,
        ):
            scan = unpack_layer(archive, root, expected=row.diff_id)
        implied.apply(implied.inherited(scan.implied, below()), root)

    def _scan(self, layer: LayerID) -> LayerScan:
        from builder.snapshot.streams import open_layer_ahead

        row, blob = self._origins.fetched(layer)
        with (
            self._content.open(blob.digest) as stream,
            open_layer_ahead(stream, layer_compression(blob.media_type)) as archive,
        ):
            return scan_layer(archive, expected=row.diff_id)

    def _write_tar(self, layer: LayerID, sink: ByteSink) -> None:
        from builder.snapshot.streams import open_layer
        from builder.snapshot.tarwriter import write_tar

        if (recipe := self._origins.recipe(layer)) is not None:
            write_tar(recipe, sink)
        elif self._origins.row(layer).tree:
            write_tar(tree_nodes(self._paths.tree(layer)), sink)
        else:
            _, blob = self._origins.fetched(layer)
            with self._content.open(blob.digest) as stream:
                reader = open_layer(stream, layer_compression(blob.media_type))
                while chunk := reader.read(CHUNK):
                    sink.write(chunk)
