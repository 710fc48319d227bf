"""Attestations of a build: which of those that were asked for there can be, and who makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from builder.oci.digest import Digest
from builder.store.admission import require_attestations
from exporter.errors import InvalidOutput
from exporter.outputs import DockerOutput, ExportOptions, ImageOutput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.api.options import BuildOptions
    from builder.api.provenance import Account
    from builder.api.witness import Witness
    from builder.progress.stream import Stream
    from builder.store.protocol import Capabilities
    from exporter.attest.source import AttestationSource
    from exporter.outputs import Output


def is_explicit(options: BuildOptions) -> bool:
    """Whether somebody asked for an attestation that is worth an index of its own."""
    provenance = options.provenance
    asked = provenance is not None and not provenance.implied and not provenance.inline_only
    return asked or options.sbom is not None


def makes_index(output: Output, options: BuildOptions) -> bool:
    """Whether the image of `output` is an index because of what is attested, even for one platform."""
    if not isinstance(output, ExportOptions) or output.docker_types:
        return False
    if options.provenance is None and options.sbom is None:
        return False
    return _keeps_inline(output, several=False) or is_explicit(options)


def admitted(options: BuildOptions, capabilities: Capabilities) -> BuildOptions:
    """`options` without the provenance that nobody asked for, where the store holds no attestations.

    Raises: DriverError for attestations that somebody did ask for.
    """
    provenance = options.provenance
    if capabilities.attestations or (provenance is None and options.sbom is None):
        return options
    if options.sbom is not None or (provenance is not None and not provenance.implied):
        require_attestations(capabilities)
    return msgspec.structs.replace(options, provenance=None)


def worthwhile(options: BuildOptions, outputs: Sequence[Output], *, several: bool) -> BuildOptions:
    """`options` without provenance that none of `outputs` would keep; `several`: each makes an index anyway."""
    provenance = options.provenance
    if provenance is None or not provenance.inline_only:
        return options
    if any(_keeps_inline(output, several=several) for output in outputs):
        return options
    return msgspec.structs.replace(options, provenance=None)


def _keeps_inline(output: Output, *, several: bool) -> bool:
    if not isinstance(output, ExportOptions) or output.docker_types:
        return False
    return several or output.attestation_inline or isinstance(output, ImageOutput)


def require_attestable(output: Output, options: BuildOptions) -> None:
    """Raises: InvalidOutput for an output that cannot hold the attestations that were asked for."""
    if not is_explicit(options) or not isinstance(output, ExportOptions):
        return
    if output.docker_types:
        raise InvalidOutput('cannot export attestations with "oci-mediatypes=false"')
    if isinstance(output, DockerOutput):
        raise InvalidOutput(
            "docker exporter does not currently support exporting manifest lists, use the oci exporter instead"
        )


def attestation_sources(
    options: BuildOptions, witness: Witness, account: Account | None, stream: Stream
) -> Sequence[AttestationSource]:
    """Who says something about the build, in the order in which it is said."""
    sources: list[AttestationSource] = []
    if options.provenance is not None and account is not None:
        from builder.api.provenance import ProvenanceSource

        sources.append(ProvenanceSource(options.provenance, account))
        if witness.checkout() is None and witness.trouble:
            stream.warning(
                Digest.of(b"provenance"),
                f"current commit information was not captured by the build: {witness.trouble}",
            )
    return sources
