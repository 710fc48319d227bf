"""What can go wrong before anything is built.

SourceError
├── ImageNotFound     a name that a step needs stands for no image here, or for none of the platform
└── InvalidContext    a build context that cannot be used
"""

from __future__ import annotations

from builder.system.errors import DockyardError


class SourceError(DockyardError):
    """An input of the build could not be had."""


class ImageNotFound(SourceError):
    """A name stands for no image that can be used."""


class InvalidContext(SourceError):
    """A build context is not what it should be."""
