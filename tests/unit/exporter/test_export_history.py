"""History: one entry for each layer, a time for each entry, nothing later than the epoch."""

from __future__ import annotations

from made import EPOCH, EPOCH_TEXT

from builder.oci.config import History
from exporter.history import normalize_history

BASE, FIRST, SECOND = "2020-01-01T00:00:00Z", "2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z"


def step(created: str | None = None, *, empty: bool = False) -> History:
    return History(created=created, created_by="step", empty_layer=empty)


def times(history: tuple[History, ...]) -> list[str | None]:
    return [entry.created for entry in history]


def test_an_entry_with_a_layer_gets_the_time_of_its_layer() -> None:
    history = normalize_history([step(), step()], [FIRST, SECOND], epoch=None)
    assert times(history) == [FIRST, SECOND]


def test_an_entry_without_a_layer_gets_the_time_of_the_next_layer_or_else_of_the_last() -> None:
    steps = [step(), step(empty=True), step(), step(empty=True)]
    history = normalize_history(steps, [FIRST, SECOND], epoch=None)
    assert times(history) == [FIRST, SECOND, SECOND, SECOND]


def test_a_first_command_without_layer_is_as_old_as_the_first_new_layer_not_as_the_base() -> None:
    history = normalize_history([step(BASE), step(empty=True), step()], [BASE, FIRST], epoch=None)
    assert times(history) == [BASE, FIRST, FIRST]


def test_commands_without_any_new_layer_are_as_old_as_the_base() -> None:
    history = normalize_history([step(BASE), step(empty=True)], [BASE], epoch=None)
    assert times(history) == [BASE, BASE]


def test_no_time_is_made_up_where_none_is_known() -> None:
    assert times(normalize_history([step(), step(empty=True)], [None], epoch=None)) == [None, None]


def test_missing_entries_are_added_for_layers_that_have_none() -> None:
    history = normalize_history([step(BASE)], [BASE, FIRST], epoch=None)
    assert history[1] == History(created=FIRST, comment="buildkit.exporter.image.v0")


def test_entries_beyond_the_last_layer_are_marked_as_empty() -> None:
    history = normalize_history([step(), step(), step()], [FIRST], epoch=None)
    assert [entry.empty_layer for entry in history] == [False, True, True]


def test_an_epoch_lowers_later_times_and_fills_missing_ones() -> None:
    history = normalize_history([step(), step(empty=True)], [SECOND, None], epoch=EPOCH)
    assert times(history) == [EPOCH_TEXT] * 3


def test_an_epoch_leaves_earlier_times_alone() -> None:
    assert times(normalize_history([step()], [BASE], epoch=EPOCH)) == [BASE]


def test_an_epoch_leaves_the_history_of_the_base_image_alone() -> None:
    history = normalize_history([step(SECOND), step()], [SECOND, SECOND], epoch=EPOCH)
    assert times(history) == [SECOND, EPOCH_TEXT]


def test_a_time_that_nobody_can_read_is_replaced_by_the_epoch() -> None:
    history = normalize_history([step()], ["yesterday"], epoch=EPOCH)
    assert times(history) == [EPOCH_TEXT]
