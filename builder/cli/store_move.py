"""`dockyard store move`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from builder.cli.settings import open_images

if TYPE_CHECKING:
    from builder.cli.settings import Settings


@click.command("move")
@click.argument("image")
@click.option(
    "--to",
    "to",
    metavar="STORE",
    required=True,
    help="embedded, classic, containerd, docker (the engine that listens), or unix:///PATH of a daemon.",
)
@click.option(
    "--namespace", metavar="NAME", default="default", show_default=True, help="Namespace at that daemon."
)
@click.pass_obj
def command(settings: Settings, /, image: str, to: str, namespace: str) -> None:
    """Move IMAGE from the active store to another one.

    Only what the other one lacks is sent. IMAGE leaves the active store when all of it has arrived.
    """
    from builder.api.moving import move
    from builder.cli.image_names import find_image
    from builder.progress.units import format_bytes

    with open_images(settings) as service:
        moved = move(settings.root, service, find_image(service.images, image), to=to, namespace=namespace)
    click.echo(f"Moved {moved.name} to {to} (sent {format_bytes(moved.sent)})")
