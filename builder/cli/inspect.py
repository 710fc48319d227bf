"""`dockyard inspect`: the graph of an image, as a tree, as JSON, or as the bytes of its root."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from builder.cli.settings import driver_option, open_images

if TYPE_CHECKING:
    from builder.cli.settings import Settings


@click.command("inspect")
@click.option("--format", "form", type=click.Choice(["tree", "json"]), default="tree", show_default=True)
@click.option("--raw", is_flag=True, help="Write the index or manifest exactly as it is stored.")
@driver_option
@click.argument("image")
@click.pass_obj
def command(settings: Settings, /, image: str, form: str, driver: str | None, *, raw: bool) -> None:
    """Show what IMAGE is made of: index, manifests, configs and layers, with digests and sizes."""
    import msgspec

    from builder.cli.image_names import find_image
    from builder.oci.digest import encode_json
    from exporter.inspect import format_tree, inspect_image

    with open_images(settings, driver) as service:
        found = find_image(service.images, image)
        with service.reading(found) as opened:
            if raw:
                click.echo(opened.reader.read(opened.root), nl=False)
                return
            node = inspect_image(opened.reader, opened.root)
    if form == "json":
        click.echo(msgspec.json.format(encode_json(node), indent=2))
    else:
        click.echo(format_tree(found.name, node), nl=False)
