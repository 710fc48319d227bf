"""`dockyard cache export`: cache mounts as one archive, for another state root."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from builder.cli.cache_filters import FILTER_OPTION, read_filters
from builder.system.errors import UsageError

if TYPE_CHECKING:
    from builder.api.mountmoving import Exported
    from builder.cli.settings import Settings
    from builder.oci.mediatypes import Compression

_STANDARD_OUTPUT: Final = "-"
_COMPRESSIONS: Final[dict[str, Compression]] = {
    ".zst": "zstd",
    ".zstd": "zstd",
    ".tzst": "zstd",
    ".gz": "gzip",
    ".tgz": "gzip",
}


@click.command("export")
@FILTER_OPTION
@click.argument("file", metavar="FILE|-")
@click.pass_obj
def command(settings: Settings, /, filters: tuple[str, ...], file: str) -> None:
    """Write cache mounts to an archive, which `dockyard cache import` takes elsewhere.

    A name that ends with .zst or .gz says how it is compressed. Mounts that a build uses are left out.
    """
    from builder.cache.inventory import mount_id
    from builder.cli.report import print_line
    from builder.store.layout.output import output_file

    if file == _STANDARD_OUTPUT and sys.stdout.isatty():
        raise UsageError("refusing to write an archive to a terminal", hint="name a file or redirect")
    if file == _STANDARD_OUTPUT:
        exported = _export(settings, sys.stdout.fileno(), "uncompressed", filters)
    else:
        with output_file(Path(file)) as fd:
            exported = _export(settings, fd, _COMPRESSIONS.get(Path(file).suffix, "uncompressed"), filters)
    for row in exported.in_use:
        print_line(f"WARNING: the cache mount {mount_id(row.name)} is in use and was left out")
    print_line(f"Exported cache mounts: {len(exported.mounts)}")


def _export(settings: Settings, fd: int, compression: Compression, filters: tuple[str, ...]) -> Exported:
    from builder.api.mountmoving import export_mounts

    wanted = read_filters(filters)
    with open(fd, "wb", buffering=0, closefd=False) as sink:
        return export_mounts(
            settings.root, sink, compression, filters=wanted.filters, unused_seconds=wanted.seconds
        )
