"""`dockyard tag`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from builder.cli.settings import driver_option, open_images

if TYPE_CHECKING:
    from builder.cli.settings import Settings


@click.command("tag")
@driver_option
@click.argument("image")
@click.argument("name")
@click.pass_obj
def command(settings: Settings, /, image: str, name: str, driver: str | None) -> None:
    """Give IMAGE another name; IMAGE keeps those that it has."""
    from builder.cli.image_names import find_image
    from builder.oci.reference import parse_reference

    full_name = str(parse_reference(name))
    with open_images(settings, driver) as service:
        found = find_image(service.images, image)
        service.images.set(full_name, found.target, labels=found.labels)
