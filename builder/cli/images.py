"""`dockyard images`: what a store holds, as a table, as a tree, as JSON, by a template, or as digests alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from builder.cli.settings import driver_option, open_images

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.cli.image_rows import ImageRow
    from builder.cli.settings import Settings

_HEADER: Final = ("IMAGE ID", "NAME", "TAG", "PLATFORMS", "SIZE", "CREATED")
_DIGEST: Final = "DIGEST"
_TABLE, _JSON = "table", "json"


@click.command("images")
@click.option("-q", "--quiet", is_flag=True, help="Show digests only.")
@click.option("-a", "--all", "_all", is_flag=True, expose_value=False, help="Accepted; all are shown anyway.")
@click.option("--tree", is_flag=True, help="Show platforms and attestations below each image.")
@click.option("--digests", is_flag=True, help="Show digests in a column.")
@click.option(
    "-f", "--filter", "filters", metavar="KEY=VALUE", multiple=True,
    help="reference=PATTERN, dangling=true|false, label=NAME[=VALUE], before=IMAGE, since=IMAGE.",
)  # fmt: skip
@click.option(
    "--format", "form", metavar="FORMAT", default=_TABLE, show_default=True,
    help="table, json, a Go template, or table TEMPLATE.",
)  # fmt: skip
@click.option("--no-trunc", is_flag=True, help="Show whole digests.")
@driver_option
@click.argument("repository", metavar="[NAME[:TAG]]", required=False)
@click.pass_obj
def command(
    settings: Settings,
    /,
    form: str,
    filters: tuple[str, ...],
    driver: str | None,
    repository: str | None,
    *,
    quiet: bool,
    tree: bool,
    digests: bool,
    no_trunc: bool,
) -> None:
    """List images, those named NAME, or all."""
    from builder.cli.image_filters import select
    from builder.cli.image_rows import describe, shown_id

    if tree and (quiet or digests or form != _TABLE):
        raise click.UsageError("--tree excludes --quiet, --digests and --format")
    with open_images(settings, driver) as service:
        found = select(service.listed(), filters, repository, service.images)
    rows = sorted(map(describe, found), key=lambda row: (-row.created.timestamp(), row.name, row.tag))
    now = datetime.now(UTC)
    if quiet:
        text = "".join(f"{shown_id(row.id, whole=no_trunc)}\n" for row in rows)
    elif tree:
        from builder.cli.image_tree import format_images_tree

        text = format_images_tree(rows, now, whole=no_trunc)
    elif form == _TABLE:
        text = _table(rows, now, whole=no_trunc, digests=digests)
    else:
        text = _formatted(rows, form, now, whole=no_trunc)
    click.echo(text, nl=False)


def _table(rows: Sequence[ImageRow], now: datetime, *, whole: bool, digests: bool) -> str:
    from builder.cli.image_rows import missing_layers, shown_id, shown_platforms, shown_size
    from builder.cli.table import age, format_table

    cells = [
        (
            shown_id(row.id, whole=whole),
            row.name,
            row.tag,
            *((row.id,) if digests else ()),
            shown_platforms(row),
            shown_size(row.size, missing_layers(row)),
            age(row.created, now),
        )
        for row in rows
    ]
    header = (*_HEADER[:3], *((_DIGEST,) if digests else ()), *_HEADER[3:])
    return format_table(header, cells)


def _formatted(rows: Sequence[ImageRow], form: str, now: datetime, *, whole: bool) -> str:
    from builder.cli.image_rows import template_fields
    from builder.cli.templates import format_list
    from builder.oci.digest import encode_json

    if form == _JSON:
        return "".join(encode_json(row).decode() + "\n" for row in rows)
    fields = [template_fields(row, now, whole=whole) for row in rows]
    return format_list(form, fields, kind="formatter.imageContext")
