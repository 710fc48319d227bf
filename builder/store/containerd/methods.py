"""The calls that dockyard makes, each with the fields of its answer that are read here.

The classes below are what type checkers know of messages whose real classes come out of `api/*.proto`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Answer_co = TypeVar("Answer_co", covariant=True)


class Method(msgspec.Struct, Generic[Answer_co], frozen=True):
    """A method of a service; `Answer_co` is what it answers, each of them if it answers a stream."""

    service: str
    name: str

    @property
    def path(self) -> str:
        """As it stands in a request."""
        return f"/{self.service}/{self.name}"


class Time(Protocol):
    """A point in time."""

    seconds: int
    nanos: int


class TargetFields(Protocol):
    """A descriptor."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str]


class BlobFields(Protocol):
    """A blob."""

    digest: str
    size: int
    created_at: Time
    updated_at: Time
    labels: Mapping[str, str]


class BlobAnswer(Protocol):
    """One blob."""

    info: BlobFields


class BlobsAnswer(Protocol):
    """Some of the blobs."""

    info: Iterable[BlobFields]


class ChunkAnswer(Protocol):
    """Some of the bytes of a blob."""

    data: bytes


class WriteAnswer(Protocol):
    """How far a writer is."""

    offset: int
    digest: str


class ImageFields(Protocol):
    """An image."""

    name: str
    labels: Mapping[str, str]
    target: TargetFields
    created_at: Time
    updated_at: Time


class ImageAnswer(Protocol):
    """One image."""

    image: ImageFields


class ImagesAnswer(Protocol):
    """All images."""

    images: Iterable[ImageFields]


class LeaseFields(Protocol):
    """A lease."""

    id: str
    labels: Mapping[str, str]


class LeasesAnswer(Protocol):
    """Some leases."""

    leases: Iterable[LeaseFields]


class ResourceFields(Protocol):
    """Something that a lease keeps."""

    id: str
    type: str


class ResourcesAnswer(Protocol):
    """All that a lease keeps."""

    resources: Iterable[ResourceFields]


class MountsAnswer(Protocol):
    """Mounts, which go back to the daemon as they came."""

    mounts: Iterable[object]


class AppliedAnswer(Protocol):
    """What was unpacked."""

    applied: TargetFields


class NamespaceFields(Protocol):
    """A namespace."""

    name: str
    labels: Mapping[str, str]


class NamespaceAnswer(Protocol):
    """One namespace."""

    namespace: NamespaceFields


class NamespacesAnswer(Protocol):
    """All namespaces."""

    namespaces: Iterable[NamespaceFields]


class VersionAnswer(Protocol):
    """Who answers."""

    version: str


_CONTENT: Final = "containerd.services.content.v1.Content"
_IMAGES: Final = "containerd.services.images.v1.Images"
_LEASES: Final = "containerd.services.leases.v1.Leases"
_NAMESPACES: Final = "containerd.services.namespaces.v1.Namespaces"
_SNAPSHOTS: Final = "containerd.services.snapshots.v1.Snapshots"

CONTENT_INFO: Final = Method[BlobAnswer](_CONTENT, "Info")
CONTENT_UPDATE: Final = Method[BlobAnswer](_CONTENT, "Update")
CONTENT_LIST: Final = Method[BlobsAnswer](_CONTENT, "List")
CONTENT_DELETE: Final = Method[None](_CONTENT, "Delete")
CONTENT_READ: Final = Method[ChunkAnswer](_CONTENT, "Read")
CONTENT_WRITE: Final = Method[WriteAnswer](_CONTENT, "Write")
CONTENT_ABORT: Final = Method[None](_CONTENT, "Abort")

IMAGE_GET: Final = Method[ImageAnswer](_IMAGES, "Get")
IMAGE_LIST: Final = Method[ImagesAnswer](_IMAGES, "List")
IMAGE_CREATE: Final = Method[ImageAnswer](_IMAGES, "Create")
IMAGE_UPDATE: Final = Method[ImageAnswer](_IMAGES, "Update")
IMAGE_DELETE: Final = Method[None](_IMAGES, "Delete")

LEASE_CREATE: Final = Method[None](_LEASES, "Create")
LEASE_DELETE: Final = Method[None](_LEASES, "Delete")
LEASE_LIST: Final = Method[LeasesAnswer](_LEASES, "List")
LEASE_ADD: Final = Method[None](_LEASES, "AddResource")
LEASE_RESOURCES: Final = Method[ResourcesAnswer](_LEASES, "ListResources")

SNAPSHOT_PREPARE: Final = Method[MountsAnswer](_SNAPSHOTS, "Prepare")
SNAPSHOT_COMMIT: Final = Method[None](_SNAPSHOTS, "Commit")
SNAPSHOT_REMOVE: Final = Method[None](_SNAPSHOTS, "Remove")
SNAPSHOT_STAT: Final = Method[object](_SNAPSHOTS, "Stat")

DIFF_APPLY: Final = Method[AppliedAnswer]("containerd.services.diff.v1.Diff", "Apply")
NAMESPACE_GET: Final = Method[NamespaceAnswer](_NAMESPACES, "Get")
NAMESPACE_LIST: Final = Method[NamespacesAnswer](_NAMESPACES, "List")
VERSION: Final = Method[VersionAnswer]("containerd.services.version.v1.Version", "Version")
