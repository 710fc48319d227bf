"""`dockyard inspect`: the graph of an image, as a tree, as JSON, as the bytes of its root, or by a template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from builder.cli.settings import driver_option, open_images

if TYPE_CHECKING:
    from builder.api.images.service import ImageService, OpenImage
    from builder.cli.settings import Settings
    from builder.platforms import Platform
    from builder.store.protocol import Image

_TREE, _JSON = "tree", "json"
_KIND: Final = "image.InspectResponse"


@click.command("inspect")
@click.option(
    "-f", "--format", "form", metavar="FORMAT", default=_TREE, show_default=True,
    help="tree, json or a Go template.",
)  # fmt: skip
@click.option("--raw", is_flag=True, help="Write the index or manifest exactly as it is stored.")
@click.option("--platform", "wanted", metavar="PLATFORM", help="Show what the image has for this platform.")
@driver_option
@click.argument("image")
@click.pass_obj
def command(
    settings: Settings, /, image: str, form: str, wanted: str | None, driver: str | None, *, raw: bool
) -> None:
    """Show what IMAGE is made of: index, manifests, configs and layers, with digests and sizes.

    A template sees the fields of `docker image inspect`, of this machine's platform or of another one.
    """
    from builder.cli.image_names import find_image
    from builder.platforms import parse_platform

    if raw and form != _TREE:
        raise click.UsageError("--raw and --format exclude each other")
    platform = parse_platform(wanted) if wanted else None
    with open_images(settings, driver) as service:
        image_found = find_image(service.images, image)
        with service.reading(image_found) as opened:
            if raw or form in (_TREE, _JSON):
                click.echo(_graph(image_found, opened, platform, "raw" if raw else form), nl=False)
            else:
                click.echo(_formatted(form, service, image_found, opened, platform))


def _graph(image: Image, opened: OpenImage, platform: Platform | None, form: str) -> str | bytes:
    import msgspec

    from builder.oci.digest import encode_json
    from builder.store.imagegraph import resolve_platform
    from exporter.inspect import format_tree, inspect_image

    root = opened.root
    if platform is not None:
        root = resolve_platform(opened.reader, root, platform).descriptor
    if form == "raw":
        return opened.reader.read(root)
    node = inspect_image(opened.reader, root)
    if form == _JSON:
        return msgspec.json.format(encode_json(node), indent=2).decode() + "\n"
    return format_tree(image.name, node)


def _formatted(
    form: str, service: ImageService, image: Image, opened: OpenImage, platform: Platform | None
) -> str:
    from builder.cli.gotemplate import render
    from builder.cli.inspection import inspection

    named = [each for each in service.images.all() if each.target.digest == image.target.digest]
    return render(form, inspection(opened, named, platform), kind=_KIND)
