"""What can go wrong with a store.

StoreError
├── DamagedDatabase      the state root's database cannot be read
├── NewerState           a newer dockyard wrote the state root
├── BlobNotFound         a digest that the store has no blob for
├── DigestMismatch       bytes that are not what their digest or size says
├── ImageNotFound        a name that the store does not know
├── NoMatchingPlatform   an index without an image for the platform
├── InvalidLayout        an OCI layout or image archive that is damaged or hostile
└── DriverError          something that the selected image store cannot hold
"""

from __future__ import annotations

from builder.system.errors import DockyardError


class StoreError(DockyardError):
    """The store could not be read or written."""


class DamagedDatabase(StoreError):
    """The database is no database, or lost its structure."""


class NewerState(StoreError):
    """The state root belongs to a newer version of dockyard."""


class BlobNotFound(StoreError):
    """No blob of this digest is here."""


class DigestMismatch(StoreError):
    """A blob's bytes are not those which its digest or its size promises."""


class ImageNotFound(StoreError):
    """No image of this name is here."""


class NoMatchingPlatform(StoreError):
    """An image offers nothing for the platform."""


class InvalidLayout(StoreError):
    """A directory or archive is no OCI layout that dockyard can trust."""


class DriverError(StoreError):
    """The selected image store cannot hold what was asked for. Raised before any work starts."""
