"""Images to the real registry and back; skopeo reads what we pushed and writes what we pull."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from faulty_proxy import Handler, when

from builder.api.pulling import pull_image
from builder.api.pushing import push_target
from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.oci.manifest import encode_document, image_index
from builder.oci.mediatypes import DOCKER_MANIFEST, OCI_INDEX
from builder.oci.reference import Reference, parse_reference
from builder.platforms import Platform
from builder.registry.errors import NotFound
from builder.registry.probe import require_features, require_push, takes
from builder.registry.reader import RegistryReader
from builder.store.check import check
from builder.store.errors import DriverError, NoMatchingPlatform
from builder.store.imagegraph import labels_for, platform_manifests
from builder.store.layout.importer import import_layout
from builder.store.layout.reader import open_layout
from builder.store.selection import open_store

if TYPE_CHECKING:
    from faulty_proxy import FaultyProxy
    from peers import Served

    from builder.registry.registries import Registries
    from builder.store.embedded import EmbeddedStore
    from builder.store.protocol import Image

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")


def skopeo(*arguments: str) -> str:
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not installed")
    done = subprocess.run(
        ["skopeo", "--insecure-policy", *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def named(served: Served | FaultyProxy, path: str = "a/b:1") -> Reference:
    return parse_reference(f"{served.host}/{path}")


@pytest.fixture
def busybox(store: EmbeddedStore, busybox_layout: Path) -> Image:
    with open_layout(busybox_layout, scratch=store.root.ingests) as reader:
        (image,) = import_layout(store, reader, names=[parse_reference("busybox:1")])
    return image


def test_skopeo_reads_the_index_that_we_pushed(
    plain: Served, store: EmbeddedStore, registries: Registries, busybox: Image, tmp_path: Path
) -> None:
    push_target(store, registries, busybox.target, named(plain))

    raw = skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{plain.host}/a/b:1")
    assert Digest.of(raw.encode()) == busybox.target.digest
    skopeo("copy", "--all", "--src-tls-verify=false", f"docker://{plain.host}/a/b:1", f"oci:{tmp_path}/out:x")


def test_an_index_comes_back_with_every_platform(
    plain: Served,
    store: EmbeddedStore,
    other_store: EmbeddedStore,
    registries: Registries,
    busybox: Image,
) -> None:
    push_target(store, registries, busybox.target, named(plain))

    pulled = pull_image(other_store, registries, named(plain), platforms=None)

    assert pulled.target.digest == busybox.target.digest
    assert len(list(platform_manifests(other_store.content, pulled.target))) == 6
    assert check(other_store.root, other_store.database, verify=True) == []


def test_only_the_platforms_asked_for_are_fetched(
    plain: Served,
    store: EmbeddedStore,
    other_store: EmbeddedStore,
    registries: Registries,
    busybox: Image,
) -> None:
    push_target(store, registries, busybox.target, named(plain))

    pulled = pull_image(other_store, registries, named(plain), platforms=[ARM64])

    assert pulled.target.digest == busybox.target.digest
    assert len(list(other_store.content.walk())) == 4  # index, manifest, config, layer


def test_what_was_pulled_in_part_is_pushed_as_a_whole(
    plain: Served,
    store: EmbeddedStore,
    other_store: EmbeddedStore,
    registries: Registries,
    busybox: Image,
) -> None:
    push_target(store, registries, busybox.target, named(plain))
    pulled = pull_image(other_store, registries, named(plain), platforms=[ARM64])

    push_target(other_store, registries, pulled.target, named(plain, "copy:2"))

    reader = RegistryReader(registries.repository(named(plain, "copy:2")))
    assert len(list(platform_manifests(reader, pulled.target))) == 6
    assert len(list(other_store.content.walk())) == 4


def test_a_platform_that_the_image_lacks_is_named(
    plain: Served, store: EmbeddedStore, registries: Registries, busybox: Image
) -> None:
    push_target(store, registries, busybox.target, named(plain))

    with pytest.raises(NoMatchingPlatform, match="windows/amd64"):
        pull_image(store, registries, named(plain), platforms=[Platform("windows", "amd64")])


def test_a_classic_store_gets_the_image_of_one_platform(
    plain: Served, store: EmbeddedStore, registries: Registries, busybox: Image, tmp_path: Path
) -> None:
    push_target(store, registries, busybox.target, named(plain))
    with open_store(tmp_path / "classic", driver="docker") as classic:
        pulled = pull_image(classic, registries, named(plain), platforms=[ARM64])
        assert pulled.target.media_type.endswith("manifest.v1+json")

        with pytest.raises(DriverError, match="not supported for the docker driver"):
            pull_image(classic, registries, named(plain), platforms=[AMD64, ARM64])


def test_an_image_in_dockers_own_format_can_be_pulled(
    plain: Served, store: EmbeddedStore, registries: Registries, busybox_layout: Path
) -> None:
    target = f"docker://{plain.host}/v2s2:1"
    skopeo("copy", "--format", "v2s2", "--dest-tls-verify=false", f"oci:{busybox_layout}", target)

    pulled = pull_image(store, registries, named(plain, "v2s2:1"), platforms=[AMD64])

    assert pulled.target.media_type == DOCKER_MANIFEST
    assert check(store.root, store.database, verify=True) == []


def test_an_index_within_an_index_goes_there_and_back(
    plain: Served,
    store: EmbeddedStore,
    other_store: EmbeddedStore,
    registries: Registries,
    busybox: Image,
) -> None:
    outer = image_index((busybox.target,))
    content = encode_document(outer)
    root = Descriptor(media_type=OCI_INDEX, digest=Digest.of(content), size=len(content))
    with store.lease() as lease:
        lease.content.put(content, labels=labels_for(outer))
    push_target(store, registries, root, named(plain))

    pulled = pull_image(other_store, registries, named(plain), platforms=[ARM64])
    assert pulled.target.digest == root.digest


def test_an_image_can_be_pulled_by_its_digest_alone(
    plain: Served,
    store: EmbeddedStore,
    other_store: EmbeddedStore,
    registries: Registries,
    image: Descriptor,
) -> None:
    push_target(store, registries, image, named(plain, f"a/b@{image.digest}"))

    pulled = pull_image(other_store, registries, named(plain, f"a/b@{image.digest}"), platforms=None)

    assert pulled.target.digest == image.digest
    assert [each.name for each in other_store.images.all()] == [f"{plain.host}/a/b@{image.digest}"]


def test_a_second_push_sends_no_blob(
    faulty: FaultyProxy, store: EmbeddedStore, registries: Registries, image: Descriptor
) -> None:
    push_target(store, registries, image, named(faulty))
    faulty.requests.clear()

    pushed = push_target(store, registries, image, named(faulty))

    assert {method for method, _ in faulty.requests} == {"HEAD"}
    assert (pushed.sent, len(pushed.present)) == ((), 3)


def test_a_second_pull_asks_for_no_blob(
    faulty: FaultyProxy,
    store: EmbeddedStore,
    other_store: EmbeddedStore,
    registries: Registries,
    image: Descriptor,
) -> None:
    push_target(store, registries, image, named(faulty))
    first = pull_image(other_store, registries, named(faulty), platforms=None)
    faulty.requests.clear()

    second = pull_image(other_store, registries, named(faulty), platforms=None)

    assert (first.changed, second.changed) == (True, False)
    assert [path for _, path in faulty.requests] == ["/v2/a/b/manifests/1"]


def test_blobs_are_taken_from_another_repository_of_the_registry(
    plain: Served, store: EmbeddedStore, registries: Registries, image: Descriptor
) -> None:
    push_target(store, registries, image, named(plain, "team/base:1"))

    pushed = push_target(store, registries, image, named(plain, "team/app:1"))

    assert (pushed.sent, len(pushed.mounted)) == ((), 3)


def test_a_name_that_nobody_has_pushed_is_not_found(
    plain: Served, store: EmbeddedStore, registries: Registries
) -> None:
    with pytest.raises(NotFound, match="nope:1: not found"):
        pull_image(store, registries, named(plain, "nope:1"), platforms=None)
    assert store.images.all() == ()


def test_a_probe_knows_what_the_registry_takes_and_leaves_nothing(
    faulty: FaultyProxy, plain: Served, registries: Registries
) -> None:
    repository = registries.repository(named(faulty))

    require_push(repository)
    require_features(repository, ("index", "zstd", "artifact"))

    assert takes(repository, "index") is True
    assert list(plain.storage.rglob("_manifests/revisions/sha256/*")) == []


def test_a_killed_push_goes_on_with_what_is_missing(
    plain: Served, faulty: FaultyProxy, store: EmbeddedStore, registries: Registries, image: Descriptor
) -> None:
    store.images.set(str(named(faulty)), image)
    command = [
        Path(sys.executable).with_name("dockyard"),
        "--root",
        store.root.path,
        "push",
        str(named(faulty)),
    ]

    def kill(handler: Handler) -> None:
        """Kills the push while its last blob is on the way and the other two have arrived."""
        while len(list(plain.storage.rglob("_layers/sha256/*/link"))) < 2:
            handler.proxy.stop.wait(0.01)
        process.kill()
        handler.close_connection = True

    faulty.faults = [
        when("PUT", "blobs/uploads", lambda handler: handler.forward(), times=2),
        when("PUT", "blobs/uploads", kill),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert process.wait(60) == -signal.SIGKILL

    pushed = push_target(store, registries, image, named(faulty))

    assert (len(pushed.present), len(pushed.sent)) == (2, 1)
    assert json.loads(skopeo("inspect", "--tls-verify=false", f"docker://{faulty.host}/a/b:1"))
