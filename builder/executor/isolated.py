"""Starting a module of this package in an interpreter of its own.

Isolated: no module is taken from the working directory or from environment variables, since both may belong
to whoever wrote the build context; and without site-packages, which nothing that is started like this needs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

ENVIRONMENT: Final = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}

_PACKAGES: Final = str(Path(__file__).resolve().parents[2])


def command(module: str, *arguments: str) -> list[str]:
    """The command that calls `main()` of `builder.executor.<module>`, which finds `arguments` in sys.argv."""
    program = (
        f"import sys; sys.path.insert(0, {_PACKAGES!r}); from builder.executor.{module} import main; main()"
    )
    return [sys.executable, "-I", "-S", "-c", program, *arguments]
