"""`dockyard tag`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from builder.cli.settings import open_images

if TYPE_CHECKING:
    from builder.cli.settings import Settings


@click.command("tag")
@click.argument("image")
@click.argument("name")
@click.pass_obj
def command(settings: Settings, /, image: str, name: str) -> None:
    """Give IMAGE another name; IMAGE keeps those that it has."""
    from builder.cli.image_names import find_image
    from builder.oci.reference import parse_reference

    full_name = str(parse_reference(name))
    with open_images(settings) as store:
        found = find_image(store, image)
        store.images.set(full_name, found.target, labels=found.labels)
