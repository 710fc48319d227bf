"""`dockyard inspect`: the graph of an image, as a tree, as JSON, or as the bytes of its root."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from builder.cli.settings import open_images

if TYPE_CHECKING:
    from builder.cli.settings import Settings


@click.command("inspect")
@click.option("--format", "form", type=click.Choice(["tree", "json"]), default="tree", show_default=True)
@click.option("--raw", is_flag=True, help="Write the index or manifest exactly as it is stored.")
@click.argument("image")
@click.pass_obj
def command(settings: Settings, /, image: str, form: str, *, raw: bool) -> None:
    """Show what IMAGE is made of: index, manifests, configs and layers, with digests and sizes."""
    import msgspec

    from builder.cli.image_names import find_image
    from builder.oci.digest import encode_json
    from exporter.inspect import format_tree, inspect_image

    with open_images(settings) as store:
        found = find_image(store, image)
        if raw:
            click.echo(store.content.read(found.target), nl=False)
            return
        node = inspect_image(store.content, found.target)
    if form == "json":
        click.echo(msgspec.json.format(encode_json(node), indent=2))
    else:
        click.echo(format_tree(found.name, node), nl=False)
