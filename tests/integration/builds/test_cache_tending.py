"""`dockyard cache`: what it lists is on the disk, what it removes is not in use and comes free."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from builder.snapshot.treesizes import disk_usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from building import Project

pytestmark = pytest.mark.root
TWO_STAGES = (
    "FROM busybox AS made\n"
    "RUN --mount=type=cache,target=/kept dd if=/dev/zero of=/kept/x bs=1M count=3; "
    "dd if=/dev/urandom of=/a bs=1M count=2\n"
    "FROM busybox\nRUN dd if=/dev/urandom of=/b bs=1M count=4\nCOPY --from=made /a /c\n"
)
NOTHING = "Reclaimable:    0B\nTotal:          0B\n"


def usage(project: Project, *words: str) -> list[dict[str, Any]]:
    outcome = project.dockyard("cache", "du", "--format", "json", *words)
    assert outcome.code == 0, outcome.err
    return [json.loads(line) for line in outcome.out.splitlines()]


def entry(project: Project, description: str) -> dict[str, Any]:
    (found,) = usage(project, "--filter", f"description~={description}")
    return found


def pruned(project: Project, *words: str) -> str:
    outcome = project.dockyard("cache", "prune", "--force", *words)
    assert outcome.code == 0, outcome.err
    return outcome.out


@pytest.fixture
def waiting(project: Project) -> Iterator[subprocess.Popen[str]]:
    """A build in the middle of its second step, with a cache mount; `ended` lets it go on."""
    project.built("FROM busybox\nRUN echo first > /first\n", "-o", "type=cacheonly")
    text = (
        "FROM busybox\nRUN echo first > /first\n"
        "RUN --mount=type=cache,id=held,target=/c touch /c/here; "
        "while [ ! -e /c/go ]; do sleep 0.1; done; echo second > /second\n"
    )
    arguments = project.build_arguments(text, "-o", "type=cacheonly")
    process = subprocess.Popen(project.command(*arguments), stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(project.root.glob("cache-mounts/*/here")) and time.monotonic() < deadline:
        time.sleep(0.02)
    yield process
    process.kill()
    process.communicate()


def ended(project: Project, waiting: subprocess.Popen[str]) -> str:
    """What the build said, after it was let go."""
    for place in project.root.glob("cache-mounts/*/here"):
        place.with_name("go").touch()
    return waiting.communicate(timeout=60)[1]


def test_the_list_says_what_the_disk_has(project: Project) -> None:
    project.built(TWO_STAGES, "-o", "type=cacheonly")
    lines = project.dockyard("cache", "du").out.splitlines()
    total = next(line.split()[1] for line in lines if line.startswith("Total:"))

    assert lines[0].split() == ["ID", "RECLAIMABLE", "SIZE", "LAST", "ACCESSED"]
    taken = disk_usage(project.root / "trees") + disk_usage(project.root / "cache-mounts")
    blobs = disk_usage(project.root / "content")
    assert float(total.removesuffix("MB")) * 1e6 == pytest.approx(taken + blobs, rel=0.02)


def test_a_layer_that_an_image_has_is_shared_and_counts_once(project: Project) -> None:
    project.built(TWO_STAGES, "-t", "two")
    project.built(TWO_STAGES + "RUN echo more > /more\n", "-t", "three")

    shared = [each for each in usage(project) if each["Shared"]]
    assert len([each for each in shared if each["Description"].startswith("layer of a base image")]) == 1
    assert entry(project, "RUN dd if=/dev/urandom of=/b")["Shared"]
    assert not entry(project, r"^\[made")["Shared"]


def test_why_names_images_and_what_stands_on_a_record(project: Project) -> None:
    project.built(TWO_STAGES, "-t", "two")
    found = entry(project, "RUN dd if=/dev/urandom of=/b")

    said = project.dockyard("cache", "du", "--why", found["ID"]).out

    assert "image docker.io/library/two:latest has its blob sha256:" in said
    assert "stands on it: [stage-1 2/3] COPY --from=made /a /c" in said


def test_pruning_takes_what_no_image_shares_and_all_takes_the_rest(project: Project) -> None:
    project.built(TWO_STAGES, "-t", "two")

    pruned(project)
    assert {each["Type"] for each in usage(project)} == {"regular"}
    assert all(each["Shared"] for each in usage(project))
    pruned(project, "--all")

    assert project.dockyard("cache", "du").out.endswith(NOTHING)
    assert list((project.root / "trees").iterdir()) == []
    assert project.dockyard("run", "two", "test", "-e", "/c").code == 0
    assert project.dockyard("store", "gc", "--check").out == "The store is sound.\n"


def test_notes_on_files_of_the_network_are_forgotten_after_two_months(project: Project, server: str) -> None:
    text = f"FROM scratch\nADD {server}/a/file.txt?x=1 /\nADD {server}/star%2A.txt /\n"
    project.built(text, "-o", "type=cacheonly")
    old, new = (project.root / "downloads").iterdir()
    os.utime(old, (0, 0))
    project.dockyard("store", "gc")
    assert list((project.root / "downloads").iterdir()) == [new]
    assert project.built(text, "-o", "type=cacheonly").code == 0
    assert old.exists()


def test_repair_forgets_a_tree_that_is_missing_and_its_step_runs_again(project: Project) -> None:
    text = "FROM busybox\nRUN echo made > /a\n"
    project.built(text, "-o", "type=cacheonly")
    lost = entry(project, "RUN echo made")["ID"]
    shutil.rmtree(project.root / "trees" / lost)
    checked = project.dockyard("store", "gc", "--check")
    assert f"layer {lost}: its tree is missing" in checked.out + checked.err

    said = project.dockyard("store", "gc", "--repair").out

    assert said == f"the tree of layer {lost} was missing and is forgotten\nThe store is sound.\n"
    again = project.built(f"{text}RUN cat /a\n", "-o", "type=cacheonly")
    assert len(again.executed) == 2, again.err


def test_what_pruning_says_it_freed_is_free(project: Project) -> None:
    project.built(TWO_STAGES, "-o", "type=cacheonly")
    before = sum(disk_usage(project.root / name) for name in ("trees", "content", "cache-mounts", "indexes"))

    said = pruned(project, "--all").splitlines()[-1]

    after = sum(disk_usage(project.root / name) for name in ("trees", "content", "cache-mounts", "indexes"))
    assert float(said.removeprefix("Total:\t").removesuffix("MB")) * 1e6 == pytest.approx(
        before - after, rel=0.02
    )


def test_a_size_keeps_what_was_used_last(project: Project) -> None:
    project.built("FROM busybox\nRUN dd if=/dev/zero of=/old bs=1M count=5\n", "-o", "type=cacheonly")
    project.built("FROM busybox\nRUN dd if=/dev/zero of=/new bs=1M count=5\n", "-o", "type=cacheonly")

    pruned(project, "--all", "--max-used-space", "10MB")

    assert [each["Description"] for each in usage(project, "--filter", "description~=RUN")] == [
        "[1/2] RUN dd if=/dev/zero of=/new bs=1M count=5"
    ]


def test_pruning_beside_a_build_takes_nothing_that_it_uses(
    project: Project, waiting: subprocess.Popen[str]
) -> None:
    unused = TWO_STAGES.replace("/b ", "/unused ")
    project.write("other/Dockerfile", unused)
    other = project.build_arguments(None, "-f", str(project.context / "other/Dockerfile"))
    assert project.dockyard(*other, "-o", "type=cacheonly").code == 0

    said = pruned(project, "--all")
    why = project.dockyard("cache", "du", "--why", entry(project, "RUN echo first")["ID"]).out
    held = entry(project, 'id "/held"')
    progress = ended(project, waiting)

    assert "Total:" in said and not usage(project, "--filter", "description~=unused")
    assert "a build or container that runs since" in why
    assert not held["Reclaimable"]
    assert waiting.returncode == 0, progress
    again = project.built(None, "-o", "type=cacheonly")
    assert again.executed == []


def test_a_terminal_is_not_asked_when_there_is_none(project: Project) -> None:
    project.built("FROM busybox\nRUN echo x > /x\n", "-o", "type=cacheonly")
    outcome = project.dockyard("cache", "prune", "--all")
    assert outcome.code == 0
    assert "Total:" in outcome.out


def test_an_untrusted_build_reads_cache_mounts_and_changes_none(project: Project) -> None:
    seen = "FROM busybox\nRUN --mount=type=cache,target=/c ({}) > /out\n"
    project.built(seen.format("echo trusted | tee /c/word"), "-o", "type=cacheonly")

    image = project.image(seen.format("cat /c/word; echo bad > /c/word; touch /c/more"), "--untrusted")
    after = project.image(seen.format("cat /c/word; ls /c"))

    assert image.text("out") == "trusted\n"
    assert after.text("out") == "trusted\nword\n"


def test_an_untrusted_build_leaves_no_new_cache_mount(project: Project) -> None:
    project.built("FROM busybox\nRUN --mount=type=cache,target=/c touch /c/x\n", "--untrusted", "-t", "x")
    assert usage(project, "--filter", "type=exec.cachemount") == []


def test_killed_builds_and_prunings_leave_a_sound_store(project: Project) -> None:
    text = "FROM busybox\nRUN --mount=type=cache,target=/c dd if=/dev/urandom of=/c/x bs=1M count=2; cp /c/x /x\n"
    build = project.command(*project.build_arguments(text, "-t", "x", "--no-cache"))
    prune = project.command("cache", "prune", "--all", "--force")
    moments = random.Random(6)
    for _ in range(6):
        processes = [
            subprocess.Popen(each, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for each in (build, prune)
        ]
        time.sleep(moments.uniform(0.1, 1.2))
        for process in processes:
            process.kill()
            process.wait()

    assert project.dockyard("store", "gc").code == 0
    assert project.dockyard("store", "gc", "--check", "--verify").out == "The store is sound.\n"
    project.built(text, "-t", "x")
    assert usage(project, "--filter", "type=exec.cachemount")
