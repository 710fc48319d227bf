"""A config's history made to fit its layers: one entry for each layer, and a time for each entry.

Source: BuildKit's image exporter (`normalizeLayersAndHistory`), whose results people compare ours with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from builder.oci.config import History
from exporter.times import clamped

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMENT: Final = "buildkit.exporter.image.v0"


def normalize_history(
    history: Sequence[History], layer_times: Sequence[str | None], *, epoch: int | None
) -> tuple[History, ...]:
    """`history` with as many entries that have a layer as `layer_times` (RFC 3339) has layers.

    Entries at the start that had times keep them: they are the base image's. With `epoch` (seconds) no other
    entry is later than that.
    """
    inherited = _count_timed(history)
    fitted = _fit(history, layer_times)
    filled = _fill_times(_layer_times(fitted, layer_times))
    if epoch is None:
        return tuple(filled)
    ours = (replace(entry, created=clamped(entry.created, epoch)) for entry in filled[inherited:])
    return (*filled[:inherited], *ours)


def _count_timed(history: Sequence[History]) -> int:
    return next((n for n, entry in enumerate(history) if entry.created is None), len(history))


def _fit(history: Sequence[History], layer_times: Sequence[str | None]) -> list[History]:
    fitted: list[History] = []
    used = 0
    for entry in history:
        has_layer = not entry.empty_layer and used < len(layer_times)
        used += has_layer
        fitted.append(replace(entry, empty_layer=not has_layer))
    fitted.extend(History(created=time, comment=_COMMENT) for time in layer_times[used:])
    return fitted


def _layer_times(history: Sequence[History], layer_times: Sequence[str | None]) -> list[History]:
    times = iter(layer_times)
    filled = []
    for entry in history:
        time = None if entry.empty_layer else next(times)
        filled.append(entry if entry.created is not None else replace(entry, created=time))
    return filled


def _fill_times(history: Sequence[History]) -> list[History]:
    """Entries without a time get that of the entry before; the first of them that of the first new layer.

    Otherwise a command at the start of the Dockerfile would seem as old as the base image.
    """
    first_gap = _count_timed(history)
    times = [entry.created for entry in history]
    later = next((time for time in times[first_gap:] if time is not None), None)
    current = later or (times[first_gap - 1] if first_gap else None)
    filled = list(history[:first_gap])
    for entry in history[first_gap:]:
        current = entry.created or current
        filled.append(replace(entry, created=current))
    return filled
