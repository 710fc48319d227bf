"""What can go wrong before anything is built.

SourceError
├── ContextNotFound   nothing that could be the main context stands where the caller says
├── ImageNotFound     a name that a step needs stands for no image here, or for none of the platform
└── InvalidContext    a build context that cannot be used
"""

from __future__ import annotations

from builder.system.errors import DockyardError


class SourceError(DockyardError):
    """An input of the build could not be had."""


class ContextNotFound(SourceError):
    """The main context is not there."""


class ImageNotFound(SourceError):
    """A name stands for no image that can be used."""


class InvalidContext(SourceError):
    """A build context is not what it should be."""
