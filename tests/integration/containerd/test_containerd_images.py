"""Images at a real daemon, as containerd's own client sees them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import pytest
from msgspec.structs import replace

from builder.oci.config import RootFS, encode_config
from builder.oci.descriptor import Descriptor
from builder.oci.digest import DiffID, Digest
from builder.oci.manifest import encode_document, image_manifest
from builder.oci.mediatypes import OCI_CONFIG, OCI_MANIFEST
from builder.platforms import Platform, host_platform
from builder.store.errors import DigestMismatch, NoMatchingPlatform
from builder.store.imagegraph import labels_for, resolve_platform, walk_image

if TYPE_CHECKING:
    from collections.abc import Callable

    from containerd_daemon import Daemon

    from builder.store.containerd.store import ContainerdStore
    from builder.store.layout.reader import LayoutReader
    from builder.store.protocol import BlobReader, Image, Lease

pytestmark = pytest.mark.root

NAME: Final = "docker.io/library/busybox:test"
PATIENCE: Final = 20.0
"""Seconds for the daemon's collector, which works when it has time."""


def digests(store: ContainerdStore) -> set[Digest]:
    return {blob.digest for blob in store.content.walk()}


def graph(reader: BlobReader, root: Descriptor) -> set[Digest]:
    return {visited.descriptor.digest for visited in walk_image(reader, root)}


def collect(store: ContainerdStore, ctr: Callable[..., str]) -> None:
    """Runs the collector to its end: a deletion can wait for it."""
    with store.lease() as lease:
        content = b"garbage"
        digest = lease.content.put(content)
        garbage = Descriptor(media_type="text/plain", digest=digest, size=len(content))
        store.images.set("garbage", garbage)
    ctr("images", "rm", "--sync", "garbage")
    assert digest not in digests(store)


def put_lying_image(store: ContainerdStore, honest: Image) -> Descriptor:
    """An image with the layer of `honest`, whose config calls the layer's content something else."""
    found = resolve_platform(store.content, honest.target, host_platform())
    rootfs = RootFS(diff_ids=(DiffID(Digest.of(b"something else")),))
    with store.lease() as lease:
        config = put_document(lease, encode_config(replace(found.config, rootfs=rootfs)), OCI_CONFIG)
        manifest = image_manifest(config, found.manifest.layers)
        root = put_document(lease, encode_document(manifest), OCI_MANIFEST, labels_for(manifest))
        return store.images.set("lying", root).target


def put_document(
    lease: Lease, content: bytes, media_type: str, labels: dict[str, str] | None = None
) -> Descriptor:
    digest = lease.content.put(content, labels=labels)
    return Descriptor(media_type=media_type, digest=digest, size=len(content))


def settles(state: Callable[[], object], wanted: object) -> bool:
    end = time.monotonic() + PATIENCE
    while (found := state()) != wanted and time.monotonic() < end:
        time.sleep(0.02)
    return found == wanted


def test_ctr_lists_the_index_with_all_its_platforms(busybox: Image, ctr: Callable[..., str]) -> None:
    (line,) = ctr("images", "ls").splitlines()[1:]
    assert busybox.target.digest in line
    for platform in ("linux/amd64", "linux/arm64/v8", "linux/s390x"):
        assert platform in line


def test_ctr_finds_the_image_complete(busybox: Image, ctr: Callable[..., str]) -> None:
    (line,) = ctr("images", "check").splitlines()[1:]
    assert "complete (2/2)" in line


@pytest.mark.parametrize("platform", ["linux/amd64", "linux/arm64"])
def test_ctr_exports_each_platform_of_the_index(
    busybox: Image, daemon: Daemon, ctr: Callable[..., str], platform: str
) -> None:
    exported = daemon.socket.with_name("exported.tar")
    ctr("images", "export", "--platform", platform, exported, NAME)
    assert exported.stat().st_size > 100_000


def test_a_program_of_an_unpacked_image_runs(
    store: ContainerdStore, busybox: Image, ctr: Callable[..., str]
) -> None:
    store.unpack(busybox.target, host_platform())
    assert ctr("run", "--rm", NAME, "dockyard-test", "echo", "it runs") == "it runs\n"


def test_unpacking_again_makes_nothing_new(
    store: ContainerdStore, busybox: Image, ctr: Callable[..., str]
) -> None:
    store.unpack(busybox.target, host_platform())
    before = ctr("snapshots", "ls")
    store.unpack(busybox.target, host_platform())
    assert ctr("snapshots", "ls") == before
    assert len(before.splitlines()) == 2


def test_an_image_without_the_platform_is_not_unpacked(store: ContainerdStore, busybox: Image) -> None:
    with pytest.raises(NoMatchingPlatform, match="no match for platform linux/riscv64"):
        store.unpack(busybox.target, Platform("linux", "riscv64"))


def test_a_layer_that_is_not_what_the_config_says_is_not_unpacked(
    store: ContainerdStore, busybox: Image, ctr: Callable[..., str]
) -> None:
    lying = put_lying_image(store, busybox)
    with pytest.raises(DigestMismatch, match="but the image's config says"):
        store.unpack(lying, host_platform())
    assert len(ctr("snapshots", "ls").splitlines()) == 1


def test_the_collector_keeps_all_that_a_name_reaches(
    store: ContainerdStore, busybox: Image, layout: LayoutReader, ctr: Callable[..., str]
) -> None:
    store.unpack(busybox.target, host_platform())
    collect(store, ctr)
    assert digests(store) == graph(layout, busybox.target)
    assert len(ctr("snapshots", "ls").splitlines()) == 2


def test_the_collector_removes_all_that_the_last_name_reached(
    store: ContainerdStore, busybox: Image, ctr: Callable[..., str]
) -> None:
    store.unpack(busybox.target, host_platform())
    store.images.delete(busybox.name)
    assert settles(lambda: digests(store), set())
    assert settles(lambda: len(ctr("snapshots", "ls").splitlines()), 1)


def test_the_collector_keeps_what_another_image_shares(
    store: ContainerdStore, busybox: Image, layout: LayoutReader
) -> None:
    one = resolve_platform(layout, busybox.target, host_platform()).descriptor
    store.images.set("docker.io/library/one:latest", one)
    store.images.delete(busybox.name)
    assert settles(lambda: digests(store), graph(layout, one))
