"""An image output: into a store, embedded or a daemon's, and to the registries of its names.

An image that is stored and pushed is stored first, so that what a registry refuses can be pushed again. One that
may be incomplete is pushed first, because what the registry has need not come here at all.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from builder.oci.reference import Reference
from builder.platforms import host_platform
from builder.registry.nearby import NearbyFirst
from builder.store.containerd.address import Address
from builder.store.imagegraph import PARTIAL
from builder.system.errors import Cancelled, DockyardError
from exporter.image import image_names, store_image, uncompressed_labels, write_image

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from builder.api.destinations import Destinations
    from builder.api.metering import Meter
    from builder.api.signing import ImageSigner
    from builder.api.workspace import Workspace
    from builder.oci.descriptor import Descriptor
    from builder.oci.digest import Digest
    from builder.platforms import Platform
    from builder.store.containerd.store import ContainerdStore
    from exporter.assemble import Assembled
    from exporter.attest.signing.carriers import Carrier
    from exporter.outputs import ImageOutput

_DANGLING: Final = "moby-dangling"
"""What Docker calls images without a name at a daemon, where nothing but a name keeps an image."""


class ImageDelivery:
    """Delivers one output. `Raises` of its methods: DockyardError, Cancelled."""

    def __init__(
        self,
        output: ImageOutput,
        workspace: Workspace,
        destinations: Destinations,
        *,
        signer: ImageSigner | None,
        trees: Callable[[Platform], None],
        part: Callable[[Digest, str], AbstractContextManager[Meter]],
    ) -> None:
        """`signer` signs the image; `trees` unpacks a platform here; `part` shows a part of a vertex."""
        self._output = output
        self._workspace = workspace
        self._destinations = destinations
        self._signer = signer
        self._trees = trees
        self._part = part
        self._daemon = self._chosen_daemon()

    @property
    def layers_may_be_absent(self) -> bool:
        """Whether layers of base images need not be here: because a registry has them in the end, or a daemon."""
        return self.pushes_first or (
            self._output.store and self._daemon is not None and not self._output.push
        )

    @property
    def pushes_first(self) -> bool:
        """Whether what the registry has need not be in the store."""
        output = self._output
        kept_here = output.store and self._daemon is None
        return output.push and (
            not output.store or (kept_here and output.allow_incomplete and not output.unpack)
        )

    def names(self, root: Descriptor) -> tuple[str, ...]:
        """What the image below `root` is called in the store; nothing when it is not stored."""
        if not self._output.store:
            return ()
        names = image_names(self._output, root)
        return names if names or self._daemon is None else (f"{_DANGLING}@{root.digest}",)

    def keep_first(self, assembled: Assembled, vertex: Digest) -> None:
        """Stores the image, then pushes it."""
        if self._output.store:
            self._keep(assembled, vertex)
        if self._output.push:
            self._push(assembled, vertex)

    def push_first(self, assembled: Assembled, vertex: Digest, *, complete: Callable[[], object]) -> None:
        """Pushes the image, then stores what is here of it.

        When the push fails, `complete` brings the rest, and all is stored, so that it can be pushed again.
        """
        try:
            self._push(assembled, vertex)
        except Cancelled:
            raise
        except DockyardError:
            if self._output.store:
                with suppress(DockyardError):
                    complete()
                    self._keep(assembled, vertex)
            raise
        if self._output.store:
            self._keep(assembled, vertex, incomplete=True)

    def _chosen_daemon(self) -> ContainerdStore | None:
        match self._output.place:
            case Address() as address:
                return self._destinations.daemons[address]
            case None:
                return self._workspace.daemon
        return None

    def _push(self, assembled: Assembled, vertex: Digest) -> None:
        pusher = self._destinations.pusher
        assert pusher is not None
        write_image(assembled, self._workspace.lease.content, incomplete=self.pushes_first)
        self._sign(assembled)
        digest = assembled.root.digest
        for name in self._output.references:
            wanted = Reference(name.domain, name.path, digest=digest) if self._output.by_digest else name
            pusher.push(assembled.root, wanted, insecure=self._output.insecure, vertex=vertex)

    def _keep(self, assembled: Assembled, vertex: Digest, *, incomplete: bool = False) -> None:
        names = self.names(assembled.root)
        label = f"naming to {', '.join(names)}" if names else "storing image"
        with self._part(vertex, label) as kept:
            if self._daemon is None:
                images = self._workspace.store.images
                store_image(assembled, self._workspace.lease, images, names=names, incomplete=incomplete)
                self._note_rest(assembled, incomplete=incomplete)
                self._sign(assembled)
            else:
                self._send(assembled, self._daemon, kept)
        if self._output.unpack:
            with self._part(vertex, "unpacking"):
                self._unpack(assembled)

    def _note_rest(self, assembled: Assembled, *, incomplete: bool) -> None:
        """Says with the root where the layers are that did not come here."""
        content = self._workspace.lease.content
        layers = (layer for platform in assembled.platforms for layer in platform.layers)
        whole = not incomplete or all(content.has(layer.descriptor.digest) for layer in layers)
        rest = "" if whole else self._output.references[0].repository
        content.update_labels(assembled.root.digest, {PARTIAL: rest})

    def _send(self, assembled: Assembled, daemon: ContainerdStore, kept: Meter) -> None:
        from builder.store.transfer import copy_image

        content = self._workspace.lease.content
        write_image(assembled, content, incomplete=self.layers_may_be_absent)
        copy_image(
            NearbyFirst(content, lambda: self._destinations.origins),
            assembled.root,
            daemon,
            names=self.names(assembled.root),
            labels=uncompressed_labels(assembled),
            progress=lambda _, done: kept.report(done),
        )
        if self._signer is not None:
            self._signer.keep(daemon, assembled.root, self._sign(assembled))

    def _sign(self, assembled: Assembled) -> tuple[Carrier, ...]:
        """Signs the image, whose documents are in the state root; doing so again changes nothing."""
        if self._signer is None:
            return ()
        names = self._output.references
        return self._signer.sign(self._workspace.lease.content, assembled.root, names[0] if names else None)

    def _unpack(self, assembled: Assembled) -> None:
        """Makes what the image has for this machine ready to run."""
        if self._daemon is None:
            self._trees(host_platform())
        else:
            self._daemon.unpack(assembled.root, host_platform())
