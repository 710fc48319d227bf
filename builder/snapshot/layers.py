"""Layers and their forms: recipe, tree, blob, each made from another when somebody needs it.

Other builders materialise every step; here a step's result is a list of layers, and the conversions happen on
demand, once, across threads and processes (a lock for each layer), and are remembered in the database. A form
is on disk before the row says so, so a killed process leaves at most a directory that the collector removes.
"""

from __future__ import annotations

import itertools
import os
import shutil
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self, TypeAlias

import msgspec

from builder.oci.descriptor import Descriptor
from builder.oci.digest import CHUNK, DiffID
from builder.oci.mediatypes import layer_compression, layer_media_type
from builder.snapshot import implied
from builder.snapshot.errors import InvalidLayer, SnapshotError
from builder.snapshot.index import IndexLayer, index_layer, load_index, save_index, scan_layer
from builder.snapshot.opened import OpenDirectories
from builder.snapshot.recipe import RecipeLayer, recipe_digest
from builder.snapshot.reporting import Reporting
from builder.snapshot.stack import StackView
from builder.snapshot.tree import TreeLayer, tree_nodes
from builder.snapshot.unchanged import set_unchanged_aside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from builder.oci.digest import Digest
    from builder.snapshot.entry import FileView, LayerView, Node
    from builder.snapshot.index import LayerScan
    from builder.snapshot.layerdb import Format, LayerID, LayerRow, LayerTable
    from builder.snapshot.tarwriter import ByteSink
    from builder.store.protocol import Lease
    from builder.system.locks import CancelToken, KeyLocks

    Progress: TypeAlias = Callable[[int], None]


class BlobFetcher(Protocol):
    """Brings a blob into the content store; where it comes from is the fetcher's secret."""

    def __call__(self, blob: Descriptor) -> None:
        """Returns when `blob` is there, verified. Raises: DockyardError."""
        ...


class LayerBlob(msgspec.Struct, frozen=True, kw_only=True):
    """A layer as an image refers to it. `created_ns`: when it was made, in nanoseconds since the epoch."""

    descriptor: Descriptor
    diff_id: DiffID
    created_ns: int


class LayerPaths(msgspec.Struct, frozen=True, kw_only=True):
    """Where layers live below a state root: finished trees, path indexes, and work that may be lost."""

    trees: Path
    indexes: Path
    work: Path


class Layers:
    """The layers that one build works with. Safe to share between threads."""

    def __init__(
        self,
        table: LayerTable,
        lease: Lease,
        paths: LayerPaths,
        *,
        locks: KeyLocks,
        cancelled: CancelToken,
        before_writing: Callable[[], None] | None = None,
    ) -> None:
        """`before_writing` is called before anything that takes room, and may raise what ends the work."""
        self._before_writing = before_writing or _always
        self._table = table
        self._lease = lease
        self._content = lease.content
        self._paths = paths
        self._locks = locks
        self._cancelled = cancelled
        self._recipes: dict[LayerID, Sequence[Node]] = {}
        self._recipe_views: dict[LayerID, RecipeLayer] = {}
        self._by_recipe: dict[Digest, LayerID] = {}
        self._fetchers: dict[LayerID, tuple[Descriptor, BlobFetcher]] = {}
        self._trees: dict[LayerID, TreeLayer] = {}
        self._indexes: dict[LayerID, IndexLayer] = {}
        self._kept: set[LayerID] = set()
        # What was once true of a layer stays true while this build has it; steps ask again for each in the stack.
        self._known_durable: set[LayerID] = set()
        self._known_usable: set[LayerID] = set()
        self._known_trees: set[LayerID] = set()
        self._open_directories = OpenDirectories()
        self._numbers = itertools.count()
        self._guard = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for tree in self._trees.values():
            tree.close()

    # Making layers.

    def recipe(self, nodes: Sequence[Node]) -> LayerID:
        """The layer that `nodes` (sorted, parents first) describe; one layer for equal recipes."""
        digest = recipe_digest(nodes)
        with self._guard:
            layer = self._by_recipe.get(digest)
            if layer is None:
                layer = self._new()
                self._by_recipe[digest] = layer
                self._recipes[layer] = nodes
            return layer

    def adopt(self, upper: Path, *, over: Sequence[LayerID] = ()) -> LayerID:
        """Makes the directory that a step has filled, on the file system of the trees, a layer.

        `over` are the layers below, lowest first, whose trees are there. Raises: OSError.
        """
        set_unchanged_aside(upper, [self.tree_path(each) for each in reversed(over)])
        layer = self._new()
        os.rename(upper, self._paths.trees / str(layer))
        self._table.set_tree(layer)
        return layer

    def image(
        self, chain: Digest, blob: Descriptor, diff_id: DiffID, *, created_ns: int, fetch: BlobFetcher
    ) -> LayerID:
        """The layer of an image that stands in `chain`; its blob is fetched when somebody needs it."""
        with self._table.transaction():
            layer = self._table.find(chain)
            if layer is None:
                layer = self._table.add(created_ns=created_ns, chain=chain, diff_id=diff_id)
            self._table.add_blob(layer, blob, diff_id, level=None)
            self._lease.keep_snapshots([str(layer)])
        self._fetchers.setdefault(layer, (blob, fetch))
        return layer

    def _new(self) -> LayerID:
        # A collector that runs between the two would take a layer which nobody names yet.
        with self._table.transaction():
            layer = self._table.add(created_ns=time.time_ns())
            self._lease.keep_snapshots([str(layer)])
        return layer

    # Asking about layers.

    def durable(self, layers: Sequence[LayerID]) -> bool:
        """Whether all of `layers` have a form that outlives this process."""
        for each in set(layers) - self._known_durable:
            if not self._row(each).durable:
                return False
            self._known_durable.add(each)
        return True

    def keep(self, layers: Sequence[LayerID]) -> None:
        """Keeps the collector from `layers` while this build runs; which of them are there, see after."""
        with self._guard:
            new = [layer for layer in layers if layer not in self._kept]
        if new:
            self._lease.keep_snapshots(map(str, new))
            with self._guard:
                self._kept.update(new)

    def usable(self, layers: Sequence[LayerID]) -> bool:
        """Whether all of `layers` can still be had: a tree, a blob that is here, or one that can be fetched."""
        for each in set(layers) - self._known_usable:
            if not self._usable(each):
                return False
            self._known_usable.add(each)
        return True

    def _usable(self, layer: LayerID) -> bool:
        row = self._table.get(layer)
        if row is None:
            return False
        if row.tree and (self._paths.trees / str(layer)).is_dir():
            return True
        return layer in self._fetchers or any(self._content.has(blob.digest) for blob, _ in row.blobs)

    def view(self, layers: Sequence[LayerID], *, content: bool) -> FileView:
        """The file system that `layers` make, lowest first.

        With `content` files can be opened; without, only names and attributes are there, which costs no
        unpacking where a path index is known.
        """
        return StackView([self._layer_view(layers, n, content=content) for n in range(len(layers))])

    def layer_views(self, layers: Sequence[LayerID]) -> list[LayerView]:
        """What each of `layers` says by itself, lowest first; names and attributes only."""
        return [self._layer_view(layers, n, content=False) for n in range(len(layers))]

    def diff_id(self, layer: LayerID) -> DiffID | None:
        """The diff ID of `layer`, if it has ever been a blob."""
        return self._row(layer).diff_id

    def _layer_view(self, stack: Sequence[LayerID], position: int, *, content: bool) -> LayerView:
        layer = stack[position]
        if (known := self._recipe_views.get(layer) or self._trees.get(layer)) is not None:
            return known
        if (recipe := self._recipes.get(layer)) is not None:
            return self._recipe_views.setdefault(layer, RecipeLayer(recipe))
        if content or self._row(layer).tree:
            return self._open_tree(stack[: position + 1])
        return self._index(stack[: position + 1])

    def _open_tree(self, stack: Sequence[LayerID]) -> TreeLayer:
        layer = stack[-1]
        if layer not in self._trees:
            path = self._paths.trees / self._tree(stack)
            with self._guard:
                if layer not in self._trees:
                    self._trees[layer] = TreeLayer(path, others=self._open_directories)
        return self._trees[layer]

    # Trees.

    def trees(self, layers: Sequence[LayerID]) -> tuple[str, ...]:
        """Names of the trees of `layers`, lowest first, relative to the directory of all trees.

        A layer that is there several times is named where it is uppermost: an overlay refuses to have one
        directory twice, and all that the lower one says, the upper one says again.
        Raises: DockyardError, Cancelled.
        """
        names = [
            str(layer) if layer in self._known_trees else self._tree(layers[: n + 1])
            for n, layer in enumerate(layers)
        ]
        return tuple(reversed(dict.fromkeys(reversed(names))))

    def tree_path(self, layer: LayerID) -> Path:
        """Where the tree of a layer lies that was adopted."""
        return self._paths.trees / str(layer)

    def settle(self, stack: Sequence[LayerID]) -> None:
        """Makes the uppermost layer of `stack` independent of the files that its recipe was made from.

        Raises: DockyardError, Cancelled.
        """
        self._tree(stack)
        with self._guard:
            self._recipes.pop(stack[-1], None)
            self._recipe_views.pop(stack[-1], None)

    def _tree(self, stack: Sequence[LayerID]) -> str:
        layer = stack[-1]
        name = str(layer)
        if not self._row(layer).tree:
            with self._locks.hold(f"tree {layer}", cancelled=self._cancelled):
                if not self._row(layer).tree:
                    self._make_tree(stack, self._paths.trees / name)
                    self._table.set_tree(layer)
        self._known_trees.add(layer)
        return name

    def _make_tree(self, stack: Sequence[LayerID], target: Path) -> None:
        from builder.snapshot.unpack import materialize

        layer = stack[-1]
        with self.scratch() as scratch:
            root = scratch / "tree"
            root.mkdir()
            if layer in self._recipes:
                materialize(self._recipes[layer], root)
            else:
                self._unpack(stack, root)
            # What a killed process left under the final name was never complete: the row does not know it.
            _remove_tree(target)
            os.rename(root, target)

    def _unpack(self, stack: Sequence[LayerID], root: Path) -> None:
        from builder.snapshot.streams import open_layer
        from builder.snapshot.unpack import unpack_layer

        row, blob = self._blob_here(stack[-1])
        with self._content.open(blob.digest) as stream:
            scan = unpack_layer(
                open_layer(stream, layer_compression(blob.media_type)), root, expected=row.diff_id
            )
        known = implied.inherited(scan.implied, self.view(stack[:-1], content=False))
        implied.apply(known, root)

    def _index(self, stack: Sequence[LayerID]) -> IndexLayer:
        layer = stack[-1]
        if layer not in self._indexes:
            try:
                self._indexes[layer] = load_index(self._index_path(layer))
            except (FileNotFoundError, InvalidLayer):
                # Missing, damaged or of another version: it can be made again at any time.
                self._indexes[layer] = self._make_index(stack)
        return self._indexes[layer]

    def _make_index(self, stack: Sequence[LayerID]) -> IndexLayer:
        scan = self._scan(stack[-1])
        known = implied.inherited(scan.implied, self.view(stack[:-1], content=False))
        index = index_layer(implied.describe(scan.index.entries(), known)) if known else scan.index
        save_index(index, self._index_path(stack[-1]))
        return index

    def _scan(self, layer: LayerID) -> LayerScan:
        from builder.snapshot.streams import open_layer

        row, blob = self._blob_here(layer)
        with self._content.open(blob.digest) as stream:
            return scan_layer(open_layer(stream, layer_compression(blob.media_type)), expected=row.diff_id)

    def _index_path(self, layer: LayerID) -> Path:
        return self._paths.indexes / str(layer)

    # Blobs.

    def blob(
        self,
        layer: LayerID,
        wanted: Format,
        *,
        force: bool = False,
        absent: bool = False,
        progress: Progress | None = None,
    ) -> LayerBlob:
        """The layer as a blob in the content store.

        Layers of images keep the form in which they came, unless `force`; all others get the one wanted. With
        `absent` the blob of a layer that keeps its form, and could be fetched, is not fetched.
        `progress` hears how many bytes of the uncompressed layer have been written. Raises: DockyardError,
        Cancelled.
        """
        row = self._row(layer)
        keep = row.chain is not None and not force
        found = row.blob(None if keep else wanted)
        if absent and keep and layer in self._fetchers:
            found = self._here(row) or self._fetchers[layer][0]
        elif found is None or not self._content.has(found.digest):
            with self._locks.hold(f"blob {layer}", cancelled=self._cancelled):
                row = self._row(layer)
                found = row.blob(None if keep else wanted)
                if found is None or not self._content.has(found.digest):
                    found = self._blob_here(layer)[1] if keep else self._write_blob(layer, wanted, progress)
            row = self._row(layer)
        if row.diff_id is None or found is None:
            raise SnapshotError(f"layer {layer} has a blob but no diff id")
        return LayerBlob(descriptor=found, diff_id=row.diff_id, created_ns=row.created_ns)

    def found_blob(self, layer: LayerID, wanted: Format) -> LayerBlob | None:
        """A blob that the layer has already, here or to be fetched, if it can be in the format `wanted`.

        None: the layer was never a blob.
        """
        row = self._row(layer)
        fitting = row.blob(wanted)
        if fitting is None or not self._content.has(fitting.digest):
            fitting = self._here(row) or self._fetchers.get(layer, (None,))[0]
        if fitting is None or row.diff_id is None:
            return None
        return LayerBlob(descriptor=fitting, diff_id=row.diff_id, created_ns=row.created_ns)

    def _blob_here(self, layer: LayerID) -> tuple[LayerRow, Descriptor]:
        """The row and any blob of `layer`, brought into the content store if it is not there yet."""
        row = self._row(layer)
        if (here := self._here(row)) is not None:
            return row, here
        if layer not in self._fetchers:
            raise SnapshotError(f"layer {row.diff_id or layer} is not in the store any more")
        self._before_writing()
        original, fetch = self._fetchers[layer]
        fetch(original)
        return row, original

    def _here(self, row: LayerRow) -> Descriptor | None:
        """The first blob of the layer that is in the content store."""
        return next((blob for blob, _ in row.blobs if self._content.has(blob.digest)), None)

    def _write_blob(self, layer: LayerID, wanted: Format, progress: Progress | None) -> Descriptor:
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
        blob = Descriptor(
            media_type=layer_media_type(wanted.compression), digest=digest, size=written.size
        )
        with self._table.transaction():
            self._table.add_blob(layer, blob, written.diff_id, level=wanted.level)
            known.save(layer, blob.digest)
        if layer in self._recipes:
            save_index(index_layer(node.entry for node in self._recipes[layer]), self._index_path(layer))
        return blob

    def _write_tar(self, layer: LayerID, sink: ByteSink) -> None:
        from builder.snapshot.streams import open_layer
        from builder.snapshot.tarwriter import write_tar

        if layer in self._recipes:
            write_tar(self._recipes[layer], sink)
        elif self._row(layer).tree:
            write_tar(tree_nodes(self._paths.trees / str(layer)), sink)
        else:
            _, blob = self._blob_here(layer)
            with self._content.open(blob.digest) as stream:
                reader = open_layer(stream, layer_compression(blob.media_type))
                while chunk := reader.read(CHUNK):
                    sink.write(chunk)

    # Places to work.

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
            _remove_tree(path)

    def _row(self, layer: LayerID) -> LayerRow:
        if (row := self._table.get(layer)) is None:
            raise SnapshotError(f"layer {layer} is not in the store any more")
        return row


def _always() -> None:
    """Nobody limits the room."""


def _remove_tree(path: Path) -> None:
    """Removes a directory that steps have written to; what is not there is no error. Raises: OSError."""
    with suppress(FileNotFoundError):
        shutil.rmtree(path)
