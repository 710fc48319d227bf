"""`dockyard save`: images of the active store as one OCI archive, which docker, podman and skopeo read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from builder.cli.settings import driver_option, open_images
from builder.system.errors import UsageError

if TYPE_CHECKING:
    from builder.cli.settings import Settings

_STANDARD_OUTPUT: Final = "-"


@click.command("save")
@click.option("-o", "--output", metavar="FILE", default=_STANDARD_OUTPUT, help="The archive to write.")
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True)
@driver_option
@click.pass_obj
def command(settings: Settings, /, output: str, images: tuple[str, ...], driver: str | None) -> None:
    """Write images to an archive; without -o to standard output.

    It is an OCI archive. A Docker Engine writes its own, as `docker save` does.
    """
    from builder.cli.image_names import find_image
    from builder.store.layout.output import output_file

    if output == _STANDARD_OUTPUT and sys.stdout.isatty():
        raise UsageError("refusing to write an archive to a terminal", hint="use -o FILE or redirect")
    with open_images(settings, driver) as service:
        found = [find_image(service.images, text) for text in images]
        if output == _STANDARD_OUTPUT:
            service.save(found, sys.stdout.fileno())
            return
        with output_file(Path(output)) as fd:
            service.save(found, fd)
