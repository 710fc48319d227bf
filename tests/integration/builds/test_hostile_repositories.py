"""Repositories whose trees were made by hand to reach what is not theirs."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from servers import Handler, git

if TYPE_CHECKING:
    from pathlib import Path

    from building import Project

pytestmark = pytest.mark.root


def store(repository: Path, *command: str, text: str) -> str:
    """The name of the object that `command` makes of `text`."""
    done = subprocess.run(
        ["git", *command], cwd=repository, input=text, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit_tree(repository: Path, entries: str) -> None:
    tree = store(repository, "mktree", text=entries)
    commit = git(repository, "commit-tree", tree, "-m", "by hand")
    git(repository, "update-ref", "refs/heads/main", commit)


@pytest.mark.parametrize("name", [".git", ".GIT", "git~1", ".g\u200cit", ".."])
def test_a_tree_with_a_directory_that_git_itself_would_read_is_refused(
    project: Project, address: str, repository: Path, name: str
) -> None:
    script = store(
        repository, "hash-object", "-w", "--stdin", text="[core]\n\tfsmonitor = touch /canary-git\n"
    )
    inner = store(repository, "mktree", text=f"100644 blob {script}\tconfig\n")
    commit_tree(repository, f"040000 tree {inner}\t{name}\n")
    outcome = project.build(f"FROM scratch\nADD {address} /d/\n", "-t", "x")
    assert outcome.code == 1 and "Traceback" not in outcome.err
    assert not list(project.root.rglob("canary-git"))


def test_a_link_and_a_file_below_it_do_not_leave_the_checkout(
    project: Project, address: str, repository: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    link = store(repository, "hash-object", "-w", "--stdin", text=str(outside))
    body = store(repository, "hash-object", "-w", "--stdin", text="evil")
    inner = store(repository, "mktree", text=f"100644 blob {body}\tf\n")
    commit_tree(repository, f"120000 blob {link}\ta\n040000 tree {inner}\tA\n")
    image = project.image(f"FROM scratch\nADD {address} /d/\n")
    assert not list(outside.iterdir()) and image.files["d/a"].linkname == str(outside)


def test_a_subdirectory_that_a_later_commit_makes_a_link_is_not_followed(
    project: Project, address: str, repository: Path
) -> None:
    text = f"FROM scratch\nADD {address}#main:sub /d/\n"
    assert project.build(text, "-t", "x").code == 0
    link = store(repository, "hash-object", "-w", "--stdin", text="/etc")
    commit_tree(repository, f"120000 blob {link}\tsub\n")
    outcome = project.build(text, "-t", "x", "--no-cache")
    assert outcome.code == 1 and "root:" not in outcome.err and "Traceback" not in outcome.err


def borrowing(repository: Path, lender: Path) -> Path:
    """A repository beside `repository` without objects of its own: those of `lender` are its alternates."""
    folder = repository.with_name("borrowing.git")
    git(repository.parent, "clone", "-q", "--bare", "--shared", str(lender), str(folder))
    assert (folder / "objects/info/alternates").read_text() == f"{lender}/objects\n"
    return folder


def test_what_a_server_borrows_from_elsewhere_is_copied_and_never_named(
    project: Project, address: str, repository: Path
) -> None:
    borrowing(repository, lender=repository / ".git")
    place = address.replace("r.git", "borrowing.git")
    image = project.image(f"FROM scratch\nADD --keep-git-dir=true {place} /d/\n")
    assert image.text("d/f") == "two"
    assert not [name for name in image.files if name.endswith("alternates")]


def serve_files(repository: Path, prefix: str) -> None:
    """Makes the files of a repository those of the server below `prefix`, for the transport without git."""
    git(repository, "update-server-info")
    for path in repository.rglob("*"):
        if path.is_file():
            Handler.files[f"{prefix}/{path.relative_to(repository)}"] = path.read_bytes()
    Handler.files[f"{prefix}/info/refs?service=git-upload-pack"] = (repository / "info/refs").read_bytes()


@pytest.mark.parametrize("name", ["http-alternates", "alternates"])
def test_a_repository_made_of_files_sends_nobody_to_another_place(
    project: Project, server: str, repository: Path, name: str
) -> None:
    lender = repository.with_name("lender.git")
    git(repository.parent, "clone", "-q", "--bare", str(repository), str(lender))
    serve_files(lender, "/elsewhere.git")
    project.built(f"FROM scratch\nADD {server}/elsewhere.git /d/\n", "-o", "type=cacheonly")

    serve_files(borrowing(repository, lender), "/r.git")
    Handler.files[f"/r.git/objects/info/{name}"] = b"/elsewhere.git/objects\n"
    Handler.asked.clear()
    outcome = project.build(f"FROM scratch\nADD {server}/r.git /d/\n", "-t", "x")

    assert outcome.code == 1 and "Traceback" not in outcome.err
    asked = [path for path, _ in Handler.asked]
    assert [path for path in asked if path.startswith("/r.git/")]
    assert not [path for path in asked if path.startswith("/elsewhere.git/")]
