"""A scanner: a program in a container that lists what a file system holds.

Any image can be one that speaks BuildKit's protocol; the scanner that dockyard brings speaks it, too, except that
it writes bare documents. A scanner gets nothing but files to read: those of a foreign platform need no emulator.
Source: BuildKit's docs/attestations/sbom-protocol.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from builder.executor.mounts import KeptMount
from builder.graph import Exec
from builder.oci.digest import Digest, encode_json
from builder.platforms import host_platform
from builder.snapshot.layerdb import LayerID

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CORE: Final = "sbom"
"""What the result itself is called; everything else is `sbom-NAME`."""

SOURCE: Final = "/run/src/core/sbom"
EXTRAS: Final = "/run/src/extras"
DESTINATION: Final = "/run/out/"
TEMPORARY: Final = "/tmp"
_PREFIX: Final = "BUILDKIT_SCAN_"


class Scanner(msgspec.Struct, frozen=True, kw_only=True):
    """How a scanner is run, and what tells it from others.

    `name` is for people; scanners of equal `identity` make the same of the same files. `layers` are its own file
    system, lowest first, with `programs` shown in it. `writes_statements`: its files are in-toto statements, as
    the protocol wants; else bare SPDX documents, of which the random parts may be replaced.
    `takes_extras`: one run scans everything; else each file system has a run of its own.
    `memory` bounds its temporary files, in bytes; 0: as far as the machine goes.
    """

    name: str
    identity: tuple[str, ...]
    operation: Exec
    layers: tuple[LayerID, ...] = ()
    programs: tuple[KeptMount, ...] = ()
    writes_statements: bool = True
    takes_extras: bool = True
    memory: int = 0


class Scanned(msgspec.Struct, frozen=True, kw_only=True):
    """A file system to scan: its layers, lowest first. `name` is CORE or `extra_name(...)`."""

    name: str
    layers: tuple[LayerID, ...]


def extra_name(name: str) -> str:
    """What the context or a stage called `name` is called."""
    return f"{CORE}-{name}"


def image_scanner(
    name: str,
    digest: Digest,
    operation: Exec,
    layers: Sequence[LayerID],
    parameters: Iterable[tuple[str, str]],
) -> Scanner:
    """The scanner that the image `digest` is; `operation` runs its own command with its own environment."""
    variables = tuple((_PREFIX + key, value) for key, value in parameters)
    operation = msgspec.structs.replace(
        operation, platform=host_platform(), env=_merged((*operation.env, *variables))
    )
    return Scanner(
        name=name,
        identity=("image", str(digest), *(f"{key}={value}" for key, value in variables)),
        operation=operation,
        layers=tuple(layers),
    )


def prepared(scanner: Scanner, *, has_extras: bool) -> Exec:
    """The command of `scanner` as it runs, told where to read and where to write."""
    places = [(f"{_PREFIX}DESTINATION", DESTINATION), (f"{_PREFIX}SOURCE", SOURCE)]
    places += [(f"{_PREFIX}SOURCE_EXTRAS", EXTRAS)] if has_extras else []
    operation = scanner.operation
    return msgspec.structs.replace(operation, env=_merged((*operation.env, *places)))


def scan_key(scanner: Scanner, scanned: Sequence[tuple[str, Sequence[str]]]) -> Digest:
    """Names the result of a scan: of these file systems, each a name and its layers, by that scanner."""
    return Digest.of(encode_json(["sbom", _VERSION, list(scanner.identity), [[*each] for each in scanned]]))


_VERSION: Final = 2
"""Of the form in which results are remembered."""


def _merged(variables: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple(dict(variables).items())
