"""`dockyard push`: an image of the active store to its registry."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from builder.cli.settings import driver_option, open_images

if TYPE_CHECKING:
    from builder.cli.settings import Settings


@click.command("push")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but the name.")
@click.option("--progress", metavar="MODE", default="auto", help="How progress is shown.")
@driver_option
@click.argument("name", metavar="NAME[:TAG]")
@click.pass_obj
def command(settings: Settings, /, name: str, progress: str, driver: str | None, *, quiet: bool) -> None:
    """Send an image to the registry that its name says.

    Only what the registry lacks is sent. A push that was interrupted may be repeated: what had arrived stays.
    """
    from builder.oci.reference import parse_reference
    from builder.progress.modes import choose_mode, open_renderer
    from builder.progress.renderer import Display

    mode = "quiet" if quiet else choose_mode(progress, os.environ, is_terminal=sys.stderr.isatty())
    reference = parse_reference(name)
    with (
        open_images(settings, driver) as service,
        Display(open_renderer(mode, sys.stderr, debug=settings.debug)) as display,
    ):
        pushed = service.push(name, on_event=display)
    if quiet:
        click.echo(str(reference))
    else:
        click.echo(f"{reference.tag or reference.path}: digest: {pushed.digest} size: {pushed.size}")
