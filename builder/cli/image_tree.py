"""`dockyard images --tree`: below each image its platforms, and below those what is attested of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from builder.cli.image_rows import NONE, label, missing_layers, shown_id, shown_size
from builder.cli.table import age, format_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from builder.cli.image_rows import ImageRow, ManifestRow

_HEADER: Final = ("IMAGE", "ID", "SIZE", "CREATED")

_Cells = tuple[str, str, str, str]


def format_images_tree(rows: Iterable[ImageRow], now: datetime, *, whole: bool) -> str:
    """The images as a table whose first column is a tree."""
    cells: list[_Cells] = []
    for row in rows:
        name = row.name if row.tag == NONE else f"{row.name}:{row.tag}"
        size = shown_size(row.size, missing_layers(row))
        cells.append((name, shown_id(row.id, whole=whole), size, age(row.created, now)))
        cells += _branches(row, whole=whole)
    return format_table(_HEADER, cells)


def _branches(row: ImageRow, *, whole: bool) -> Iterator[_Cells]:
    """The manifests of an image, each with those that are about it below."""
    digests = {each.digest for each in row.manifests}
    tops = [each for each in row.manifests if each.about not in digests]
    for top, indent, deeper in _indented(tops, ""):
        yield _cells(top, indent, row.origin, whole=whole)
        about = [each for each in row.manifests if each.about == top.digest]
        for each, inner, _ in _indented(about, deeper):
            yield _cells(each, inner, row.origin, whole=whole)


def _indented(manifests: Sequence[ManifestRow], before: str) -> Iterator[tuple[ManifestRow, str, str]]:
    """Each manifest with what stands before it, and what before that which is below it."""
    for number, each in enumerate(manifests, 1):
        last = number == len(manifests)
        yield each, before + ("└── " if last else "├── "), before + ("    " if last else "│   ")


def _cells(manifest: ManifestRow, indent: str, origin: str, *, whole: bool) -> _Cells:
    absent = f"at {origin}" if origin else "not here"
    size = shown_size(manifest.size, manifest.missing) if manifest.here else absent
    return indent + label(manifest), shown_id(manifest.digest, whole=whole), size, ""
