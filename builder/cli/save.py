"""`dockyard save`: images of the active store as one OCI archive, which docker, podman and skopeo read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from builder.cli.settings import open_images
from builder.system.errors import UsageError

if TYPE_CHECKING:
    from builder.cli.settings import Settings

_STANDARD_OUTPUT: Final = "-"


@click.command("save")
@click.option("-o", "--output", metavar="FILE", default=_STANDARD_OUTPUT, help="The archive to write.")
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True)
@click.pass_obj
def command(settings: Settings, /, output: str, images: tuple[str, ...]) -> None:
    """Write images to an OCI archive; without -o to standard output."""
    from builder.api.signing import with_signatures
    from builder.cli.image_names import find_image
    from builder.oci.reference import parse_reference
    from builder.store.errors import BlobNotFound
    from builder.store.layout.archive import write_archive
    from builder.store.layout.names import named_entry
    from builder.store.layout.output import output_file

    if output == _STANDARD_OUTPUT and sys.stdout.isatty():
        raise UsageError("refusing to write an archive to a terminal", hint="use -o FILE or redirect")
    with open_images(settings) as store:
        found = [find_image(store, text) for text in images]
        entries = with_signatures(
            store.content, [named_entry(image.target, parse_reference(image.name)) for image in found]
        )
        try:
            if output == _STANDARD_OUTPUT:
                write_archive(store.content, entries, sys.stdout.fileno())
                return
            with output_file(Path(output)) as fd:
                write_archive(store.content, entries, fd)
        except BlobNotFound as error:
            raise BlobNotFound(
                error.message, hint="not all of the image is here; `dockyard pull` brings the rest"
            ) from error
