"""Who says something about an image: the seam between a build and what it can attest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.assemble import Layer
    from exporter.attest.statement import Attestation


class AttestationSource(Protocol):
    """Makes attestations of one build, whose graph has been solved.

    Asked once for every output and platform; what costs something is worth remembering between the calls.
    """

    def attestations(self, target: int, layers: Sequence[Layer] | None) -> Sequence[Attestation]:
        """What there is to say about the result at position `target` among those of the build.

        `layers` are its blobs as the output has them, lowest first; None: the output has files, not layers.
        Raises: DockyardError, Cancelled.
        """
        ...
