"""`dockyard cache export` and `import`: a step on another state root finds what the mount held."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from building import Project

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.root
STEP = "FROM busybox\nRUN --mount=type=cache,id=kept,target=/c ({}) > /out\n"


@pytest.mark.parametrize("name", ["mounts.tar.zst", "mounts.tar.gz", "mounts.tar"])
def test_a_step_on_a_second_root_sees_the_file_of_the_first(
    project: Project, tmp_path: Path, name: str
) -> None:
    archive = str(tmp_path / name)
    project.built(STEP.format("echo warm > /c/word"), "-o", "type=cacheonly")
    second = Project(project.context, tmp_path / "second", project.busybox)

    exported = project.dockyard("cache", "export", archive)
    imported = second.dockyard("cache", "import", archive)
    image = second.image(STEP.format("cat /c/word"))
    again = second.dockyard("cache", "import", archive)

    assert (exported.code, exported.err) == (0, "Exported cache mounts: 1\n")
    assert (imported.code, imported.err) == (0, "Imported cache mounts: 1\n")
    assert image.text("out") == "warm\n"
    assert again.code == 0
    assert "was used here since, and stays; --force replaces it\nImported cache mounts: 0\n" in again.err


def test_a_pipe_takes_them_and_a_damaged_archive_leaves_nothing(project: Project, tmp_path: Path) -> None:
    project.built(STEP.format("echo warm > /c/word"), "-o", "type=cacheonly")
    archive = tmp_path / "mounts.tar.gz"
    assert project.dockyard("cache", "export", str(archive)).code == 0
    second = Project(project.context, tmp_path / "second", project.busybox)

    damaged = second.dockyard("cache", "import", "-", stdin=archive.read_bytes()[:-4])
    left = [path.name for place in ("cache-mounts", "work") for path in second.root.glob(f"{place}/*")]
    whole = second.dockyard("cache", "import", "-", stdin=archive.read_bytes())

    assert damaged.code == 1
    assert damaged.err.startswith("ERROR: invalid archive of cache mounts: ")
    assert left == []
    assert whole.err == "Imported cache mounts: 1\n"
