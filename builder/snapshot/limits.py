"""How much an archive may hold: what stops a bomb before it fills the disk or the memory."""

from __future__ import annotations

from typing import Final

import msgspec

from builder.snapshot.errors import ArchiveTooLarge

SIZE_VARIABLE: Final = "DOCKYARD_UNPACK_SIZE"
MEMBERS_VARIABLE: Final = "DOCKYARD_UNPACK_MEMBERS"


class UnpackLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What ADD and an archive as a context may make: `size` in bytes of all files together, `members` in number.

    The defaults are larger than any source tree, and small enough for a usual disk and memory.
    """

    size: int = 64 << 30
    members: int = 2_000_000


DEFAULT_LIMITS: Final = UnpackLimits()


class Meter:
    """Counts what comes out of one archive."""

    def __init__(self, limits: UnpackLimits) -> None:
        self._limits = limits
        self._size = 0
        self._members = 0

    def add_member(self, size: int) -> None:
        """One more member, with a file of `size` bytes. Raises: ArchiveTooLarge, before any of it is written."""
        self._size += size
        self._members += 1
        if self._size > self._limits.size:
            raise ArchiveTooLarge(
                f"the archive holds more than {self._limits.size} bytes of files",
                hint=f"if it is meant to, set {SIZE_VARIABLE} to a larger size",
            )
        if self._members > self._limits.members:
            raise ArchiveTooLarge(
                f"the archive has more than {self._limits.members} members",
                hint=f"if it is meant to, set {MEMBERS_VARIABLE} to a larger number",
            )
