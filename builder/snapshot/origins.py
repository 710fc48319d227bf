"""Where the layers of one build come from: a recipe it has made, or a blob that it could fetch.

Neither is in the database: a recipe reads files that belong to the user, and how to fetch a blob is known to
whoever asked a registry. Both end with the build, so what must outlive it gets a tree or a blob that is here.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from builder.snapshot.errors import SnapshotError
from builder.snapshot.recipe import recipe_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from builder.oci.descriptor import Descriptor
    from builder.oci.digest import Digest
    from builder.snapshot.entry import Node
    from builder.snapshot.layerdb import LayerID, LayerRow, LayerTable
    from builder.store.protocol import ContentWriter


class BlobFetcher(Protocol):
    """Brings a blob into the content store; where it comes from is the fetcher's secret."""

    def __call__(self, blob: Descriptor) -> None:
        """Returns when `blob` is there, verified. Raises: DockyardError."""
        ...


class Origins:
    """The recipes and the fetchers of a build's layers. Safe to share between threads."""

    def __init__(
        self, table: LayerTable, content: ContentWriter, *, before_writing: Callable[[], None]
    ) -> None:
        """`before_writing` is called before a blob is fetched."""
        self._table = table
        self._content = content
        self._before_writing = before_writing
        self._recipes: dict[LayerID, Sequence[Node]] = {}
        self._by_recipe: dict[Digest, LayerID] = {}
        self._fetchers: dict[LayerID, tuple[Descriptor, BlobFetcher]] = {}
        self._guard = threading.Lock()

    def row(self, layer: LayerID) -> LayerRow:
        """What the database knows of `layer`. Raises: SnapshotError, when it has been collected."""
        if (row := self._table.get(layer)) is None:
            raise SnapshotError(f"layer {layer} is not in the store any more")
        return row

    # Recipes.

    def add_recipe(self, nodes: Sequence[Node], new: Callable[[], LayerID]) -> LayerID:
        """The layer that `nodes` describe: the one that has this recipe already, or one that `new` makes."""
        digest = recipe_digest(nodes)
        with self._guard:
            layer = self._by_recipe.get(digest)
            if layer is None:
                layer = self._by_recipe[digest] = new()
                self._recipes[layer] = nodes
            return layer

    def recipe(self, layer: LayerID) -> Sequence[Node] | None:
        """The recipe of `layer`, if it has one."""
        return self._recipes.get(layer)

    def forget_recipe(self, layer: LayerID) -> None:
        """From now on `layer` is what its tree or blob says."""
        with self._guard:
            self._recipes.pop(layer, None)

    # Blobs.

    def add_fetcher(self, layer: LayerID, blob: Descriptor, fetch: BlobFetcher) -> None:
        """Says that `fetch` can bring `blob`, which holds `layer`; who said so first, is asked."""
        self._fetchers.setdefault(layer, (blob, fetch))

    def fetchable(self, layer: LayerID) -> Descriptor | None:
        """The blob that can be fetched for `layer`."""
        return self._fetchers.get(layer, (None,))[0]

    def here(self, row: LayerRow) -> Descriptor | None:
        """The first blob of the layer that is in the content store."""
        return next((blob for blob, _ in row.blobs if self._content.has(blob.digest)), None)

    def fetched(self, layer: LayerID) -> tuple[LayerRow, Descriptor]:
        """The row and any blob of `layer`, brought into the content store if it is not there yet.

        Raises: DockyardError.
        """
        row = self.row(layer)
        if (here := self.here(row)) is not None:
            return row, here
        if layer not in self._fetchers:
            raise SnapshotError(f"layer {row.diff_id or layer} is not in the store any more")
        self._before_writing()
        original, fetch = self._fetchers[layer]
        fetch(original)
        return row, original
