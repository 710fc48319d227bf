"""What the repository around a context says of it, and what it cannot make us do."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from builder.api.options import BuildOptions
from builder.api.witness import Witness
from builder.source.errors import SourceError
from builder.source.vcs import VcsOptions, local_directories, read_checkout, without_user

if TYPE_CHECKING:
    from pathlib import Path


def git(where: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    return subprocess.check_output(["git", *identity, *arguments], cwd=where, text=True).strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "app").mkdir(parents=True)
    (folder / "app" / "file").write_text("x")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    return folder


def test_a_directory_in_no_repository_has_no_checkout(tmp_path: Path) -> None:
    assert read_checkout(tmp_path, check_dirty=True) is None


def test_a_repository_without_a_commit_has_no_revision(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    found = read_checkout(tmp_path, check_dirty=True)
    assert found is not None
    assert (found.root, found.revision, found.source) == (tmp_path.resolve(), "", "")


def test_a_file_that_was_added_makes_the_revision_dirty_when_somebody_asks(repository: Path) -> None:
    revision = git(repository, "rev-parse", "HEAD")
    (repository / "new").write_text("x")
    asked = read_checkout(repository / "app", check_dirty=True)
    silent = read_checkout(repository / "app", check_dirty=False)
    assert asked is not None
    assert silent is not None
    assert (asked.revision, silent.revision) == (f"{revision}-dirty", revision)


def test_the_source_is_the_remote_that_the_branch_follows(repository: Path) -> None:
    git(repository, "remote", "add", "origin", "https://example.com/fork.git")
    git(repository, "remote", "add", "other", "https://me:pw@example.com/r.git")
    git(repository, "config", "branch.main.remote", "other")
    found = read_checkout(repository, check_dirty=False)
    assert found is not None
    assert found.source == "https://example.com/r.git"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://me:pw@h/r", "https://h/r"),
        ("https://h/r@1", "https://h/r@1"),
        ("git@github.com:a/b.git", "git@github.com:a/b.git"),
        ("ssh://git@h:22/r", "ssh://h:22/r"),
    ],
)
def test_an_address_has_no_user(url: str, expected: str) -> None:
    assert without_user(url) == expected


def test_directories_outside_of_the_working_tree_are_not_told(repository: Path, tmp_path: Path) -> None:
    found = read_checkout(repository, check_dirty=False)
    assert found is not None
    directories = {"context": repository / "app", "dockerfile": tmp_path}
    assert local_directories(found, directories) == {"context": "app"}


def test_no_monitor_that_the_repository_configures_is_run(repository: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    git(repository, "config", "core.fsmonitor", f"touch {mark}; false")
    read_checkout(repository, check_dirty=True)
    assert not mark.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a repository away")
def test_a_repository_of_somebody_else_is_not_read(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    for path in (repository, repository / ".git"):
        os.chown(path, 65534, 65534)
    with pytest.raises(SourceError, match="failed to read current commit information"):
        read_checkout(repository, check_dirty=False)


def test_labels_say_the_revision_and_where_the_dockerfile_is_on_request(repository: Path) -> None:
    labels = Witness(BuildOptions(context=str(repository / "app"), vcs=VcsOptions(labels=True))).labels()
    assert labels == {
        "org.opencontainers.image.revision": git(repository, "rev-parse", "HEAD"),
        "com.docker.image.source.entrypoint": "app/Dockerfile",
    }
    assert Witness(BuildOptions(context=str(repository))).labels() == {}
