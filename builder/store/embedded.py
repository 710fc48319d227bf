"""The embedded store: content, images and leases of one namespace, in the state root's own files.

It needs no daemon: every process that opens the root is the store. Opening also takes away what dead
processes left, so that whatever was killed, the next command finds things in order.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from builder.store.admission import require_storable
from builder.store.content import Content, ContentStore
from builder.store.images import Images
from builder.store.leases import Leases

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from builder.store.database import Database
    from builder.store.protocol import Capabilities
    from builder.store.root import Root
    from builder.store.tables import Labels


class EmbeddedLease:
    """Keeps what its owner writes and uses (`builder.store.protocol.Lease`)."""

    def __init__(self, lease: str, content: ContentStore, leases: Leases) -> None:
        self.id = lease
        self.content = content
        self._leases = leases

    def keep_snapshots(self, names: Iterable[str]) -> None:
        """Keeps these committed snapshots, too."""
        self._leases.add(self.id, "snapshots/dockyard", names)


class EmbeddedStore:
    """One namespace of a state root (`builder.store.protocol.Store`).

    The database is the caller's, because other rooms keep their tables in it; the caller closes it.
    """

    def __init__(self, root: Root, database: Database, namespace: str, capabilities: Capabilities) -> None:
        self.root = root
        self.database = database
        self.namespace = namespace
        self.capabilities = capabilities
        self.content = Content(root, database, namespace)
        self.images = Images(
            database,
            namespace,
            require_storable=lambda target: require_storable(capabilities, self.content, target),
        )
        self._leases = Leases(root, database)
        self._leases.end_dead()

    @property
    def identity(self) -> str:
        """The state root and the namespace in it."""
        return f"{self.root.path.resolve()}#{self.namespace}"

    @contextmanager
    def lease(self, labels: Labels | None = None) -> Iterator[EmbeddedLease]:
        """A lease for the length of a `with` block; dies with this process, however it dies."""
        with self._leases.hold(self.namespace, labels or {}) as lease:
            content = ContentStore(self.root, self.database, self.namespace, lease=lease)
            yield EmbeddedLease(lease, content, self._leases)

    def close(self) -> None:
        """Closes the database."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
