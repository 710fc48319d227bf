"""Extended attributes that belong to a file rather than to the machine it lies on.

Security labels, access lists and overlay marks describe the host; a file's capabilities describe the file. What is
dropped here neither counts for cache keys nor is copied. Source: the content hash rules of BuildKit.
"""

from __future__ import annotations

from typing import Final, TypeAlias

Xattrs: TypeAlias = tuple[tuple[str, bytes], ...]

_CAPABILITY: Final = "security.capability"
_FOREIGN: Final = ("security.", "system.", "trusted.overlay.", "user.overlay.")


def portable(xattrs: Xattrs) -> Xattrs:
    """Those of `xattrs` that go where the file goes, sorted by name."""
    return tuple(
        sorted(pair for pair in xattrs if pair[0] == _CAPABILITY or not pair[0].startswith(_FOREIGN))
    )
