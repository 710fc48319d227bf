"""`dockyard cache prune`: removes what the cache can do without."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from builder.cli.cache_filters import FILTER_OPTION, read_filters

if TYPE_CHECKING:
    from builder.cache.policy import Policy
    from builder.cli.settings import Settings

_SURE: Final = "Are you sure you want to continue?"
_SOME: Final = f"WARNING! This will remove all dangling build cache. {_SURE}"
_ALL: Final = f"WARNING! This will remove all build cache. {_SURE}"


@click.command("prune")
@click.option(
    "-a", "--all", "everything", is_flag=True, help="Remove what images share and internal records, too."
)
@FILTER_OPTION
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@click.option("--reserved-space", metavar="SIZE", help="Keep at least so much of the cache.")
@click.option("--keep-storage", "reserved_space", metavar="SIZE", hidden=True)
@click.option("--max-used-space", metavar="SIZE", help="Let the cache take so much at most.")
@click.option("--min-free-space", metavar="SIZE", help="Remove until so much of the disk is free.")
@click.option("-v", "--verbose", is_flag=True, help="Show all that is known of what went.")
@click.pass_obj
def command(
    settings: Settings,
    /,
    filters: tuple[str, ...],
    reserved_space: str | None,
    max_used_space: str | None,
    min_free_space: str | None,
    *,
    everything: bool,
    force: bool,
    verbose: bool,
) -> None:
    """Remove what the build cache can do without, least valuable first.

    What running builds use stays. With a size, only so much goes as the size asks for. A terminal is asked first.
    """
    from builder.cache.policy import Policy
    from builder.system.quantities import parse_size

    def size(flag: str, word: str | None) -> int:
        return parse_size(flag, word) if word else 0

    wanted = read_filters(filters)
    policy = Policy(
        all=everything,
        filters=wanted.filters,
        keep_seconds=wanted.seconds,
        reserved=size("--reserved-space", reserved_space),
        max_used=size("--max-used-space", max_used_space),
        min_free=size("--min-free-space", min_free_space),
    )
    if not force and sys.stdin.isatty() and not click.confirm(_ALL if everything else _SOME):
        return
    _prune(settings, policy, verbose=verbose)


def _prune(settings: Settings, policy: Policy, *, verbose: bool) -> None:
    from builder.api.caching import prune_cache
    from builder.cli.cache_listing import format_rows, format_verbose
    from builder.progress.units import format_size

    pruned = prune_cache(settings.root, policy)
    now = datetime.now(UTC)
    if pruned.entries:
        listed = format_verbose if verbose else format_rows
        click.echo(listed(pruned.entries, now), nl=False)
    click.echo(f"Total:\t{format_size(pruned.freed)}")
