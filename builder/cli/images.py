"""`dockyard images`: what the active store holds, as a table, as JSON, or as digests alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click
import msgspec

from builder.cli.settings import driver_option, open_images
from builder.oci.digest import encode_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from builder.cli.settings import Settings
    from builder.store.facts import ListedImage

_HEADER: Final = ("IMAGE ID", "NAME", "TAG", "PLATFORMS", "SIZE", "CREATED")
_NONE: Final = "<none>"


class ImageRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One line of the list. `size` counts each blob of the image once; `created` is in RFC 3339."""

    id: str
    name: str
    tag: str
    platforms: tuple[str, ...]
    size: int
    created: datetime


@click.command("images")
@click.option("-q", "--quiet", is_flag=True, help="Show digests only.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--no-trunc", is_flag=True, help="Show whole digests.")
@driver_option
@click.pass_obj
def command(settings: Settings, /, form: str, driver: str | None, *, quiet: bool, no_trunc: bool) -> None:
    """List images."""
    with open_images(settings, driver) as service:
        rows = sorted(
            map(describe, service.listed()), key=lambda row: (-row.created.timestamp(), row.name, row.tag)
        )
    if quiet:
        click.echo("".join(f"{_shown_id(row, whole=no_trunc)}\n" for row in rows), nl=False)
    elif form == "json":
        click.echo("".join(encode_json(row).decode() + "\n" for row in rows), nl=False)
    else:
        click.echo(_table(rows, datetime.now(UTC), whole=no_trunc), nl=False)


def describe(listed: ListedImage) -> ImageRow:
    """What the list says of an image."""
    image, facts = listed.image, listed.facts
    name, tag = (_NONE, _NONE) if image.is_nameless else _split(image.name)
    return ImageRow(
        id=image.target.digest,
        name=name,
        tag=tag,
        platforms=tuple(str(platform) for platform in facts.platforms),
        size=facts.size,
        created=facts.created or datetime.fromtimestamp(image.created_at, UTC),
    )


def _split(name: str) -> tuple[str, str]:
    from builder.oci.reference import InvalidReference, parse_reference

    try:
        reference = parse_reference(name)
    except InvalidReference:
        return name, _NONE
    familiar = msgspec.structs.replace(reference, tag="", digest=None).familiar
    return familiar, reference.tag or _NONE


def _table(rows: Iterable[ImageRow], now: datetime, *, whole: bool) -> str:
    from builder.cli.table import age, format_table
    from builder.progress.units import format_bytes

    cells = [
        (
            _shown_id(row, whole=whole),
            row.name,
            row.tag,
            ",".join(row.platforms) or _NONE,
            format_bytes(row.size),
            age(row.created, now),
        )
        for row in rows
    ]
    return format_table(_HEADER, cells)


def _shown_id(row: ImageRow, *, whole: bool) -> str:
    return row.id if whole else row.id.removeprefix("sha256:")[:12]
