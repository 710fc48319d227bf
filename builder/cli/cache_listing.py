"""How entries of the cache are shown, in the columns, words and templates of `docker buildx du`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from builder.cli.table import age
from builder.progress.text import one_line
from builder.progress.units import format_size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from builder.cache.entries import CacheEntry, Totals

_HEADER: Final = ("ID", "RECLAIMABLE", "SIZE", "LAST ACCESSED")
_KIND: Final = "diskusageContext"
_TABLE: Final = "table"
_HEADERS: Final = {
    "ID": "ID",
    "Parents": "PARENTS",
    "CreatedAt": "CREATED AT",
    "Mutable": "MUTABLE",
    "Reclaimable": "RECLAIMABLE",
    "Shared": "SHARED",
    "Size": "SIZE",
    "Description": "DESCRIPTION",
    "UsageCount": "USAGE COUNT",
    "LastUsedAt": "LAST ACCESSED",
    "Type": "TYPE",
}


def fields(entry: CacheEntry, now: datetime) -> dict[str, object]:
    """What a template sees of an entry."""
    return {
        "ID": entry.id,
        "Parents": list(entry.parents),
        "CreatedAt": _time(entry.created_at),
        "Mutable": entry.mutable,
        "Reclaimable": not entry.in_use,
        "Shared": entry.shared,
        "Size": format_size(entry.size),
        "Description": entry.description,
        "UsageCount": entry.uses,
        "LastUsedAt": "" if entry.used_at is None else age(datetime.fromtimestamp(entry.used_at, UTC), now),
        "Type": entry.kind,
    }


def format_rows(entries: Sequence[CacheEntry], now: datetime) -> str:
    """The table."""
    from builder.cli.table import format_table

    rows = [
        (
            f"{entry.id}{'*' if entry.mutable else ''}",
            _truth(value=not entry.in_use),
            f"{format_size(entry.size)}{'*' if entry.shared else ''}",
            str(fields(entry, now)["LastUsedAt"]),
        )
        for entry in entries
    ]
    return format_table(_HEADER, rows)


def format_verbose(entries: Sequence[CacheEntry], now: datetime) -> str:
    """A block of lines for each entry."""
    return "".join(_block(_lines(entry, now)) + "\n" for entry in entries)


def format_totals(totals: Totals) -> str:
    """The lines at the end; shared and private ones only where something is shared."""
    lines = {"Shared": totals.shared, "Private": totals.private} if totals.shared else {}
    lines |= {"Reclaimable": totals.reclaimable, "Total": totals.total}
    return _block({name: format_size(size) for name, size in lines.items()})


def format_template(entries: Sequence[CacheEntry], form: str, now: datetime) -> str:
    """`json`, `pretty`, `table`, `table TEMPLATE` or a Go template. Raises: InvalidTemplate."""
    from builder.cli.gotemplate import render
    from builder.oci.digest import encode_json

    rows: list[Mapping[str, object]] = [fields(entry, now) for entry in entries]
    if form == "json":
        return "".join(encode_json(row, order="sorted").decode() + "\n" for row in rows)
    if form == "pretty":
        return format_verbose(entries, now)
    if form == _TABLE:
        return format_rows(entries, now)
    head, _, template = form.partition(" ")
    if head != _TABLE:
        return "".join(render(form, row, kind=_KIND) + "\n" for row in rows)
    lines = [render(template, row, kind=_KIND) for row in (_HEADERS, *rows)]
    return _columns([line.replace("\\t", "\t").split("\t") for line in lines])


def _columns(lines: Sequence[Sequence[str]]) -> str:
    from builder.cli.table import format_table

    width = max(map(len, lines))
    first, *rest = ([*line, *[""] * (width - len(line))] for line in lines)
    return format_table(first, rest)


def _lines(entry: CacheEntry, now: datetime) -> dict[str, str]:
    found = fields(entry, now)
    lines = {
        "ID": entry.id,
        "Parents" if len(entry.parents) > 1 else "Parent": ",".join(entry.parents),
        "Created at": _time(entry.created_at),
        "Mutable": _truth(value=entry.mutable),
        "Reclaimable": _truth(value=not entry.in_use),
        "Shared": _truth(value=entry.shared),
        "Size": format_size(entry.size),
        "Description": one_line(entry.description),
        "Usage count": str(entry.uses),
        "Last used": str(found["LastUsedAt"]),
        "Type": entry.kind,
    }
    return {name: value for name, value in lines.items() if value}


def _block(lines: Mapping[str, str]) -> str:
    return "".join(f"{name + ':':<16}{value}\n" for name, value in lines.items())


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S.%f +0000 UTC")


def _truth(*, value: bool) -> str:
    return "true" if value else "false"
