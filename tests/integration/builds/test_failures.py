"""Bad input and bad luck: one clear message, exit code 1, and a store that is sound."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from building import processes_under

if TYPE_CHECKING:
    from building import Project

pytestmark = pytest.mark.root


def assert_sound(project: Project) -> None:
    checked = project.dockyard("store", "gc", "--check")
    assert checked.code == 0, checked.out + checked.err


def test_a_missing_copy_source_names_the_path_and_the_line(project: Project) -> None:
    outcome = project.build("FROM busybox\nCOPY nope /\n", "-t", "x")
    assert outcome.code == 1 and '"/nope": not found' in outcome.err and ">>> COPY nope /" in outcome.err
    assert_sound(project)


def test_an_unknown_stage_is_an_error_before_anything_runs(project: Project) -> None:
    outcome = project.build("FROM busybox AS build\nRUN true\n", "--target", "bulid")
    assert outcome.code == 1 and "(did you mean build?)" in outcome.err and not outcome.executed


def test_a_failing_run_shows_the_step_its_code_and_its_output(project: Project) -> None:
    outcome = project.build("FROM busybox\nRUN echo last words; exit 7\n", "-t", "x")
    assert outcome.code == 1
    assert (
        'process "/bin/sh -c echo last words; exit 7" did not complete successfully: exit code: 7'
        in outcome.err
    )
    assert outcome.err.count("last words") >= 2 and "Dockerfile:2" in outcome.err
    assert_sound(project)


def test_a_failing_step_stops_its_siblings(project: Project) -> None:
    text = "FROM busybox AS a\nRUN sleep 60\nFROM busybox AS b\nRUN false\nFROM a\nCOPY --from=b / /\n"
    started = time.monotonic()
    outcome = project.build(text, "-o", "type=cacheonly")
    assert outcome.code == 1 and time.monotonic() - started < 30
    assert processes_under(project.root) == []


def test_a_name_that_failed_to_build_does_not_exist(project: Project) -> None:
    project.build("FROM busybox\nRUN false\n", "-t", "x")
    assert project.dockyard("images", "-q").out == ""


def broken_layout(project: Project, target: Path) -> Path:
    shutil.copytree(project.busybox, target)
    index = json.loads((target / "index.json").read_text())
    nested = json.loads(blob(target, index["manifests"][0]["digest"]).read_text())
    manifest = next(each for each in nested["manifests"] if each["platform"]["architecture"] == "amd64")
    return blob(target, json.loads(blob(target, manifest["digest"]).read_text())["layers"][0]["digest"])


def blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")


def build_on(project: Project, layout: Path) -> str:
    project.busybox = layout
    outcome = project.build("FROM busybox\nRUN true\n", "-t", "x")
    assert outcome.code == 1 and "Traceback" not in outcome.err
    assert_sound(project)
    return outcome.err


def test_a_layer_with_a_wrong_digest_is_named_and_not_kept(project: Project, tmp_path: Path) -> None:
    layer = broken_layout(project, tmp_path / "layout")
    content = bytearray(layer.read_bytes())
    content[len(content) // 2] ^= 1
    layer.chmod(0o644)
    layer.write_bytes(content)
    assert layer.name in build_on(project, tmp_path / "layout")
    assert not (project.root / "content/blobs/sha256" / layer.name).exists()


def test_a_layer_that_is_missing_from_a_layout_is_named(project: Project, tmp_path: Path) -> None:
    layer = broken_layout(project, tmp_path / "layout")
    layer.unlink()
    assert layer.name in build_on(project, tmp_path / "layout")


def test_an_interrupted_build_ends_at_once_and_leaves_no_process(project: Project) -> None:
    assert project.interrupted("-t", "x") == 130
    assert processes_under(project.root) == []
    assert_sound(project)


def test_a_full_disk_is_one_clear_message(project: Project, tmp_path: Path) -> None:
    mounted = tmp_path / "small"
    mounted.mkdir()
    image = tmp_path / "disk"
    subprocess.run(["truncate", "-s", "24M", image], check=True)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, mounted], check=True)
    try:
        project.root = mounted / "root"
        project.write("big", random.Random(1).randbytes(30 << 20))
        outcome = project.build("FROM busybox\nCOPY big /\n", "-t", "x")
        assert outcome.code == 1 and "No space left on device" in outcome.err, outcome.err
        assert "Traceback" not in outcome.err
        assert_sound(project)
    finally:
        subprocess.run(["umount", mounted], check=True)


def test_a_build_killed_at_any_moment_leaves_nothing_and_can_be_repeated(project: Project) -> None:
    text = "FROM busybox\nCOPY . /src\nRUN cat /src/* > /all; sleep 0.2\nRUN rm -r /src\n"
    for number in range(20):
        project.write(f"file{number}", str(number) * 1000)
    arguments = project.command(*project.build_arguments(text, "-t", "x", "--no-cache"))
    chance = random.Random(7)
    for _ in range(20):
        running = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.02, 1.2))
        running.kill()
        running.wait()
    wait_until_gone(project)
    assert str(project.root) not in Path("/proc/self/mountinfo").read_text()
    assert project.build(text, "-t", "x").code == 0
    assert project.dockyard("store", "gc").code == 0
    assert_sound(project)
    assert list((project.root / "content/ingest").iterdir()) == []


def wait_until_gone(project: Project) -> None:
    for _ in range(100):
        if not processes_under(project.root):
            return
        time.sleep(0.05)
    raise AssertionError(processes_under(project.root))
