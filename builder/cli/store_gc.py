"""`dockyard store gc`: removes what nothing needs any more, or says whether the store is sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from builder.cli.report import FAILED, OK

if TYPE_CHECKING:
    from builder.cli.settings import Settings


@click.command("gc")
@click.option("--check", is_flag=True, help="Remove nothing; check that the store is sound.")
@click.option("--repair", is_flag=True, help="Put right what --check complains of, and say what was done.")
@click.option(
    "--verify", is_flag=True, help="With --check or --repair: read every blob and compare its digest."
)
@click.pass_obj
def command(settings: Settings, /, *, check: bool, repair: bool, verify: bool) -> int:
    """Remove what no image, build or cache needs, from all stores. Safe while builds are running.

    --check ends with 1 and a line for each problem if the store is not sound. --repair also takes a database that
    cannot be read aside, and makes a new one from the blobs that are there.
    """
    if verify and not (check or repair):
        raise click.UsageError("--verify needs --check or --repair")
    if check and repair:
        raise click.UsageError("--check and --repair exclude each other")
    if repair:
        return _repair(settings, verify=verify)
    return _check(settings, verify=verify) if check else _collect(settings)


def _check(settings: Settings, *, verify: bool) -> int:
    from builder.api import check_store

    problems = check_store(settings.root, verify=verify)
    for problem in problems:
        click.echo(problem)
    if not problems:
        click.echo("The store is sound.")
    return FAILED if problems else OK


def _repair(settings: Settings, *, verify: bool) -> int:
    from builder.api import repair_store

    for line in repair_store(settings.root, verify=verify):
        click.echo(line)
    click.echo("The store is sound.")
    return OK


def _collect(settings: Settings) -> int:
    from builder.api import collect_garbage
    from builder.progress.units import format_bytes

    removed = collect_garbage(settings.root)
    click.echo(
        f"Removed {removed.blobs} blobs ({format_bytes(removed.size)}), {removed.snapshots} layer trees "
        f"and {removed.leases} leases of dead builds."
    )
    return OK
