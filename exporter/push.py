"""The seam to registries: what an export asks of whoever can push.

The exporter knows when an image is whole and what it is called; how it travels, and with whose credentials, is
not its business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from builder.oci.descriptor import Descriptor
    from builder.oci.digest import Digest
    from builder.oci.reference import Reference


class Pusher(Protocol):
    """Sends images of the store to registries."""

    def takes_artifacts(self, name: Reference, *, insecure: bool) -> bool:
        """Whether nothing is known against manifests with a subject and an empty config at the repository.

        Raises: DockyardError.
        """
        ...

    def push(self, root: Descriptor, name: Reference, *, insecure: bool, vertex: Digest) -> None:
        """Sends the image below `root`, whose documents are in the store, to the repository of `name`.

        It gets the tag of `name`, or none if that has only a digest. `insecure`: plain HTTP, and TLS that
        nobody vouches for, are good enough. Progress is shown as part of `vertex`. Raises: DockyardError.
        """
        ...
