"""Garbage collection: what no image, lease or cache reaches goes.

Safe beside running builds. What is garbage is decided, and its rows are deleted, in one transaction, so a
build either gets what it asks for under its lease before, or finds it gone. Files go afterwards, and only
while no row can appear for them. A collection that is killed leaves files without rows, which the next one
finds. Source of the model: containerd's garbage collection, docs/garbage-collection.md.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from builder.oci.digest import Digest
from builder.store.leases import FLAT, Leases
from builder.store.tables import decode_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from builder.store.database import Database
    from builder.store.root import Root
    from builder.store.tables import Labels

_ROOT: Final = "containerd.io/gc.root"
_CONTENT: Final = "containerd.io/gc.ref.content"
_SNAPSHOT: Final = "containerd.io/gc.ref.snapshot."
_BATCH: Final = 200

_Key = tuple[str, str]
"""Namespace and digest of a content row."""


class SnapshotRemover(Protocol):
    """Whoever keeps snapshots: directories that images, leases and the cache name."""

    def names(self) -> Iterable[str]:
        """Every committed snapshot. Called inside the collection's transaction."""
        ...

    def forget(self, names: Collection[str]) -> None:
        """Takes them out of all tables, in the transaction: nobody may find them from its end on."""
        ...

    def remove(self, name: str) -> None:
        """Removes the files of one that was forgotten. One that is missing is no error."""
        ...


class NoSnapshots:
    """For a state root in which nothing was ever unpacked."""

    def names(self) -> Iterable[str]:
        """None."""
        return ()

    def forget(self, names: Collection[str]) -> None:
        """Nothing to forget."""

    def remove(self, name: str) -> None:
        """Nothing to remove."""


class Roots(msgspec.Struct, frozen=True):
    """What is kept besides images and leases, for example by the build cache."""

    content: frozenset[Digest] = frozenset()
    snapshots: frozenset[str] = frozenset()


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """What a collection removed; `size` in bytes of blobs."""

    blobs: int
    size: int
    snapshots: int
    leases: int


def no_roots() -> Roots:
    """Nothing is kept besides images and leases."""
    return Roots()


def collect(
    root: Root,
    database: Database,
    *,
    snapshots: SnapshotRemover,
    extra_roots: Callable[[], Roots] = no_roots,
) -> Collected:
    """Removes everything that nothing keeps, in all namespaces.

    `extra_roots` is asked inside the transaction. Raises: StoreError.
    """
    leases = Leases(root, database)
    ended = leases.end_dead()
    with database.write() as cursor:
        marked = _Marking(database, leases, extra_roots())
        cursor.executemany("DELETE FROM content WHERE namespace = ? AND digest = ?", marked.garbage())
        dead = sorted(set(snapshots.names()) - marked.snapshots)
        snapshots.forget(dead)
    for name in dead:
        snapshots.remove(name)
    sizes = list(_remove_files(root, database))
    return Collected(blobs=len(sizes), size=sum(sizes), snapshots=len(dead), leases=ended)


def kept_by_images(database: Database) -> dict[str, frozenset[Digest]]:
    """The digests of all content that each image reaches, by the image's name, in all namespaces."""
    kept: dict[str, frozenset[Digest]] = {}
    labels = _labels(database)
    for namespace, digest, name in database.read(
        "SELECT namespace, json_extract(target, '$.digest'), name FROM images ORDER BY name"
    ):
        reached = _Walk(labels)
        reached.follow([(namespace, digest)])
        kept[name] = kept.get(name, frozenset()) | {Digest(each) for _, each in reached.kept}
    return kept


class _Walk:
    """Follows the labels of content from one blob to those that it refers to."""

    def __init__(self, labels: dict[_Key, Labels]) -> None:
        self.labels = labels
        self.kept: set[_Key] = set()
        self.snapshots: set[str] = set()
        self._followed: set[_Key] = set()

    def follow(self, keys: Iterable[_Key]) -> None:
        """Keeps `keys`, and all that they reach."""
        pending = list(keys)
        while pending:
            key = pending.pop()
            if key in self._followed or key not in self.labels:
                continue
            self._followed.add(key)
            self.kept.add(key)
            for label, value in self.labels[key].items():
                if label == _CONTENT or label.startswith((f"{_CONTENT}.", f"{_CONTENT}/")):
                    pending.append((key[0], value))
                elif label.startswith(_SNAPSHOT):
                    self.snapshots.add(value)


def _labels(database: Database) -> dict[_Key, Labels]:
    return {
        (namespace, digest): decode_labels(labels)
        for namespace, digest, labels in database.read("SELECT namespace, digest, labels FROM content")
    }


class _Marking:
    """What is reachable, at the moment of its making."""

    def __init__(self, database: Database, leases: Leases, extra: Roots) -> None:
        self._walk = _Walk(_labels(database))
        labels = self._walk.labels
        self._walk.snapshots.update(extra.snapshots)
        self._walk.follow(_image_targets(database))
        self._walk.follow(key for key, found in labels.items() if _ROOT in found)
        self._walk.follow(key for key in labels if key[1] in extra.content)
        self._keep_leased(database, leases)

    @property
    def snapshots(self) -> set[str]:
        """Snapshots that something keeps."""
        return self._walk.snapshots

    def garbage(self) -> Iterator[_Key]:
        """Content rows that nothing keeps."""
        return (key for key in self._walk.labels if key not in self._walk.kept)

    def _keep_leased(self, database: Database, leases: Leases) -> None:
        by_id = {lease.id: lease for lease in leases.all()}
        for lease_id, kind, name in database.read("SELECT lease, kind, id FROM lease_resources"):
            lease = by_id[lease_id]
            if kind != "content":
                self._walk.snapshots.add(name)
            elif FLAT in lease.labels:
                self._walk.kept.add((lease.namespace, name))
            else:
                self._walk.follow([(lease.namespace, name)])


def _image_targets(database: Database) -> list[_Key]:
    return database.read("SELECT namespace, json_extract(target, '$.digest') FROM images")


def _remove_files(root: Root, database: Database) -> Iterator[int]:
    """Removes the files of blobs that no namespace knows; yields their sizes."""
    known = {digest[7:] for (digest,) in database.read("SELECT DISTINCT digest FROM content")}
    unknown = [name for name in os.listdir(root.blobs) if name not in known]
    for start in range(0, len(unknown), _BATCH):
        # No row can appear while this transaction lasts, because writers rename and record in theirs.
        with database.write():
            for name in unknown[start : start + _BATCH]:
                if not database.read("SELECT 1 FROM content WHERE digest = ?", (f"sha256:{name}",)):
                    # Another collector may have been faster.
                    with suppress(FileNotFoundError):
                        size = root.blob(name).stat().st_size
                        root.blob(name).unlink()
                        yield size
