"""`dockyard cache import`: cache mounts of another state root, from an archive."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from builder.cli.build_values import unpack_limits
from builder.system.errors import UsageError

if TYPE_CHECKING:
    from builder.cache.mounts import Put
    from builder.cache.mounttable import MountRow
    from builder.cli.settings import Settings

_STANDARD_INPUT: Final = "-"
_KEPT: Final[dict[Put, str]] = {
    "newer": "was used here since, and stays; --force replaces it",
    "in use": "is in use, and stays",
}


@click.command("import")
@click.option("-f", "--force", is_flag=True, help="Replace mounts that are newer here, too.")
@click.argument("file", metavar="FILE|-")
@click.pass_obj
def command(settings: Settings, /, file: str, *, force: bool) -> None:
    """Take cache mounts from an archive that `dockyard cache export` wrote.

    They get the names that they had, so the same steps find them. Of a damaged archive none is taken.
    """
    from builder.cache.inventory import mount_id
    from builder.cli.report import print_line

    done = _import(settings, file, force=force)
    for row, result in done:
        if result in _KEPT:
            print_line(f"WARNING: the cache mount {mount_id(row.name)} {_KEPT[result]}")
    print_line(f"Imported cache mounts: {sum(result == 'put' for _, result in done)}")


def _import(settings: Settings, file: str, *, force: bool) -> tuple[tuple[MountRow, Put], ...]:
    from builder.api.mountmoving import import_mounts

    limits = unpack_limits(os.environ)
    if file != _STANDARD_INPUT:
        with Path(file).open("rb") as archive:
            return import_mounts(settings.root, archive, force=force, limits=limits)
    if sys.stdin.isatty():
        raise UsageError("there is no archive on standard input, which is a terminal", hint="name a file")
    with open(sys.stdin.fileno(), "rb", closefd=False) as archive:
        return import_mounts(settings.root, archive, force=force, limits=limits)
