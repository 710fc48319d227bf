"""`dockyard cache du`: what the cache takes, and what keeps it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from builder.cli.cache_filters import FILTER_OPTION, read_filters

if TYPE_CHECKING:
    from builder.cli.settings import Settings


@click.command("du")
@FILTER_OPTION
@click.option("-v", "--verbose", is_flag=True, help="Show all that is known of each entry.")
@click.option("--format", "form", metavar="FORM", default="", help="json, pretty, table, or a Go template.")
@click.option("--why", metavar="ID", default="", help="Say what keeps this entry.")
@click.pass_obj
def command(settings: Settings, /, filters: tuple[str, ...], form: str, why: str, *, verbose: bool) -> None:
    """Show what the build cache takes on the disk.

    A * after an ID: its content may change; after a size: an image has some of it, too.
    """
    from builder.cli.cache_listing import format_rows, format_template, format_totals, format_verbose

    if why:
        if form or verbose or filters:
            raise click.UsageError("--why stands alone")
        _explain(settings, why)
        return
    if verbose and form:
        raise click.UsageError("--verbose and --format exclude each other")
    from builder.api.caching import cache_usage
    from builder.cache.entries import totals

    wanted = read_filters(filters)
    entries = cache_usage(settings.root, filters=wanted.filters, unused_seconds=wanted.seconds)
    now = datetime.now(UTC)
    if form:
        click.echo(format_template(entries, form, now), nl=False)
        return
    click.echo(format_verbose(entries, now) if verbose else format_rows(entries, now), nl=False)
    if not filters:
        click.echo(format_totals(totals(entries)), nl=False)


def _explain(settings: Settings, name: str) -> None:
    from builder.api.caching import explain_entry
    from builder.progress.text import one_line

    entry, reasons = explain_entry(settings.root, name)
    click.echo(f"{entry.id}: {one_line(entry.description)}")
    for reason in reasons:
        click.echo(f"  {one_line(reason)}")
    if not reasons:
        click.echo("  Nothing keeps it but the cache itself; `dockyard cache prune` may take it.")
