"""`dockyard version`."""

from __future__ import annotations

import click

from builder import __version__


@click.command("version")
def command() -> None:
    """Show the version."""
    click.echo(f"dockyard {__version__}")
