"""Whether SBOMs can be made here, for `dockyard doctor`."""

from __future__ import annotations

import subprocess
from typing import Final

from builder.executor.checks import Check
from builder.scanner.syft import find_syft
from builder.system.errors import DockyardError

_NAME: Final = "scanner"
_SECONDS: Final = 20


def check_scanner() -> Check:
    """Whether the scanner that comes along is there and runs."""
    try:
        program = find_syft()
    except DockyardError as error:
        return Check(name=_NAME, ok=False, detail=error.message, remedy=error.hint or "")
    try:
        subprocess.run([program.path, "version"], capture_output=True, check=True, timeout=_SECONDS, env={})
    except (OSError, subprocess.SubprocessError) as error:
        return Check(
            name=_NAME,
            ok=False,
            detail=f"{program.path} does not run: {error}",
            remedy="choose a scanner image for SBOMs: --sbom=generator=IMAGE",
        )
    return Check(name=_NAME, ok=True, detail=f"syft {program.version} ({program.path})")
