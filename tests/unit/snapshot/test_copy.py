"""COPY on file systems in memory: every row of the tables of copy semantics."""

from __future__ import annotations

import pytest
from memory import (
    NOW_NS,
    OLD_NS,
    Result,
    copy,
    directory,
    file,
    hardlink,
    layer,
    run,
    symlink,
    view,
)

from builder.graph.operations import File, MakeDirectory, Owner
from builder.snapshot.copy import FilePlan
from builder.snapshot.entry import Entry, Node
from builder.snapshot.errors import PathConflict, PathNotFound, SnapshotError
from builder.snapshot.pending import PendingLayer
from builder.snapshot.stack import StackView


def test_file_to_a_path_that_is_absent_gets_that_name() -> None:
    assert run(copy("f", "/x"), source=view("f")).files == {"x": b"f"}


def test_file_to_a_trailing_slash_keeps_its_name_in_the_new_directory() -> None:
    result = run(copy("f", "/x/"), source=view("f"))

    assert result.paths == "x x/f"


def test_file_to_an_existing_directory_keeps_its_name() -> None:
    assert run(copy("f", "/x"), source=view("f"), below=view("x/")).paths == "x x/f"


def test_file_to_a_slash_where_a_file_stands_is_refused() -> None:
    with pytest.raises(PathConflict, match=r"^mkdir /x: not a directory$"):
        run(copy("f", "/x/"), source=view("f"), below=view("x"))


def test_file_below_a_path_that_is_a_file_is_refused() -> None:
    with pytest.raises(PathConflict, match=r"^mkdir /x: not a directory$"):
        run(copy("f", "/x/y"), source=view("f"), below=view("x"))


def test_file_replaces_an_existing_file() -> None:
    assert run(copy("f", "/x"), source=view("f"), below=view("x")).files == {"x": b"f"}


def test_file_does_not_replace_a_directory_of_its_name() -> None:
    with pytest.raises(PathConflict, match=r"^cannot replace to directory /x/n with file$"):
        run(copy("n", "/x/"), source=view("n"), below=view("x/n/"))


def test_directory_contributes_its_contents_to_a_new_directory() -> None:
    assert run(copy("d", "/x"), source=view("d/a", "d/s/b")).paths == "x x/a x/s x/s/b"


def test_directory_is_merged_with_a_directory_that_is_there() -> None:
    result = run(copy("d", "/x"), source=view("d/a"), below=view("x/old"))

    assert result.paths == "x x/a"


@pytest.mark.parametrize("there", ["x", symlink("x", "f")])
def test_directory_is_not_copied_to_a_file(there: Node | str) -> None:
    with pytest.raises(PathConflict, match=r"^cannot copy to non-directory: /[xf]$"):
        run(copy("d", "/x"), source=view("d/a"), below=view(there, "f"))


@pytest.mark.parametrize("there", ["x/s", symlink("x/s", "/other"), symlink("x/s", "nowhere")])
def test_nested_directory_does_not_replace_a_file_or_a_link(there: Node | str) -> None:
    with pytest.raises(PathConflict, match=r"^cannot copy to non-directory: /x/s$"):
        run(copy("d", "/x"), source=view("d/s/b"), below=view(there, "other/"))


def test_nested_file_replaces_a_link_and_leaves_its_target() -> None:
    result = run(copy("d", "/x"), source=view("d/a"), below=view(symlink("x/a", "/target"), "target"))

    assert result.files == {"x/a": b"d/a"}


def test_nested_file_does_not_replace_a_directory() -> None:
    with pytest.raises(PathConflict, match=r"^cannot replace to directory /x/a with file$"):
        run(copy("d", "/x"), source=view("d/a"), below=view("x/a/"))


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (symlink("x", "real"), "real real/f"),
        (symlink("x", "/real"), "real real/f"),
        (symlink("x", "../../real"), "real real/f"),
        (symlink("x", "new/one"), "new new/one"),
    ],
)
def test_destination_that_is_a_link_is_followed_inside_the_root(link: Node, expected: str) -> None:
    result = run(copy("f", "/x"), source=view("f"), below=view(link, "real/"))

    assert result.paths == expected


def test_parent_of_the_destination_that_is_a_link_is_followed() -> None:
    result = run(copy("f", "/lib/f"), source=view("f"), below=view(symlink("lib", "usr/lib"), "usr/lib/"))

    assert result.paths == "usr usr/lib usr/lib/f"


def test_several_files_without_a_slash_overwrite_each_other() -> None:
    assert run(copy("a", "b", "/x"), source=view("a", "b")).files == {"x": b"b"}


def test_file_then_directory_without_a_slash_is_refused() -> None:
    with pytest.raises(PathConflict, match=r"^cannot copy to non-directory: /x$"):
        run(copy("a", "d", "/x"), source=view("a", "d/b"))


def test_several_directories_are_merged() -> None:
    assert run(copy("d*", "/x/"), source=view("d1/a", "d2/b")).paths == "x x/a x/b"


def test_wildcard_that_matches_nothing_changes_nothing() -> None:
    assert run(copy("no*", "/x/"), source=view("f")).nodes == []


def test_source_that_is_a_link_gives_the_file_under_the_name_of_the_link() -> None:
    assert run(copy("l", "/x/"), source=view("f", symlink("l", "f"))).files == {"x/l": b"f"}


def test_links_inside_a_directory_are_copied_as_links() -> None:
    result = run(copy("d", "/x"), source=view("d/a", symlink("d/l", "/a")))

    assert (result["x/l"].kind, result["x/l"].link, result["x/l"].mtime_ns) == ("symlink", "/a", OLD_NS)


def test_root_of_the_source_can_be_copied_to_the_root() -> None:
    assert run(copy("/", "/"), source=view("a", "s/b")).paths == "a s s/b"


def test_file_can_be_copied_to_the_root() -> None:
    assert run(copy("d/f", "/"), source=view("d/f")).files == {"f": b"d/f"}


def test_later_action_sees_what_an_earlier_one_made() -> None:
    with pytest.raises(PathConflict, match=r"cannot replace to directory /x/b with file"):
        run(copy("d", "/x"), copy("b", "/x"), source=view("d/b/c", "b"))


def test_devices_and_fifos_are_copied_as_such() -> None:
    nodes = (Node(Entry("d/fifo", "fifo", 0o600)), Node(Entry("d/null", "char", 0o666, device=(1, 3))))

    result = run(copy("d", "/x"), copy("d/fifo", "/y"), source=view(*nodes))

    assert (result["x/fifo"].kind, result["y"].kind, result["x/null"].device) == ("fifo", "fifo", (1, 3))


def test_copied_file_keeps_mode_owner_time_and_capabilities() -> None:
    xattrs = (("security.capability", b"\1"), ("security.selinux", b"no"), ("user.a", b"1"))
    source = view(file("f", b"1", mode=0o4751, uid=7, gid=8, xattrs=xattrs))

    entry = run(copy("f", "/x"), source=source)["x"]

    assert (entry.mode, entry.uid, entry.gid, entry.mtime_ns, entry.size) == (0o4751, 7, 8, OLD_NS, 1)
    assert entry.xattrs == (("security.capability", b"\1"), ("user.a", b"1"))


def test_new_top_directory_has_plain_attributes_and_the_time_of_the_source() -> None:
    source = view(directory("d", mode=0o700, uid=7, gid=7), "d/a")

    assert attributes(run(copy("d", "/x"), source=source), "x") == (0o755, 0, 0, OLD_NS)


def test_new_top_directory_takes_numeric_chmod_and_chown() -> None:
    result = run(copy("d", "/x", mode=0o711, owner=Owner(1, 2)), source=view("d/a"))

    assert attributes(result, "x") == (0o711, 1, 2, OLD_NS)


def test_top_directory_that_was_there_takes_only_the_time() -> None:
    below = view(Node(Entry("x", "dir", 0o1777, 5, 6, mtime_ns=1)))

    result = run(copy("d", "/x", mode=0o711, owner=Owner(1, 2)), source=view("d/a"), below=below)

    assert attributes(result, "x") == (0o1777, 5, 6, OLD_NS)


def test_root_takes_the_time_of_a_directory_copied_to_it() -> None:
    assert run(copy("d", "/"), source=view("d/a"))[""].mtime_ns == OLD_NS


@pytest.mark.parametrize("below", [view(), view("x/s/")])
def test_nested_directory_takes_the_attributes_of_the_source(below: StackView) -> None:
    source = view(directory("d/s", mode=0o2750, uid=7, gid=8), "d/s/b")

    assert attributes(run(copy("d", "/x"), source=source, below=below), "x/s") == (0o2750, 7, 8, OLD_NS)


def test_parents_made_on_the_way_are_plain_and_of_the_time_of_the_step() -> None:
    result = run(copy("f", "/a/b/c", mode="u+s"), source=view(file("f", uid=7, gid=7)))

    assert attributes(result, "a") == attributes(result, "a/b") == (0o755, 0, 0, NOW_NS)
    assert result["a/b/c"].mode == 0o4644


def test_parents_made_on_the_way_take_numeric_chmod_and_chown() -> None:
    result = run(copy("f", "/a/b", mode=0o640, owner=Owner(1, 2)), source=view("f"))

    assert attributes(result, "a") == (0o640, 1, 2, NOW_NS)


def test_parents_that_were_there_are_listed_with_their_own_attributes() -> None:
    below = view(directory("a", mode=0o1777, uid=3, opaque=True), directory("a/b", gid=4))

    result = run(copy("f", "/a/b/c"), source=view("f"), below=below)

    assert attributes(result, "a") == (0o1777, 3, 0, OLD_NS)
    assert not result["a"].opaque
    assert attributes(result, "a/b") == (0o755, 0, 4, OLD_NS)


def test_numeric_chmod_reaches_files_and_directories_but_no_links() -> None:
    result = run(copy("d", "/x", mode=0o640), source=view("d/s/b", symlink("d/l", "a")))

    assert [result[path].mode for path in ("x", "x/s", "x/s/b", "x/l")] == [0o640, 0o640, 0o640, 0o777]


def test_directories_on_the_way_get_the_permissions_of_chmod_alone() -> None:
    result = run(copy("f", "/a/b", mode=0o7711), source=view("f"))

    assert [result[path].mode for path in ("a", "a/b")] == [0o711, 0o7711]


def test_symbolic_chmod_changes_each_source_mode() -> None:
    source = view(file("d/a", mode=0o700), file("d/b", mode=0o600), "d/s/")

    result = run(copy("d", "/x", mode="go=u,a+X"), source=source)

    assert [result[path].mode for path in ("x", "x/a", "x/b", "x/s")] == [0o755, 0o777, 0o666, 0o777]


def test_chown_reaches_files_directories_and_links() -> None:
    result = run(copy("d", "/x", owner=Owner(1, 2)), source=view("d/s/b", symlink("d/l", "a")))

    assert {(node.entry.uid, node.entry.gid) for node in result.nodes if node.entry.path} == {(1, 2)}


def test_chown_by_name_reads_the_accounts_of_the_base() -> None:
    below = view(file("etc/passwd", b"app:x:10:20::/:\n"), file("etc/group", b"staff:x:30:\n"))

    result = run(copy("f", "/x", owner=Owner("app", "staff")), source=view("f"), below=below)

    assert attributes(result, "x")[1:3] == (10, 30)


def test_chown_by_name_on_an_empty_base_is_refused() -> None:
    with pytest.raises(SnapshotError, match=r"^invalid user index: -1"):
        run(copy("f", "/x", owner=Owner("app")), source=view("f"))


@pytest.mark.parametrize(("owner", "expected"), [(None, False), (Owner(1, 2), False), (Owner("app"), True)])
def test_plan_says_whether_it_needs_the_accounts_of_the_base(owner: Owner | None, expected: bool) -> None:
    operation = File(base=0, actions=(copy("f", "/x"), MakeDirectory(path="/d", owner=owner)))

    assert FilePlan(operation, [None, None]).needs_accounts is expected


def test_hard_links_within_a_source_are_kept() -> None:
    result = run(copy("d", "/x"), source=view("d/b", hardlink("d/a", "d/b"), "d/c"))

    assert [(result[path].kind, result[path].link) for path in ("x/a", "x/b", "x/c")] == [
        ("file", ""),
        ("hardlink", "x/a"),
        ("file", ""),
    ]
    assert result.files == {"x/a": b"d/b", "x/c": b"d/c"}


def test_hard_links_across_sources_are_separate_files() -> None:
    result = run(copy("a", "b", "/x/"), source=view("a", hardlink("b", "a")))

    assert result.files == {"x/a": b"a", "x/b": b"a"}


def test_overwriting_one_name_of_a_file_leaves_the_others() -> None:
    source = view("d/a", hardlink("d/b", "d/a"), hardlink("d/c", "d/a"), "e/a")

    result = run(copy("d", "e", "/x/"), source=source)

    assert result.files == {"x/a": b"e/a", "x/b": b"d/a"}
    assert result["x/c"].link == "x/b"


def test_link_to_a_replaced_file_of_a_lower_layer_is_not_linked_to_the_new_one() -> None:
    lower = layer("d/a", hardlink("d/b", "d/a"))
    upper = layer(file("d/a", b"new"), hardlink("d/c", "d/a"))

    result = run(copy("d", "/x"), source=StackView([lower, upper]))

    assert result.files == {"x/a": b"new", "x/b": b"d/a"}
    assert result["x/c"].link == "x/a"


@pytest.mark.parametrize("below", [view(), view("a")])
def test_path_is_not_put_where_its_parent_is_no_directory(below: StackView) -> None:
    with pytest.raises(PathConflict, match=r"^mkdir /a: not a directory$"):
        PendingLayer(below).put(file("a/b"))


def test_result_is_sorted_with_parents_first_and_each_path_once() -> None:
    result = run(copy("b", "/x/y/"), copy("a", "/x/y-z/"), copy("a", "/x/y/"), source=view("a", "b"))

    assert result.paths == "x x/y x/y/a x/y/b x/y-z x/y-z/a"


def test_source_of_an_empty_file_system_is_not_found() -> None:
    with pytest.raises(PathNotFound, match=r'"/f": not found$'):
        run(copy("f", "/x"))


def test_workdir_makes_the_directory_and_its_parents() -> None:
    result = run(MakeDirectory(path="/a/b", owner=Owner(1, 2), mode=0o750, mtime=7))

    assert attributes(result, "a") == attributes(result, "a/b") == (0o750, 1, 2, 7_000_000_000)


def test_workdir_that_exists_changes_nothing_at_all() -> None:
    assert run(MakeDirectory(path="/a", owner=Owner(1, 2)), below=view("a/")).nodes == []


def test_workdir_lists_existing_parents_of_what_it_makes() -> None:
    result = run(MakeDirectory(path="/a/b"), below=view(directory("a", mode=0o1777)))

    assert attributes(result, "a") == (0o1777, 0, 0, OLD_NS)
    assert attributes(result, "a/b") == (0o755, 0, 0, NOW_NS)


def test_workdir_follows_links_of_the_image() -> None:
    result = run(MakeDirectory(path="/run/app"), below=view(symlink("run", "/var/run"), "var/run/"))

    assert result.paths == "var var/run var/run/app"


def test_workdir_below_a_file_is_refused() -> None:
    with pytest.raises(PathConflict, match=r"^mkdir /a: not a directory$"):
        run(MakeDirectory(path="/a/b"), below=view("a"))


def attributes(result: Result, path: str) -> tuple[int, int, int, int]:
    entry = result[path]
    return entry.mode, entry.uid, entry.gid, entry.mtime_ns
