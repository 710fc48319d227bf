"""Lists by `--format`: a line for each element, or with `table` in front columns under their names.

Source: Docker's command line reference, "Format command and log output"; the names of columns are Docker's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from builder.cli.gotemplate import render
from builder.cli.table import format_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TABLE: Final = "table "
_ESCAPES: Final = (("\\t", "\t"), ("\\n", "\n"))
_COLUMNS: Final = {
    "ID": "IMAGE ID",
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "Digest": "DIGEST",
    "Platforms": "PLATFORMS",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "Size": "SIZE",
}


def format_list(form: str, elements: Sequence[Mapping[str, object]], *, kind: str) -> str:
    """Every element by the template in `form`, a line each; `kind` names their type in errors.

    Raises: InvalidTemplate.
    """
    template = form.removeprefix(_TABLE)
    for written, meant in _ESCAPES:
        template = template.replace(written, meant)
    lines = [render(template, each, kind=kind) for each in elements]
    if not form.startswith(_TABLE):
        return "".join(f"{line}\n" for line in lines)
    # The same template makes the header, of names in the place of values.
    header = render(template, _COLUMNS, kind=kind).split("\t")
    return format_table(header, [_fitted(line.split("\t"), len(header)) for line in lines])


def _fitted(cells: list[str], count: int) -> list[str]:
    """As many cells as there are columns: conditions in a template may make another number for an element."""
    return [*cells, *[""] * count][:count]
