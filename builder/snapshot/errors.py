"""What can go wrong with file systems and layers.

SnapshotError
├── PathNotFound         a path that a step names is not there
├── PathConflict         a file stands where a directory is needed, or the reverse
├── UnsafePath           a path that would leave its root, or names something that may not be read
├── InvalidLayer         a layer archive that is damaged or hostile
├── ArchiveTooLarge      an archive holds more than it may
└── ContentChanged       a file of the context changed while the build was reading it
"""

from __future__ import annotations

from builder.system.errors import DockyardError


class SnapshotError(DockyardError):
    """A file system or layer could not be read or made."""


class PathNotFound(SnapshotError):
    """Nothing stands at a path that a step needs."""


class PathConflict(SnapshotError):
    """The kind of thing that stands at a path does not allow the step."""


class UnsafePath(SnapshotError):
    """A path leads out of its root or to something that must not be opened."""


class InvalidLayer(SnapshotError):
    """A layer archive is damaged, or tries to do what no layer may."""


class ArchiveTooLarge(SnapshotError):
    """An archive holds more than the caller allows."""


class ContentChanged(SnapshotError):
    """A file changed between being listed and being read."""
