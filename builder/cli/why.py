"""`dockyard why`: which steps of a build ran again, and what had moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from builder.cache.history import BuildRecord
    from builder.cli.settings import Settings

_HEADER: Final = ("BUILD", "WHEN", "RAN", "CACHED", "PLATFORMS", "SOURCE")


@click.command("why")
@click.argument("build", required=False, metavar="[BUILD]", type=click.IntRange(min=1))
@click.argument("step", required=False, metavar="[STEP]")
@click.option("--against", type=click.IntRange(min=1), metavar="BUILD", help="Compare with this build.")
@click.option("--list", "listed", is_flag=True, help="List the builds that are remembered.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def command(
    settings: Settings,
    /,
    build: int | None,
    step: str | None,
    against: int | None,
    form: str,
    *,
    listed: bool,
) -> None:
    """Say why steps of a build ran again: the first step that missed, what had moved, what it dragged along.

    BUILD is a number of --list, by default the last one; STEP is a part of a step's name. Without --against a
    build is compared with the one of the same context, Dockerfile and target before it.
    """
    if listed:
        _list(settings, form)
        return
    from builder.api.remembering import explain_build
    from builder.cli.explanation import as_text
    from builder.oci.digest import encode_json
    from builder.progress.text import printable

    explanation = explain_build(settings.root, build, earlier=against)
    text = encode_json(explanation).decode() if form == "json" else printable(as_text(explanation, step))
    click.echo(text)


def _list(settings: Settings, form: str) -> None:
    from builder.api.remembering import remembered_builds
    from builder.cli.table import format_table
    from builder.oci.digest import encode_json

    builds = remembered_builds(settings.root)
    if form == "json":
        click.echo("".join(encode_json(each).decode() + "\n" for each in builds), nl=False)
    else:
        click.echo(format_table(_HEADER, [_cells(each) for each in reversed(builds)]), nl=False)


def _cells(build: BuildRecord) -> tuple[str, ...]:
    from datetime import UTC, datetime

    from builder.cli.table import age

    then = datetime.fromtimestamp(build.finished_at, UTC)
    ran = sum(step.state in ("executed", "failed") for step in build.steps)
    cached = sum(step.state == "cached" and not step.is_image for step in build.steps)
    when = age(then, datetime.now(UTC))
    return str(build.id), when, str(ran), str(cached), build.platforms, build.source
