"""Mount points that an image lacks, and what hostile images put in their place."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from builder.executor.errors import ExecutorError
from builder.executor.mountpoints import locate, make_stubs

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def view(tmp_path: Path) -> Path:
    (tmp_path / "view").mkdir()
    return tmp_path / "view"


@pytest.fixture
def stubs(tmp_path: Path) -> Path:
    (tmp_path / "stubs").mkdir()
    (tmp_path / "upper").mkdir()
    return tmp_path / "stubs"


def made(stubs: Path) -> set[str]:
    return {str(path.relative_to(stubs)) for path in stubs.rglob("*")}


def test_an_empty_image_gets_all_mount_points_of_which_the_kernel_s_stay(view: Path, stubs: Path) -> None:
    make_stubs(str(view), str(stubs), upper=str(stubs.parent / "upper"))
    assert made(stubs) == {"etc", "etc/hosts", "etc/resolv.conf"}
    assert made(stubs.parent / "upper") == {"proc", "sys", "dev"}


def test_what_the_image_has_is_not_made_again(view: Path, stubs: Path) -> None:
    for name in ("proc", "sys", "dev", "etc"):
        (view / name).mkdir()
    for name in ("hosts", "resolv.conf"):
        (view / "etc" / name).touch()
    make_stubs(str(view), str(stubs), upper=str(stubs.parent / "upper"))
    assert made(stubs) == set()


def test_a_directory_of_the_image_keeps_its_mode_and_times(view: Path, stubs: Path) -> None:
    (view / "etc").mkdir()
    (view / "etc").chmod(0o2710)
    os.utime(view / "etc", ns=(1_000_000_001, 2_000_000_002))
    make_stubs(str(view), str(stubs), upper=str(stubs.parent / "upper"))
    status = (stubs / "etc").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_mtime_ns) == (0o2710, 2_000_000_002)


def test_a_dangling_link_gets_its_target_inside_the_image(view: Path, stubs: Path) -> None:
    (view / "etc").mkdir()
    (view / "etc/resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")
    make_stubs(str(view), str(stubs), upper=str(stubs.parent / "upper"))
    assert "run/systemd/resolve/stub-resolv.conf" in made(stubs)


def test_a_link_that_climbs_out_of_the_image_stays_inside(view: Path, stubs: Path, tmp_path: Path) -> None:
    (view / "etc").symlink_to("../../../../outside")
    make_stubs(str(view), str(stubs), upper=str(stubs.parent / "upper"))
    assert "outside/hosts" in made(stubs) and not (tmp_path / "outside").exists()


@pytest.mark.parametrize("name", ["proc", "sys", "dev"])
@pytest.mark.parametrize("target", ["/etc", "etc", "/nonexistent", "../../etc"])
def test_a_link_in_place_of_a_kernel_directory_is_refused(
    view: Path, stubs: Path, name: str, target: str
) -> None:
    (view / name).symlink_to(target)
    with pytest.raises(ExecutorError, match=f"the image's /{name} is not a directory"):
        make_stubs(str(view), str(stubs), upper=str(stubs.parent / "upper"))


def test_a_file_in_place_of_a_kernel_directory_is_refused(view: Path, stubs: Path) -> None:
    (view / "dev").touch()
    with pytest.raises(ExecutorError, match="the image's /dev is not a directory"):
        make_stubs(str(view), str(stubs), upper=str(stubs.parent / "upper"))


def test_a_pipe_in_place_of_the_hosts_file_is_refused(view: Path, stubs: Path) -> None:
    (view / "etc").mkdir()
    os.mkfifo(view / "etc/hosts")
    with pytest.raises(ExecutorError, match="the image's /etc/hosts is not a regular file"):
        make_stubs(str(view), str(stubs), upper=str(stubs.parent / "upper"))


def test_a_file_in_place_of_a_parent_is_refused(view: Path, stubs: Path) -> None:
    (view / "etc").touch()
    with pytest.raises(ExecutorError, match="the image's /etc is not a directory"):
        make_stubs(str(view), str(stubs), upper=str(stubs.parent / "upper"))


def test_links_in_a_circle_are_refused(view: Path) -> None:
    (view / "a").symlink_to("b")
    (view / "b").symlink_to("a")
    with pytest.raises(ExecutorError, match="loop of symbolic links"):
        locate(str(view), "a/x")


def test_a_path_is_located_behind_absolute_and_relative_links(view: Path) -> None:
    (view / "usr/etc").mkdir(parents=True)
    (view / "usr/etc/hosts").touch()
    (view / "etc").symlink_to("/usr/./lib/../etc")
    location, mode = locate(str(view), "etc/hosts")
    assert location == "usr/etc/hosts" and mode is not None and stat.S_ISREG(mode)
