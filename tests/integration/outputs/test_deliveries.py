"""What a registry client is given: a whole image, its name, and nothing before it is complete."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from builder.api.built import Built
from builder.api.destinations import Destinations
from builder.api.exporting import Export
from builder.api.workspace import open_workspace
from builder.graph import Target
from builder.oci.config import scratch_config
from builder.platforms import Platform
from builder.progress.stream import Stream, discard
from builder.solver.solve import Solution
from builder.source.origins import Origins
from builder.store.imagegraph import walk_image
from builder.store.selection import open_store
from builder.system.errors import DockyardError
from exporter.errors import OutputsFailed
from exporter.outputs import CacheOnlyOutput, ImageOutput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from builder.api.workspace import Workspace
    from builder.oci.descriptor import Descriptor
    from builder.oci.digest import Digest
    from builder.oci.reference import Reference

PLATFORMS = (Platform("linux", "amd64"), Platform("linux", "arm64"))
PUSHED = ImageOutput(names=("r.example/a:1", "r.example/b"), push=True)


class Registry:
    """A pusher that keeps what it is told; `refuse` names a repository that it does not serve."""

    def __init__(self, workspace: Workspace, *, refuse: str = "") -> None:
        self._workspace = workspace
        self._refuse = refuse
        self.pushed: list[tuple[str, int]] = []

    def takes_artifacts(self, name: Reference, *, insecure: bool) -> bool:
        return True

    def push(self, root: Descriptor, name: Reference, *, insecure: bool, vertex: Digest) -> None:
        if name.repository == self._refuse:
            raise DockyardError(f"{name.repository}: denied")
        blobs = list(walk_image(self._workspace.lease.content, root))
        self.pushed.append((str(name), len(blobs)))


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with open_store(tmp_path / "root") as store, open_workspace(store, threading.Event()) as opened:
        yield opened


def export(workspace: Workspace, registry: Registry) -> Export:
    targets = [
        Target(platform=platform, vertex=None, config=scratch_config(platform)) for platform in PLATFORMS
    ]
    solution = Solution(targets=(), stacks=((), ()), cached=0, executed=0, remotes={})
    destinations = Destinations(outputs=(), daemons={}, pusher=registry, origins=Origins())
    return Export(Built(targets, solution, workspace), Stream(discard), destinations)


def test_every_name_is_pushed_with_the_whole_index(workspace: Workspace) -> None:
    registry = Registry(workspace)
    export(workspace, registry).deliver([PUSHED], multi_platform=False)
    assert registry.pushed == [("r.example/a:1", 5), ("r.example/b:latest", 5)]


def test_a_push_by_digest_has_a_digest_and_no_tag(workspace: Workspace) -> None:
    registry = Registry(workspace)
    output = ImageOutput(names=("r.example/a",), push=True, by_digest=True)
    result = export(workspace, registry).deliver([output], multi_platform=False)
    assert registry.pushed == [(f"r.example/a@{result.digest}", 5)]


def test_an_image_that_is_not_to_be_stored_is_pushed_and_gets_no_name(workspace: Workspace) -> None:
    output = ImageOutput(names=("r.example/a",), push=True, store=False)
    registry = Registry(workspace)
    export(workspace, registry).deliver([output], multi_platform=False)
    assert len(registry.pushed) == 1
    assert workspace.store.images.all() == ()


def test_a_refused_push_leaves_the_image_in_the_store(workspace: Workspace) -> None:
    registry = Registry(workspace, refuse="r.example/a")
    with pytest.raises(DockyardError, match="denied"):
        export(workspace, registry).deliver([PUSHED], multi_platform=False)
    assert [image.name for image in workspace.store.images.all()] == ["r.example/a:1", "r.example/b:latest"]


def test_one_registry_that_refuses_does_not_stop_the_other(workspace: Workspace) -> None:
    registry = Registry(workspace, refuse="r.example/a")
    outputs = [ImageOutput(names=(name,), push=True) for name in ("r.example/a", "r.example/b")]
    with pytest.raises(
        OutputsFailed, match=r"1 of 2 outputs failed\ntype=image,name=r\.example/a,push=true: "
    ):
        export(workspace, registry).deliver(outputs, multi_platform=False)
    assert registry.pushed == [("r.example/b:latest", 5)]


def test_the_build_cache_alone_is_no_image(workspace: Workspace) -> None:
    result = export(workspace, Registry(workspace)).deliver([CacheOnlyOutput()], multi_platform=False)
    assert (result.digest, result.platforms) == (None, ())
