"""Layers and their forms: recipe, tree, blob, each made from another when somebody needs it.

Other builders materialise every step; here a step's result is a list of layers, and the conversions happen on
demand, once, across threads and processes (a lock for each layer), and are remembered in the database. A form
is on disk before the row says so, so a killed process leaves at most a directory that the collector removes.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Self

import msgspec

from builder.oci.descriptor import Descriptor
from builder.oci.digest import DiffID
from builder.snapshot.conversions import Conversions
from builder.snapshot.errors import InvalidLayer, SnapshotError
from builder.snapshot.index import IndexLayer, load_index
from builder.snapshot.opened import OpenDirectories
from builder.snapshot.origins import Origins
from builder.snapshot.recipe import RecipeLayer
from builder.snapshot.stack import StackView
from builder.snapshot.tree import TreeLayer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path
    from types import TracebackType

    from builder.oci.digest import Digest
    from builder.snapshot.conversions import Below, LayerPaths, Progress
    from builder.snapshot.entry import FileView, LayerView, Node
    from builder.snapshot.layerdb import Format, LayerID, LayerTable
    from builder.snapshot.origins import BlobFetcher
    from builder.store.protocol import Lease
    from builder.system.locks import CancelToken, KeyLocks


class LayerBlob(msgspec.Struct, frozen=True, kw_only=True):
    """A layer as an image refers to it. `created_ns`: when it was made, in nanoseconds since the epoch."""

    descriptor: Descriptor
    diff_id: DiffID
    created_ns: int


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
        before_writing = before_writing or _always
        self._table = table
        self._lease = lease
        self._content = lease.content
        self._paths = paths
        self._locks = locks
        self._cancelled = cancelled
        self._origins = Origins(table, self._content, before_writing=before_writing)
        self._conversions = Conversions(
            table, self._content, paths, origins=self._origins, before_writing=before_writing
        )
        self._recipe_views: dict[LayerID, RecipeLayer] = {}
        self._trees: dict[LayerID, TreeLayer] = {}
        self._indexes: dict[LayerID, IndexLayer] = {}
        self._kept: set[LayerID] = set()
        # What was once true of a layer stays true while this build has it; steps ask again for each in the stack.
        self._known_durable: set[LayerID] = set()
        self._known_usable: set[LayerID] = set()
        self._known_trees: set[LayerID] = set()
        self._open_directories = OpenDirectories()
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
        return self._origins.add_recipe(nodes, self._new)

    def adopt(self, upper: Path, *, over: Sequence[LayerID] = ()) -> LayerID:
        """Makes the directory that a step has filled, on the file system of the trees, a layer.

        `over` are the layers below, lowest first, whose trees are there. Raises: OSError.
        """
        from builder.snapshot.unchanged import set_unchanged_aside

        set_unchanged_aside(upper, [self.tree_path(each) for each in reversed(over)])
        layer = self._new()
        os.rename(upper, self._paths.tree(layer))
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
        self._origins.add_fetcher(layer, blob, fetch)
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
            if not self._origins.row(each).durable:
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
        if row.tree and self._paths.tree(layer).is_dir():
            return True
        return (self._origins.fetchable(layer) or self._origins.here(row)) is not None

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
        return self._origins.row(layer).diff_id

    def _layer_view(self, stack: Sequence[LayerID], position: int, *, content: bool) -> LayerView:
        layer = stack[position]
        if (known := self._recipe_views.get(layer) or self._trees.get(layer)) is not None:
            return known
        if (recipe := self._origins.recipe(layer)) is not None:
            return self._recipe_views.setdefault(layer, RecipeLayer(recipe))
        if content or self._origins.row(layer).tree:
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
        return self._paths.tree(layer)

    def settle(self, stack: Sequence[LayerID]) -> None:
        """Makes the uppermost layer of `stack` independent of the files that its recipe was made from.

        Raises: DockyardError, Cancelled.
        """
        self._tree(stack)
        self._origins.forget_recipe(stack[-1])
        self._recipe_views.pop(stack[-1], None)

    def _tree(self, stack: Sequence[LayerID]) -> str:
        layer = stack[-1]
        if not self._origins.row(layer).tree:
            with self._locks.hold(f"tree {layer}", cancelled=self._cancelled):
                if not self._origins.row(layer).tree:
                    self._conversions.make_tree(layer, self._below(stack))
                    self._table.set_tree(layer)
        self._known_trees.add(layer)
        return str(layer)

    def _index(self, stack: Sequence[LayerID]) -> IndexLayer:
        layer = stack[-1]
        if layer not in self._indexes:
            try:
                self._indexes[layer] = load_index(self._paths.index(layer))
            except (FileNotFoundError, InvalidLayer):
                # Missing, damaged or of another version: it can be made again at any time.
                self._indexes[layer] = self._conversions.make_index(layer, self._below(stack))
        return self._indexes[layer]

    def _below(self, stack: Sequence[LayerID]) -> Below:
        """What `stack` without its uppermost layer holds, made when somebody asks."""
        return lambda: self.view(stack[:-1], content=False)

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
        row = self._origins.row(layer)
        keep = row.chain is not None and not force
        found = row.blob(None if keep else wanted)
        fetchable = self._origins.fetchable(layer)
        if absent and keep and fetchable is not None:
            found = self._origins.here(row) or fetchable
        elif found is None or not self._content.has(found.digest):
            with self._locks.hold(f"blob {layer}", cancelled=self._cancelled):
                row = self._origins.row(layer)
                found = row.blob(None if keep else wanted)
                if found is None or not self._content.has(found.digest):
                    found = (
                        self._origins.fetched(layer)[1]
                        if keep
                        else self._conversions.write_blob(layer, wanted, progress)
                    )
            row = self._origins.row(layer)
        if row.diff_id is None or found is None:
            raise SnapshotError(f"layer {layer} has a blob but no diff id")
        return LayerBlob(descriptor=found, diff_id=row.diff_id, created_ns=row.created_ns)

    def found_blob(self, layer: LayerID, wanted: Format) -> LayerBlob | None:
        """A blob that the layer has already, here or to be fetched, if it can be in the format `wanted`.

        None: the layer was never a blob.
        """
        row = self._origins.row(layer)
        fitting = row.blob(wanted)
        if fitting is None or not self._content.has(fitting.digest):
            fitting = self._origins.here(row) or self._origins.fetchable(layer)
        if fitting is None or row.diff_id is None:
            return None
        return LayerBlob(descriptor=fitting, diff_id=row.diff_id, created_ns=row.created_ns)

    # Places to work.

    def scratch(self) -> AbstractContextManager[Path]:
        """An empty directory beside the trees, gone with everything in it at the end of the block."""
        return self._conversions.scratch()


def _always() -> None:
    """Nobody limits the room."""
