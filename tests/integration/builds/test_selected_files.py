"""COPY with --parents and --exclude: which files arrive, where, and what counts for the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from building import Project

pytestmark = pytest.mark.root


@pytest.fixture
def tree(project: Project) -> Project:
    for path in ("x/a.txt", "x/y/b.txt", "x/y/c.md", "x/y/z/d.txt", "p1/s/f", "p2/s/g", "p2/t/f", "top.txt"):
        project.write(path, path)
    (project.context / "x/y").chmod(0o700)
    return project


def copied(project: Project, arguments: str) -> set[str]:
    """The files below /d that `COPY arguments` makes."""
    image = project.image(f"FROM scratch\nCOPY {arguments}\n")
    return {name[2:] for name in image.content if name.startswith("d/")}


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        ("--parents x/a.txt p1/s/f /d/", {"x/a.txt", "p1/s/f"}),
        ("--parents x/./y/*.txt /d/", {"y/b.txt"}),
        ("--parents x/y/ /d/", {"x/y/b.txt", "x/y/c.md", "x/y/z/d.txt"}),
        ("--parents **/*.txt /d/", {"x/a.txt", "x/y/b.txt", "x/y/z/d.txt", "top.txt"}),
        ("--parents p*/./s/* /d/", {"s/f", "s/g"}),
        ("--parents x/./**/d.txt /d", {"y/z/d.txt"}),
        ("--parents ./x/./a.txt /d/", {"x/a.txt"}),
        ("--parents --exclude=**/z x /d/", {"x/a.txt", "x/y/b.txt", "x/y/c.md"}),
        ("--exclude=*.txt x /d/", {"y/b.txt", "y/c.md", "y/z/d.txt"}),
        ("--exclude=**/*.txt x /d/", {"y/c.md"}),
        ("--exclude=y --exclude=!y/z/d.txt x /d/", {"a.txt", "y/z/d.txt"}),
        ("--exclude=*.txt top.txt x/y /d/", {"top.txt", "c.md", "z/d.txt"}),
        ("--exclude=*.txt top* /d/", {"top.txt"}),
    ],
)
def test_the_files_that_a_copy_selects_arrive(tree: Project, arguments: str, files: set[str]) -> None:
    assert copied(tree, arguments) == files


def test_parents_that_are_made_again_keep_their_modes(tree: Project) -> None:
    image = tree.image("FROM scratch\nCOPY --parents x/y/b.txt /d/\n")
    assert image.files["d/x/y"].mode == 0o700 and image.files["d/x"].mode == 0o755


def test_a_path_with_parents_that_is_missing_is_an_error(tree: Project) -> None:
    outcome = tree.build("FROM scratch\nCOPY --parents x/nope /d/\n", "-t", "x")
    assert outcome.code == 1 and '"/x/nope": not found' in outcome.err


def test_a_wildcard_with_parents_that_matches_nothing_makes_the_destination(tree: Project) -> None:
    image = tree.image("FROM scratch\nCOPY --parents **/*.nope /d/\n")
    assert image.files["d"].isdir() and not image.content


def test_a_link_on_the_way_is_copied_and_not_followed(tree: Project) -> None:
    (tree.context / "out").symlink_to("/etc")
    assert copied(tree, "--parents out* /d/") == set()
    outcome = tree.build("FROM scratch\nCOPY --parents out/hostname /d/\n", "-t", "x")
    assert outcome.code == 1 and "not found" in outcome.err


def test_a_change_of_an_excluded_file_keeps_the_cache(tree: Project) -> None:
    text = "FROM busybox\nCOPY --exclude=**/*.md x /d/\nRUN ls /d\n"
    tree.built(text, "-t", "x")
    tree.write("x/y/c.md", "changed")
    assert tree.built(text, "-t", "x").executed == []
    tree.write("x/y/b.txt", "changed")
    assert len(tree.built(text, "-t", "x").executed) == 2


def test_a_change_beside_the_selected_paths_keeps_the_cache(tree: Project) -> None:
    text = "FROM busybox\nCOPY --parents **/*.txt /d/\nRUN ls /d\n"
    tree.built(text, "-t", "x")
    tree.write("x/y/c.md", "changed")
    assert tree.built(text, "-t", "x").executed == []


def test_the_history_shows_parents_and_no_excludes(tree: Project) -> None:
    image = tree.image("FROM scratch\nCOPY --exclude=*.md --parents x /d/\n")
    assert image.config["history"][-1]["created_by"] == "COPY --parents x /d/ # buildkit"
