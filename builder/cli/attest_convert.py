"""`dockyard attest convert`: attestation manifests in the form that a destination takes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from builder.system.errors import UsageError

if TYPE_CHECKING:
    from builder.cli.settings import Settings
    from builder.store.protocol import Image


@click.command("convert")
@click.option(
    "--to", "form", type=click.Choice(["artifact", "legacy"]), required=True,
    help="OCI 1.1 artifacts with a subject, or manifests that registries of any age take.",
)  # fmt: skip
@click.option("-t", "--tag", "tags", metavar="NAME", multiple=True, help="Name of the result [IMAGE].")
@click.argument("image")
@click.pass_obj
def command(settings: Settings, /, image: str, form: str, tags: tuple[str, ...]) -> None:
    """Give the attestations of IMAGE their other form; images and statements keep their bytes.

    The index is another one afterwards, so signatures over the old do not apply to it.
    """
    from builder.api.converting import convert
    from builder.cli.image_names import find_image
    from builder.cli.report import print_line
    from builder.oci.reference import parse_reference
    from builder.store.selection import environment_address, open_selected

    names = [str(parse_reference(tag)) for tag in tags]
    with open_selected(settings.root, address=environment_address(os.environ)) as store:
        found = find_image(store.images, image)
        converted = convert(
            store, found, artifact=form == "artifact", names=names or [_own_name(found, image)]
        )
    if converted.unsigned:
        print_line(
            f"note: signatures over {found.target.digest} do not apply to the new index; "
            "sign it with `dockyard sign`. Those over the images of its platforms came along."
        )
    click.echo(converted.root.digest)


def _own_name(found: Image, text: str) -> str:
    """The name that the person used: a digest does not say which of the image's names shall change."""
    from builder.oci.reference import InvalidReference, parse_reference

    try:
        if str(parse_reference(text)) == found.name:
            return found.name
    except InvalidReference:
        pass
    raise UsageError("an image that is chosen by its digest needs a name for the result", hint="-t NAME")
