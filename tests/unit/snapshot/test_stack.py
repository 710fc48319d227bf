"""The file system that a stack of layers makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from memory import directory, file, hardlink, layer, symlink, whiteout

from builder.snapshot.entry import Entry, Node
from builder.snapshot.stack import EMPTY, StackView

if TYPE_CHECKING:
    from builder.snapshot.entry import FileView
    from builder.snapshot.recipe import RecipeLayer


def walk(stack: FileView, path: str = "") -> list[str]:
    paths = []
    for node in stack.children(path):
        paths.append(node.entry.path)
        if node.entry.kind == "dir":
            paths.extend(walk(stack, node.entry.path))
    return paths


def test_root_of_an_empty_stack_is_an_empty_directory() -> None:
    root = EMPTY.lstat("")

    assert root is not None
    assert (root.entry.kind, list(EMPTY.children(""))) == ("dir", [])


def test_nothing_stands_where_no_layer_says_anything() -> None:
    stack = StackView([layer("a")])

    assert [stack.lstat(path) for path in ("b", "a/b", "b/c/d")] == [None, None, None]


def test_directories_merge_and_take_the_uppermost_attributes() -> None:
    stack = StackView(
        [layer(directory("d", mode=0o700), "d/a", "d/b"), layer(directory("d", mode=0o711), "d/c")]
    )

    top = stack.lstat("d")

    assert top is not None
    assert (top.entry.mode, walk(stack)) == (0o711, ["d", "d/a", "d/b", "d/c"])


def test_file_of_an_upper_layer_hides_the_one_below() -> None:
    stack = StackView([layer(file("a", b"1")), layer(file("a", b"22"))])

    node = stack.lstat("a")

    assert node is not None
    assert node.entry.size == 2


def test_whiteout_removes_what_is_below_and_not_what_is_above() -> None:
    stack = StackView([layer("d/a", "b"), layer(whiteout("d"), whiteout("b")), layer("d/c")])

    assert walk(stack) == ["d", "d/c"]
    assert stack.lstat("d/a") is None
    assert stack.lstat("b") is None


def test_opaque_directory_hides_the_contents_below() -> None:
    stack = StackView([layer("d/a"), layer(directory("d", opaque=True), "d/b")])

    assert walk(stack) == ["d", "d/b"]
    assert stack.lstat("d/a") is None


def test_file_hides_a_directory_and_all_that_is_in_it() -> None:
    stack = StackView([layer("d/a"), layer(symlink("d", "e"))])

    assert walk(stack) == ["d"]
    assert stack.lstat("d/a") is None


def test_directory_over_a_file_does_not_bring_back_what_the_file_hid() -> None:
    stack = StackView([layer("d/a"), layer("d"), layer("d/b")])

    assert walk(stack) == ["d", "d/b"]


def test_layers_that_do_not_list_the_root_have_a_part_in_it() -> None:
    rooted = layer(Node(Entry("", "dir", 0o700)), "a")

    stack = StackView([rooted, layer("b")])

    root = stack.lstat("")
    assert root is not None
    assert (root.entry.mode, walk(stack)) == (0o700, ["a", "b"])


def test_hard_link_has_the_content_of_the_file_in_its_own_layer() -> None:
    stack = StackView([layer(file("a", b"1"), hardlink("b", "a")), layer(file("a", b"22"))])

    node = stack.lstat("b")

    assert node is not None
    assert node.content is not None
    assert (node.entry.size, node.content.open().read()) == (1, b"1")


def test_hard_link_to_a_file_of_a_lower_layer_is_found_there() -> None:
    (node,) = StackView([layer(file("d/a", b"1")), layer(hardlink("b", "d/a"))]).children("")[:1]

    assert (node.entry.path, node.entry.kind, node.entry.size) == ("b", "hardlink", 1)


def test_children_are_sorted_by_the_bytes_of_their_names() -> None:
    names = ["b", "a", "é", "\udcff", "\U0001f600", "a-b", "Z"]

    found = [node.entry.name for node in StackView([layer(*names)]).children("")]

    assert found == ["Z", "a", "a-b", "b", "é", "\U0001f600", "\udcff"]


def test_very_deep_paths_do_not_exhaust_the_stack() -> None:
    path = "/".join(["a"] * 3000)

    assert StackView([layer(path)]).lstat(path) is not None


PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)
KINDS = st.sampled_from(["file", "dir", "opaque", "whiteout"])


@given(st.lists(st.dictionaries(PATHS, KINDS, max_size=6), max_size=4), PATHS)
def test_lookups_and_listings_agree_with_applying_the_layers(
    changes: list[dict[str, str]], path: str
) -> None:
    layers = [layer(*(made(name, kind) for name, kind in consistent(change).items())) for change in changes]
    stack = StackView(layers)

    applied = apply(layers)

    assert walk(stack) == sorted(applied, key=lambda each: each.split("/"))
    node = stack.lstat(path)
    assert (None if node is None else node.entry.kind) == applied.get(path)


def made(path: str, kind: str) -> Node:
    match kind:
        case "file":
            return file(path)
        case "whiteout":
            return whiteout(path)
        case _:
            return directory(path, opaque=kind == "opaque")


def consistent(change: dict[str, str]) -> dict[str, str]:
    """Drops what stands below a file or a whiteout of the same layer."""
    leaves = {path for path, kind in change.items() if kind in ("file", "whiteout")}
    return {
        path: kind for path, kind in change.items() if not any(path.startswith(f"{leaf}/") for leaf in leaves)
    }


def apply(layers: list[RecipeLayer]) -> dict[str, str]:
    """Kinds by path, by the rules for unpacking one layer over another."""
    found: dict[str, str] = {}
    for each in layers:
        for node in each._nodes.values():
            entry = node.entry
            if entry.kind != "dir" or entry.opaque or found.get(entry.path) != "dir":
                for old in [old for old in found if old == entry.path or old.startswith(f"{entry.path}/")]:
                    del found[old]
            if entry.kind != "whiteout":
                found[entry.path] = entry.kind
    return found
