"""`dockyard rmi`: takes names away. What no name reaches any more goes with the next `dockyard store gc`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from builder.cli.settings import driver_option, open_images
from builder.system.errors import DockyardError

if TYPE_CHECKING:
    from builder.cli.settings import Settings
    from builder.store.protocol import Image, ImageStore


class SeveralNames(DockyardError):
    """An image given by its digest has more than one name."""


@click.command("rmi")
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True)
@click.option("-f", "--force", is_flag=True, help="Remove all names of an image given by digest.")
@driver_option
@click.pass_obj
def command(settings: Settings, /, images: tuple[str, ...], driver: str | None, *, force: bool) -> None:
    """Remove images by name, or by the first digits of their digest."""
    with open_images(settings, driver) as service:
        # All are looked up before any is removed: a typo in the second shall not cost the first.
        found = [image for text in images for image in _selected(service.images, text, force=force)]
        for image in dict.fromkeys(each.name for each in found):
            service.images.delete(image)
            click.echo(f"Untagged: {image}")


def _selected(store: ImageStore, text: str, *, force: bool) -> tuple[Image, ...]:
    from builder.cli.image_names import find_image, images_of
    from builder.oci.reference import parse_reference

    image = find_image(store, text)
    by_digest = len(text) >= 64 or str(parse_reference(text)) != image.name
    if not by_digest:
        return (image,)
    images = images_of(store, image.target.digest.hex)
    if len(images) > 1 and not force:
        names = ", ".join(each.name for each in images)
        raise SeveralNames(
            f"image {text} has several names: {names}", hint="name one of them, or use --force"
        )
    return images
