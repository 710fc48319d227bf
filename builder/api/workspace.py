"""A state root as one build, or one run, works with it: store, layers, cache, and a lease on all of them."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

import msgspec

from builder.cache import history, mounttable, parts, records
from builder.cache.mounts import CacheMounts
from builder.cache.mounttable import MountTable
from builder.cache.records import CacheRecords
from builder.snapshot import digests, layerdb, treesizes
from builder.snapshot.conversions import LayerPaths
from builder.snapshot.digests import FileDigests
from builder.snapshot.layerdb import LayerTable
from builder.snapshot.layers import Layers
from builder.store.leases import Leases
from builder.system.locks import KeyLocks
from builder.system.removal import clear_away
from builder.system.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from builder.store.containerd.store import ContainerdStore
    from builder.store.embedded import EmbeddedStore
    from builder.store.protocol import Lease, Store
    from builder.system.locks import CancelToken

SCHEMAS: Final = (
    layerdb.SCHEMA,
    treesizes.SCHEMA,
    digests.SCHEMA,
    records.SCHEMA,
    records.KINDS,
    mounttable.SCHEMA,
    parts.SCHEMA,
    history.SCHEMA,
)


class Workspace(Value, frozen=True):
    """What a build holds open. `runtime` is an empty directory that the executor may mount on.

    It works in `store`; `daemon`, if there is one, is where people's images are.
    """

    store: EmbeddedStore
    daemon: ContainerdStore | None
    lease: Lease
    layers: Layers
    paths: LayerPaths
    records: CacheRecords
    digests: FileDigests
    mounts: CacheMounts
    locks: KeyLocks
    runtime: Path

    @property
    def images(self) -> Store:
        """The store that has people's images."""
        return self.daemon or self.store


def layer_paths(root: Path) -> LayerPaths:
    """Where layers live below the state root; made if missing."""
    paths = LayerPaths(trees=root / "trees", indexes=root / "indexes", work=root / "work")
    for path in (paths.trees, paths.indexes, paths.work):
        path.mkdir(exist_ok=True)
    return paths


def cache_mounts(store: EmbeddedStore, locks: KeyLocks, cancelled: CancelToken) -> CacheMounts:
    """The cache mounts of a state root, no larger than its settings say. Raises: StoreError."""
    directory, largest = store.root.path / "cache-mounts", None
    if store.root.settings.exists():
        from builder.api.upkeep import settings_of

        largest = settings_of(store).largest_mount
    return CacheMounts(directory, MountTable(store.database), locks, cancelled, largest=largest)


@contextmanager
def open_workspace(
    store: EmbeddedStore,
    cancelled: CancelToken,
    *,
    daemon: ContainerdStore | None = None,
    before_writing: Callable[[], None] | None = None,
) -> Iterator[Workspace]:
    """Takes a lease on the state root of `store`; gives everything back at the end of the block.

    `before_writing` makes room, or raises when there is none. Raises: StoreError.
    """
    store.database.add(*SCHEMAS)
    with ExitStack() as stack:
        lease = stack.enter_context(store.lease())
        paths = layer_paths(store.root.path)
        work = _own_work(stack, paths.work, lease.id, Leases(store.root, store.database))
        locks = KeyLocks(store.root.path / "locks")
        own = msgspec.structs.replace(paths, work=work)
        layers = Layers(
            LayerTable(store.database),
            lease,
            own,
            locks=locks,
            cancelled=cancelled,
            before_writing=before_writing,
        )
        runtime = store.root.path / "runtime"
        runtime.mkdir(exist_ok=True)
        yield Workspace(
            store=store,
            daemon=daemon,
            lease=lease,
            layers=stack.enter_context(layers),
            paths=own,
            records=CacheRecords(store.database),
            digests=FileDigests(store.database),
            mounts=cache_mounts(store, locks, cancelled),
            locks=locks,
            runtime=runtime,
        )


def _own_work(stack: ExitStack, work: Path, lease: str, leases: Leases) -> Path:
    """A directory of this process for what may be lost, after what dead processes left has been removed."""
    for left in work.iterdir():
        if not leases.alive(left.name):
            clear_away(left)
    own = work / lease
    own.mkdir()
    stack.callback(clear_away, own)
    return own
