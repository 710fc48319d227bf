"""What a step leaves in its layer: all that it changed, and nothing that its container needed."""

from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING

import pytest

from builder.executor import ExecutorError

if TYPE_CHECKING:
    from pathlib import Path

    from laboratory import Laboratory

pytestmark = pytest.mark.root


def everything(upper: Path) -> set[str]:
    return {str(path.relative_to(upper)) for path in upper.rglob("*")}


def test_a_step_that_changes_nothing_leaves_an_empty_layer(lab: Laboratory) -> None:
    assert everything(lab.sh("true")) == set()


def test_an_image_without_any_mount_point_keeps_those_that_every_step_has(lab: Laboratory) -> None:
    name, tree = lab.tree("bare")
    (tree / "bin").mkdir()
    for program in ("busybox", "true"):
        shutil.copy(lab.trees / "amd64/bin/busybox", tree / "bin" / program)
    step = lab.step("true", lower=(name,))
    assert lab.run(step) == 0 and everything(step.upper) == {"dev", "proc", "sys"}


def test_hosts_and_resolver_cannot_be_written_to(lab: Laboratory) -> None:
    upper = lab.sh(
        "(echo x >> /etc/hosts) || echo no hosts; (echo x > /etc/resolv.conf) || echo no resolver; true"
    )
    assert "no hosts" in lab.text and "no resolver" in lab.text and everything(upper) == set()


def test_a_new_file_brings_its_directory_with_the_attributes_it_had(lab: Laboratory) -> None:
    name, tree = lab.tree("etc")
    (tree / "etc").mkdir()
    (tree / "etc").chmod(0o2751)
    os.chown(tree / "etc", 5, 6)
    upper = lab.sh("echo x > /etc/new", lower=(name, "amd64"))
    status = (upper / "etc").stat()
    assert everything(upper) == {"etc", "etc/new"}
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o2751, 5, 6)


def test_the_root_directory_keeps_its_attributes(lab: Laboratory) -> None:
    name, tree = lab.tree("root")
    tree.chmod(0o751)
    os.chown(tree, 7, 8)
    os.utime(tree, ns=(0, 1_234_567_890))
    upper = lab.sh("true", lower=(name, "amd64"))
    status = upper.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, status.st_mtime_ns) == (
        0o751,
        7,
        8,
        1_234_567_890,
    )


def test_a_removed_file_is_a_whiteout(lab: Laboratory) -> None:
    status = (lab.sh("rm /bin/ls") / "bin/ls").lstat()
    assert stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def test_a_directory_that_was_replaced_is_opaque(lab: Laboratory) -> None:
    upper = lab.sh("rm -r /home && mkdir /home && touch /home/new")
    assert os.getxattr(upper / "home", "trusted.overlay.opaque") == b"y"


def test_names_of_one_file_stay_names_of_one_file(lab: Laboratory) -> None:
    upper = lab.sh("echo x > /one; ln /one /two")
    assert (upper / "one").stat().st_ino == (upper / "two").stat().st_ino


def test_owners_and_modes_are_exact(lab: Laboratory) -> None:
    upper = lab.sh("echo x > /tool; chown 33:44 /tool; chmod 6755 /tool; mkdir -m 1777 /drop; echo > /plain")
    tool = (upper / "tool").stat()
    assert (stat.S_IMODE(tool.st_mode), tool.st_uid, tool.st_gid) == (0o6755, 33, 44)
    assert stat.S_IMODE((upper / "drop").stat().st_mode) == 0o1777
    assert stat.S_IMODE((upper / "plain").stat().st_mode) == 0o644


def test_device_nodes_and_pipes_can_be_made(lab: Laboratory) -> None:
    upper = lab.sh("mknod /null c 1 3; mkfifo /pipe")
    assert (upper / "null").lstat().st_rdev == os.makedev(1, 3)
    assert stat.S_ISFIFO((upper / "pipe").lstat().st_mode)


def test_a_working_directory_that_is_missing_is_made_and_belongs_to_the_layer(lab: Laboratory) -> None:
    upper = lab.sh("pwd", cwd="/new/place")
    assert lab.text == "/new/place\n" and "new/place" in everything(upper)


def test_two_hundred_layers_are_one_file_system(lab: Laboratory) -> None:
    names = []
    for number in range(200):
        name, tree = lab.tree(f"a-layer-with-a-long-name-{number}")
        (tree / f"file-{number}").touch()
        names.append(name)
    lab.sh("ls -d /file-* | wc -l", lower=(*reversed(names), "amd64"))
    assert lab.text == "200\n"


def test_more_layers_than_the_kernel_takes_are_an_error_that_says_so(lab: Laboratory) -> None:
    with pytest.raises(ExecutorError, match="too many layers"):
        lab.run(lab.step("true", lower=("amd64",) * 501))


def test_the_topmost_layer_comes_first(lab: Laboratory) -> None:
    names = []
    for content in ("top", "bottom"):
        name, tree = lab.tree(content)
        (tree / "file").write_text(content)
        names.append(name)
    lab.sh("cat /file", lower=(*names, "amd64"))
    assert lab.text == "top"


@pytest.mark.parametrize("name", ["../outside", "/etc", "missing"])
def test_a_tree_name_that_leads_elsewhere_is_refused(lab: Laboratory, name: str) -> None:
    (lab.trees.parent / "outside").mkdir(exist_ok=True)
    with pytest.raises(ExecutorError):
        lab.run(lab.step("true", lower=(name,)))


def test_a_link_among_the_trees_is_not_followed(lab: Laboratory) -> None:
    link = lab.trees / f"{lab.folder.name}-link"
    link.symlink_to("amd64")
    with pytest.raises(ExecutorError):
        lab.run(lab.step("true", lower=(link.name,)))


def test_the_trees_are_never_written_to(lab: Laboratory) -> None:
    before = {(str(path), path.lstat().st_mtime_ns) for path in (lab.trees / "amd64").rglob("*")}
    lab.sh("rm /bin/ls; echo x > /etc/passwd; chmod 700 /bin; touch /bin/busybox")
    assert {(str(path), path.lstat().st_mtime_ns) for path in (lab.trees / "amd64").rglob("*")} == before
