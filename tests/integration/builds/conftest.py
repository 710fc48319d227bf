"""The project that each test of builds gets, and servers for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from building import Project
from servers import BODY, Handler, git, git_daemon, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path, dockyard_root: Path, busybox_layout: Path) -> Project:
    context = tmp_path / "context"
    context.mkdir()
    return Project(context, dockyard_root, busybox_layout)


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a server of `Handler.files`."""
    Handler.files = {"/a/file.txt?x=1": BODY, "/": BODY, "/a/..%2Fevil": BODY, "/star%2A.txt": BODY}
    Handler.moved = {"/loop": "/loop"}
    Handler.asked, Handler.headers_seen = [], []
    with serving() as address:
        yield address


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with two commits, a branch, an annotated tag, a script, and links."""
    folder = tmp_path / "served" / "r.git"
    (folder / "sub").mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    (folder / "f").write_text("one")
    (folder / "sub/script").write_text("#!/bin/sh\n")
    (folder / "sub/script").chmod(0o755)
    (folder / "out").symlink_to("/etc")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    git(folder, "tag", "-a", "v1", "-m", "v1")
    (folder / "f").write_text("two")
    git(folder, "commit", "-qam", "two")
    git(folder, "branch", "feature")
    return folder


@pytest.fixture
def address(repository: Path) -> Iterator[str]:
    """The address of `repository`."""
    with git_daemon(repository.parent) as folder:
        yield f"{folder}/r.git"
