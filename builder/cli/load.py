"""`dockyard load`: images from an OCI layout or archive, or from a Docker archive, into the active store."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from builder.cli.settings import driver_option, open_images
from builder.system.errors import UsageError

if TYPE_CHECKING:
    from builder.cli.settings import Settings
    from builder.store.layout.reader import LayoutReader

_STANDARD_INPUT: Final = "-"


@click.command("load")
@click.option(
    "-i", "--input", "source", metavar="PATH", default=_STANDARD_INPUT, help="Archive or directory."
)
@click.option(
    "-t", "--tag", "names", metavar="NAME", multiple=True, help="Name it so, not as the archive says."
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing.")
@driver_option
@click.pass_obj
def command(
    settings: Settings, /, source: str, names: tuple[str, ...], driver: str | None, *, quiet: bool
) -> None:
    """Take images from an archive or a layout directory into the active store.

    Without -i the archive is read from standard input. All of its images get into the store, or none; signatures
    that are damaged are left out.
    """
    from builder.cli.report import print_line
    from builder.oci.reference import parse_reference

    references = tuple(parse_reference(name) for name in names)
    with open_images(settings, driver) as service, _open(source, settings.root) as archive:
        loaded = service.load(archive, references)
    for warning in loaded.warnings:
        print_line(f"WARNING: {warning}")
    for image in () if quiet else loaded.images:
        click.echo(f"Loaded image: {parse_reference(image.name).familiar}")


def _open(source: str, scratch: Path) -> LayoutReader:
    from builder.store.layout.files import open_archive
    from builder.store.layout.reader import open_layout, read_layout

    if source != _STANDARD_INPUT:
        return open_layout(Path(source), scratch=scratch)
    if sys.stdin.isatty():
        raise UsageError("requested load from stdin, but stdin is a terminal", hint="name an archive with -i")
    return read_layout(open_archive(sys.stdin.buffer, scratch=scratch), origin="standard input")
