"""What a store cannot hold is refused before any work starts, in the words that people know from Docker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from builder.oci.manifest import is_index
from builder.store.errors import DriverError
from builder.store.imagegraph import is_attestation, platform_manifests, read_index

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.oci.descriptor import Descriptor
    from builder.platforms import Platform
    from builder.store.protocol import Capabilities, DocumentReader

MULTI_PLATFORM_REFUSED: Final = (
    "Multi-platform build is not supported for the {driver} driver.\n"
    "Switch to a different driver, or turn on the containerd image store, and try again.\n"
    "Learn more at https://docs.docker.com/go/build-multi-platform/"
)
ATTESTATION_REFUSED: Final = (
    "Attestation is not supported for the {driver} driver.\n"
    "Switch to a different driver, or turn on the containerd image store, and try again.\n"
    "Learn more at https://docs.docker.com/go/attestations/"
)
CACHE_EXPORT_REFUSED: Final = (
    "Cache export is not supported for the {driver} driver.\n"
    "Switch to a different driver, or turn on the containerd image store, and try again.\n"
    "Learn more at https://docs.docker.com/go/build-cache-backends/"
)


def require_multi_platform(capabilities: Capabilities, platforms: Sequence[Platform]) -> None:
    """Raises: DriverError for several platforms on a store that holds single-platform images only."""
    if len(set(platforms)) > 1 and not capabilities.multi_platform:
        raise DriverError(MULTI_PLATFORM_REFUSED.format(driver=capabilities.name))


def require_attestations(capabilities: Capabilities) -> None:
    """Raises: DriverError on a store that holds no attestations."""
    if not capabilities.attestations:
        raise DriverError(ATTESTATION_REFUSED.format(driver=capabilities.name))


def require_cache_export(capabilities: Capabilities) -> None:
    """Raises: DriverError for any cache but an inline one beside a store of single-platform images."""
    if not capabilities.multi_platform:
        raise DriverError(CACHE_EXPORT_REFUSED.format(driver=capabilities.name))


def require_storable(capabilities: Capabilities, reader: DocumentReader, target: Descriptor) -> None:
    """Raises: DriverError for an image that the store cannot hold; StoreError when it cannot be read."""
    if not is_index(target.media_type) or (capabilities.multi_platform and capabilities.attestations):
        return
    if any(is_attestation(each) for each in read_index(reader, target).manifests):
        require_attestations(capabilities)
    if len(list(platform_manifests(reader, target))) > 1 and not capabilities.multi_platform:
        raise DriverError(MULTI_PLATFORM_REFUSED.format(driver=capabilities.name))
