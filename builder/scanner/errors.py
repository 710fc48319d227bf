"""What can be wrong with a scan.

ScanFailed          a scanner failed, took too long, or wrote what it must not write
"""

from __future__ import annotations

from builder.system.errors import DockyardError


class ScanFailed(DockyardError):
    """There is no result; nothing of it was kept."""
