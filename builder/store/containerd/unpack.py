"""An image's layers as snapshots of the daemon, so that a container starts without waiting for them.

The daemon mounts and unpacks; that it unpacked what the config promises is checked here before the snapshot
gets its name. Labels keep the snapshots for as long as the config is there.
Source: containerd, `core/unpack` and `rootfs.ApplyLayers`.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from builder.oci.digest import chain_id
from builder.oci.manifest import InvalidDocument
from builder.store.containerd import methods
from builder.store.containerd.errors import AlreadyExists, NotFound
from builder.store.errors import DigestMismatch, StoreError

if TYPE_CHECKING:
    from builder.oci.descriptor import Descriptor
    from builder.oci.digest import DiffID
    from builder.store.containerd.connection import Connection
    from builder.store.containerd.writer import ContainerdWriter
    from builder.store.imagegraph import PlatformManifest

_DEFAULT: Final = "overlayfs"
_DEFAULT_LABEL: Final = "containerd.io/defaults/snapshotter"
_SNAPSHOT: Final = "containerd.io/gc.ref.snapshot"
_UNCOMPRESSED: Final = "containerd.io/uncompressed"


def default_snapshotter(connection: Connection) -> str:
    """The snapshotter that the namespace's label names, else containerd's own default."""
    try:
        namespace = connection.call(methods.NAMESPACE_GET, name=connection.address.namespace).namespace
    except NotFound:
        return _DEFAULT
    return namespace.labels.get(_DEFAULT_LABEL, _DEFAULT)


class Unpacker:
    """Unpacks under one lease, with one snapshotter."""

    def __init__(
        self, connection: Connection, content: ContainerdWriter, *, lease: str, snapshotter: str
    ) -> None:
        self._connection = connection
        self._content = content
        self._lease = lease
        self._snapshotter = snapshotter

    def unpack(self, image: PlatformManifest) -> None:
        """Makes a snapshot of each stack of layers that the image has; costs little for those there are.

        Raises: InvalidDocument for an image that contradicts itself; DigestMismatch for a layer that is not
        what the config says; StoreError.
        """
        diff_ids, layers = image.config.diff_ids, image.manifest.layers
        if len(diff_ids) != len(layers):
            raise InvalidDocument(
                f"image {image.descriptor.digest} is inconsistent: {len(layers)} layers, {len(diff_ids)} diff ids"
            )
        if not layers:
            return
        parent = ""
        for number, layer in enumerate(layers):
            chain = chain_id(diff_ids[: number + 1])
            if not self._is_there(chain):
                self._unpack(layer, diff_ids[number], parent=parent, chain=chain)
            self._content.update_labels(layer.digest, {_UNCOMPRESSED: diff_ids[number]})
            parent = chain
        self._content.update_labels(
            image.manifest.config.digest, {f"{_SNAPSHOT}.{self._snapshotter}": parent}
        )

    def _is_there(self, chain: str) -> bool:
        """Whether the snapshot exists; if so, the lease keeps it."""
        kept = {"type": f"snapshots/{self._snapshotter}", "id": chain}
        self._connection.call(methods.LEASE_ADD, id=self._lease, resource=kept)
        try:
            self._connection.call(methods.SNAPSHOT_STAT, snapshotter=self._snapshotter, key=chain)
        except NotFound:
            return False
        return True

    def _unpack(self, layer: Descriptor, diff_id: DiffID, *, parent: str, chain: str) -> None:
        key = f"extract-dockyard-{os.urandom(8).hex()} {chain}"
        mounts = self._connection.call(
            methods.SNAPSHOT_PREPARE,
            lease=self._lease,
            snapshotter=self._snapshotter,
            key=key,
            parent=parent,
        ).mounts
        try:
            self._apply(layer, diff_id, mounts)
            self._connection.call(
                methods.SNAPSHOT_COMMIT, lease=self._lease, snapshotter=self._snapshotter, name=chain, key=key
            )
        except AlreadyExists:
            # Somebody else unpacked the same layer meanwhile.
            self._remove(key)
        except BaseException:
            with suppress(StoreError):
                self._remove(key)
            raise

    def _apply(self, layer: Descriptor, diff_id: DiffID, mounts: object) -> None:
        diff = {"media_type": layer.media_type, "digest": layer.digest, "size": layer.size}
        applied = self._connection.call(
            methods.DIFF_APPLY, lease=self._lease, deadline=None, diff=diff, mounts=mounts
        ).applied
        if applied.digest != diff_id:
            raise DigestMismatch(
                f"layer {layer.digest} unpacks to {applied.digest}, but the image's config says {diff_id}"
            )

    def _remove(self, key: str) -> None:
        self._connection.call(methods.SNAPSHOT_REMOVE, snapshotter=self._snapshotter, key=key)
