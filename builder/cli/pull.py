"""`dockyard pull`: an image from a registry into the active store."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

import click

from builder.cli.settings import driver_option, open_images

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.cli.settings import Settings
    from builder.platforms import Platform

_ALL: Final = "all"


@click.command("pull")
@click.option(
    "--platform", metavar="LIST", multiple=True, help="Platforms to fetch, or all; default: this machine's."
)
@click.option("--signatures", is_flag=True, help="Fetch the signatures over it, too.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but the name.")
@click.option("--progress", metavar="MODE", default="auto", help="How progress is shown.")
@driver_option
@click.argument("name", metavar="NAME[:TAG|@DIGEST]")
@click.pass_obj
def command(
    settings: Settings,
    /,
    name: str,
    platform: tuple[str, ...],
    progress: str,
    driver: str | None,
    *,
    signatures: bool,
    quiet: bool,
) -> None:
    """Fetch an image from its registry into the active store."""
    from builder.progress.modes import choose_mode, open_renderer
    from builder.progress.renderer import Display

    platforms = _platforms(platform)
    mode = "quiet" if quiet else choose_mode(progress, os.environ, is_terminal=sys.stderr.isatty())
    with (
        open_images(settings, driver) as service,
        Display(open_renderer(mode, sys.stderr, debug=settings.debug)) as display,
    ):
        pulled = service.pull(name, platforms=platforms, signatures=signatures, on_event=display)
    if not quiet:
        status = "Downloaded newer image for" if pulled.changed else "Image is up to date for"
        click.echo(f"Digest: {pulled.target.digest}\nStatus: {status} {pulled.reference.familiar}")
    click.echo(str(pulled.reference))


def _platforms(words: tuple[str, ...]) -> Sequence[Platform] | None:
    from builder.platforms import host_platform, parse_platforms

    listed = [each for word in words for each in word.split(",") if each]
    if listed == [_ALL]:
        return None
    return parse_platforms(tuple(listed)) or (host_platform(),)
