"""`dockyard load`: images from an OCI layout or archive, or from a Docker archive, into the active store."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from builder.cli.settings import open_images
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
@click.pass_obj
def command(settings: Settings, /, source: str, names: tuple[str, ...], *, quiet: bool) -> None:
    """Take images from an archive or a layout directory into the active store.

    Without -i the archive is read from standard input. All of it gets into the store, or nothing.
    """
    from builder.api.signing import adopt_signatures
    from builder.oci.reference import parse_reference
    from builder.store.layout.importer import import_layout, load_layout
    from exporter.attest.signing.places import LayoutPlace

    references = tuple(parse_reference(name) for name in names)
    with open_images(settings) as store, _open(source, settings.root) as reader:
        images = import_layout(store, reader, names=references) if references else load_layout(store, reader)
        adopt_signatures(store, LayoutPlace(reader), [image.target for image in images])
    for image in () if quiet else images:
        click.echo(f"Loaded image: {parse_reference(image.name).familiar}")


def _open(source: str, scratch: Path) -> LayoutReader:
    from builder.store.layout.files import open_archive
    from builder.store.layout.reader import open_layout, read_layout

    if source != _STANDARD_INPUT:
        return open_layout(Path(source), scratch=scratch)
    if sys.stdin.isatty():
        raise UsageError("requested load from stdin, but stdin is a terminal", hint="name an archive with -i")
    return read_layout(open_archive(sys.stdin.buffer, scratch=scratch), origin="standard input")
