from __future__ import annotations

import pytest

from builder.snapshot import listing as limits
from builder.snapshot.entry import Entry
from builder.snapshot.errors import InvalidLayer
from builder.snapshot.listing import Listing


def listed(*entries: Entry) -> Listing:
    listing = Listing()
    for entry in entries:
        listing.add(entry)
    return listing


def shown(listing: Listing) -> list[tuple[str, str]]:
    return [(entry.path, entry.kind) for entry in listing.entries()]


def folder(path: str, **attributes: int) -> Entry:
    return Entry(path, "dir", **attributes)


def file(path: str, **attributes: int) -> Entry:
    return Entry(path, "file", **attributes)


def link(path: str, target: str) -> Entry:
    return Entry(path, "symlink", link=target)


def test_entries_come_sorted_whatever_the_order_of_the_archive() -> None:
    listing = listed(file("b"), folder("a"), file("a/x"), file("a-b"))

    assert [entry.path for entry in listing.entries()] == ["a", "a/x", "a-b", "b"]


def test_parents_that_are_not_listed_are_implied() -> None:
    listing = listed(file("a/b/c"), folder("a", mode=0o700))

    assert listing.implied() == ("a/b",)
    assert [entry.mode for entry in listing.entries()] == [0o700, 0o755, 0]


def test_a_later_entry_of_the_same_path_wins() -> None:
    listing = listed(file("f", mode=0o600), file("f", mode=0o644))

    assert [entry.mode for entry in listing.entries()] == [0o644]


def test_a_directory_listed_twice_keeps_what_it_holds() -> None:
    listing = listed(folder("d", mode=0o700), file("d/f"), folder("d", mode=0o755))

    assert shown(listing) == [("d", "dir"), ("d/f", "file")]
    assert next(listing.entries()).mode == 0o755


def test_a_file_in_the_place_of_a_directory_removes_what_it_held() -> None:
    listing = listed(folder("d"), folder("d/e"), file("d/e/f"))

    change = listing.add(file("d"))

    assert change is not None
    assert [gone.path for gone in change.removed] == ["d/e/f", "d/e", "d"]
    assert shown(listing) == [("d", "file")]


def test_a_directory_in_the_place_of_a_file_hides_the_layers_below() -> None:
    (entry,) = listed(file("d"), folder("d")).entries()

    assert (entry.kind, entry.opaque) == ("dir", True)


@pytest.mark.parametrize(
    "entries",
    [
        (folder("d"), Entry("d", "whiteout", opaque=True), file("d/f")),
        (Entry("d", "whiteout", opaque=True), folder("d"), file("d/f")),
        (folder("d"), file("d/f"), Entry("d", "whiteout", opaque=True)),
        (Entry("d", "whiteout"), folder("d"), file("d/f")),
        (folder("d"), file("d/f"), Entry("d", "whiteout")),
        (Entry("d", "whiteout"), file("d/f"), folder("d")),
    ],
)
def test_marks_hide_lower_layers_wherever_they_stand_and_never_their_own(entries: tuple[Entry, ...]) -> None:
    listing = listed(*entries)

    assert shown(listing) == [("d", "dir"), ("d/f", "file")]
    assert next(listing.entries()).opaque


def test_a_whiteout_does_not_remove_a_file_of_its_own_layer() -> None:
    assert shown(listed(file("f"), Entry("f", "whiteout"))) == [("f", "file")]
    assert shown(listed(Entry("f", "whiteout"), file("f"))) == [("f", "file")]


def test_the_root_cannot_be_opaque() -> None:
    with pytest.raises(InvalidLayer, match="its root as opaque"):
        listed(Entry("", "whiteout", opaque=True))


@pytest.mark.parametrize(
    ("target", "place"),
    [
        ("real", "real/f"),
        ("/real", "real/f"),
        ("../../../real", "real/f"),
        ("./real/.", "real/f"),
        ("/etc", "etc/f"),
    ],
)
def test_a_link_of_the_same_layer_leads_to_a_place_inside_the_root(target: str, place: str) -> None:
    listing = listed(folder("real"), link("way", target), file("way/f"))

    assert (place, "file") in shown(listing)
    assert ("way", "symlink") in shown(listing)


def test_links_that_lead_in_circles_are_refused() -> None:
    with pytest.raises(InvalidLayer, match="in circles"):
        listed(link("a", "b"), link("b", "a"), file("a/f"))


def test_a_file_cannot_be_a_parent() -> None:
    with pytest.raises(InvalidLayer, match="needs it to be a directory"):
        listed(file("f"), file("f/g"))


@pytest.mark.parametrize("target", ["missing", "d", "gone", "no/where"])
def test_a_hard_link_needs_a_file_before_it(target: str) -> None:
    with pytest.raises(InvalidLayer, match="no file of its layer"):
        listed(folder("d"), Entry("gone", "whiteout"), Entry("x", "hardlink", link=target))


def test_a_hard_link_to_a_hard_link_names_the_file() -> None:
    listing = listed(
        file("a", mode=0o600), Entry("b", "hardlink", link="a"), Entry("c", "hardlink", link="b")
    )

    assert [(entry.link, entry.mode) for entry in listing.entries()] == [
        ("", 0o600),
        ("a", 0o600),
        ("a", 0o600),
    ]


def test_a_file_outlives_its_first_name() -> None:
    names = (Entry(name, "hardlink", link="a") for name in "bc")
    listing = listed(file("a", size=7), *names, Entry("a", "fifo"))

    assert [(entry.kind, entry.size, entry.link) for entry in listing.entries()] == [
        ("fifo", 0, ""),
        ("file", 7, ""),
        ("hardlink", 0, "b"),
    ]


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_hard_link_to_itself_changes_nothing(name: str) -> None:
    listing = listed(file("a"), Entry("b", "hardlink", link="a"))

    assert listing.add(Entry(name, "hardlink", link="b")) is None
    assert shown(listing) == [("a", "file"), ("b", "hardlink")]


def test_a_hard_link_cannot_replace_the_directory_of_its_target() -> None:
    with pytest.raises(InvalidLayer, match="no file of its layer"):
        listed(folder("d"), file("d/f"), Entry("d", "hardlink", link="d/f"))


def test_names_that_imply_masses_of_directories_are_refused() -> None:
    with pytest.raises(InvalidLayer, match="directories that it does not list"):
        listed(*(file(f"{number}" + "/a" * 2000) for number in range(limits.MAX_IMPLIED // 2000 + 1)))


def test_masses_of_entries_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_ENTRIES", 10)

    with pytest.raises(InvalidLayer, match="more than 10 entries"):
        listed(*(file(f"{number}") for number in range(11)))
