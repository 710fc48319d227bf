"""A base layer that only travels to a registry: what it costs, counted at the registries themselves."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.integration.registry.faulty_proxy import (
    FaultyProxy,
    cut_answer,
    overload,
    serve_faults,
    spoil,
    when,
)
from tests.integration.registry.peers import serve_docker_registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.conftest import RunDockyard

pytestmark = pytest.mark.root
DOCKERFILE = 'FROM {base}\nCOPY --link file /file\nCMD ["cat", "/file"]\n'


class Bed(NamedTuple):
    """A base image at `source`, its one layer, and a registry `target` to push to; both are counted."""

    run: RunDockyard
    folder: Path
    root: Path
    source: FaultyProxy
    target: FaultyProxy
    layer: str

    def build(self, *options: str) -> subprocess.CompletedProcess[str]:
        return self.run("build", "--progress", "plain", *options, ".", cwd=self.folder)

    def must(self, *command: str) -> str:
        done = self.run(*command, cwd=self.folder)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def push(self, name: str) -> None:
        self.must("build", "--push", "-t", name, ".")

    @property
    def is_here(self) -> bool:
        """Whether the base layer is in the content store."""
        return (self.root / "content/blobs/sha256" / self.layer.partition(":")[2]).exists()


@pytest.fixture
def bed(dockyard: RunDockyard, dockyard_root: Path, tmp_path: Path, busybox_layout: Path) -> Iterator[Bed]:
    with (
        serve_docker_registry(tmp_path / "source") as first,
        serve_docker_registry(tmp_path / "target") as second,
        serve_faults(first.host) as source,
        serve_faults(second.host) as target,
    ):
        base = f"{first.host}/base:1"
        skopeo("copy", "--all", "--dest-tls-verify=false", f"oci:{busybox_layout}", f"docker://{base}")
        layer = json.loads(skopeo("inspect", "--tls-verify=false", f"docker://{base}"))["Layers"][0]
        folder = tmp_path / "context"
        folder.mkdir()
        (folder / "Dockerfile").write_text(DOCKERFILE.format(base=f"{source.host}/base:1"))
        (folder / "file").write_text("content\n")
        yield Bed(dockyard, folder, dockyard_root, source, target, layer)


def skopeo(*arguments: str) -> str:
    done = subprocess.run(
        ["skopeo", "--insecure-policy", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_layer_that_the_target_lacks_passes_through_once_and_stays_nowhere(bed: Bed) -> None:
    bed.push(f"{bed.target.host}/app:1")
    assert len(bed.source.asked("GET", bed.layer)) == 1
    assert not bed.is_here


def test_a_layer_that_the_target_has_is_not_downloaded(bed: Bed) -> None:
    bed.push(f"{bed.target.host}/app:1")
    bed.source.requests.clear()
    (bed.folder / "file").write_text("changed\n")
    bed.push(f"{bed.target.host}/app:2")
    assert bed.source.asked("GET", bed.layer) == []
    assert bed.source.asked("HEAD", "manifests/1")


def test_a_layer_of_the_same_registry_is_mounted(bed: Bed) -> None:
    bed.push(f"{bed.source.host}/app:1")
    assert bed.source.asked("POST", "from=base")
    assert bed.source.asked("GET", bed.layer) == []
    assert not bed.is_here


def test_an_image_without_its_base_layers_is_sound_and_runs(bed: Bed) -> None:
    name = f"{bed.target.host}/app:1"
    bed.push(name)
    assert "sound" in bed.must("store", "gc", "--check")
    assert bed.must("run", name) == "content\n"


def test_what_is_not_here_is_pushed_on_from_where_it_is(bed: Bed) -> None:
    bed.push(f"{bed.target.host}/app:1")
    bed.must("tag", f"{bed.target.host}/app:1", f"{bed.target.host}/copy:1")
    bed.must("push", f"{bed.target.host}/copy:1")
    assert bed.target.asked("GET", bed.layer) == []
    assert skopeo("inspect", "--tls-verify=false", f"docker://{bed.target.host}/copy:1")


def test_an_image_that_is_wanted_here_has_its_base_layers(bed: Bed) -> None:
    bed.must("build", "-o", f"type=image,name={bed.target.host}/app:1,push=true", ".")
    assert bed.is_here


def test_after_a_push_that_failed_the_whole_image_is_here_to_be_pushed_again(bed: Bed) -> None:
    bed.target.faults.append(when("PUT", "manifests/1", overload(403)))
    name = f"{bed.target.host}/app:1"
    assert bed.build("--push", "-t", name).returncode == 1
    assert bed.is_here
    bed.source.requests.clear()
    bed.target.requests.clear()
    bed.must("push", name)
    assert bed.source.requests == []
    assert bed.target.asked("PUT", "blobs") == []
    assert len(bed.target.asked("PUT", "manifests")) == 1


def test_an_archive_of_an_image_that_is_not_all_here_says_how_to_get_the_rest(bed: Bed) -> None:
    name = f"{bed.target.host}/app:1"
    bed.push(name)
    refused = bed.run("save", "-o", "x.tar", name, cwd=bed.folder)
    assert refused.returncode == 1 and "`dockyard pull` brings the rest" in refused.stderr
    bed.must("pull", name)
    bed.must("save", "-o", "x.tar", name)


def test_a_layer_with_wrong_bytes_never_becomes_part_of_what_is_pushed(bed: Bed) -> None:
    bed.source.faults.append(when("GET", bed.layer, spoil, times=9))
    done = bed.build("--push", "-t", f"{bed.target.host}/app:1")
    assert done.returncode == 1
    assert (
        f"ERROR: failed to build: failed to solve: the bytes of blob {bed.layer} are not those" in done.stderr
    )
    assert bed.target.asked("PUT", "manifests/1") == []
    assert bed.must("store", "gc", "--check") == "The store is sound.\n"


def test_a_layer_whose_download_is_cut_passes_through_all_the_same(bed: Bed) -> None:
    bed.source.faults.append(when("GET", bed.layer, cut_answer))
    bed.push(f"{bed.target.host}/app:1")
    assert len(bed.source.asked("GET", bed.layer)) == 2
    assert bed.must("run", f"{bed.target.host}/app:1") == "content\n"


def test_an_image_without_its_base_layers_is_a_base_under_any_name(bed: Bed) -> None:
    bed.push(f"{bed.target.host}/app:1")
    bed.must("tag", f"{bed.target.host}/app:1", "mine")
    (bed.folder / "Dockerfile").write_text('FROM mine\nRUN cat /file >/copy\nCMD ["cat", "/copy"]\n')
    bed.must("build", "-t", "child", ".")
    assert bed.must("run", "child") == "content\n"
