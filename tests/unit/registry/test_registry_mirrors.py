"""Mirrors come first; whatever is wrong with them, the registry itself is still there."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
from conftest import FAST
from pictures import describe, single
from tiny_registry import TinyRegistry, cut_after, refused, when

from builder.oci.mediatypes import OCI_LAYER
from builder.oci.reference import Reference, parse_reference
from builder.registry.copying import copy_blob
from builder.registry.errors import InvalidConfiguration, NotFound, Unreachable
from builder.registry.push import push_image
from builder.registry.reader import RegistryReader
from builder.registry.registries import Registries

if TYPE_CHECKING:
    from builder.store.protocol import Lease

if TYPE_CHECKING:
    from collections.abc import Iterator

LAYER = bytes(range(256)) * 4000
BLOB = describe(LAYER, OCI_LAYER)


class OpenReader(Protocol):
    """A reader of `tiny` whose `hosts.toml` ends with `text`."""

    def __call__(self, text: str) -> RegistryReader: ...


@pytest.fixture
def open_reader(tiny: TinyRegistry, environment: dict[str, str]) -> Iterator[OpenReader]:
    folder = Path(environment["DOCKYARD_HOSTS_DIR"]) / tiny.host
    folder.mkdir(parents=True)
    with ExitStack() as stack:

        def reader(text: str) -> RegistryReader:
            (folder / "hosts.toml").write_text(f'server = "{tiny.base}"\n{text}')
            registries = stack.enter_context(Registries(environment, limits=FAST))
            return RegistryReader(registries.repository(name(tiny)))

        yield reader


@pytest.fixture
def mirrored(another: TinyRegistry, open_reader: OpenReader) -> RegistryReader:
    """A reader of `tiny` by way of its mirror `another`."""
    return open_reader(f'[host."{another.base}"]\ncapabilities = ["pull", "resolve"]\n')


def name(tiny: TinyRegistry) -> Reference:
    return parse_reference(f"{tiny.host}/a/b:1")


def test_a_mirror_that_has_all_is_the_only_one_asked(
    tiny: TinyRegistry, another: TinyRegistry, mirrored: RegistryReader
) -> None:
    picture = single()
    another.add_image("a/b", picture.root.digest, picture.blobs)

    mirrored.read(mirrored.resolve(name(tiny)))

    assert tiny.requests == []
    assert another.requests[0] == ("HEAD", f"/v2/a/b/manifests/1?ns={tiny.host.replace(':', '%3A')}")


def test_a_mirror_that_has_nothing_is_passed_over(
    tiny: TinyRegistry, another: TinyRegistry, mirrored: RegistryReader
) -> None:
    picture = single()
    tiny.add_image("a/b", picture.root.digest, picture.blobs)

    assert mirrored.resolve(name(tiny)).digest == picture.root.digest
    assert len(another.requests) == 1


def test_a_mirror_that_fails_is_passed_over_without_a_second_try(
    tiny: TinyRegistry, another: TinyRegistry, mirrored: RegistryReader
) -> None:
    tiny.blobs["a/b", BLOB.digest] = LAYER
    another.misbehave = [when("GET", "", refused(503, "UNAVAILABLE"), times=100)]

    with mirrored.open(BLOB.digest) as stream:
        assert stream.read() == LAYER
    assert len(another.requests) == 1


def test_a_mirror_that_is_down_is_passed_over(tiny: TinyRegistry, open_reader: OpenReader) -> None:
    tiny.blobs["a/b", BLOB.digest] = LAYER
    reader = open_reader('[host."http://127.0.0.1:1"]\n')

    with reader.open(BLOB.digest) as stream:
        assert stream.read() == LAYER


def test_a_blob_cut_by_the_mirror_goes_on_at_the_registry(
    tiny: TinyRegistry, another: TinyRegistry, mirrored: RegistryReader
) -> None:
    tiny.blobs["a/b", BLOB.digest] = another.blobs["a/b", BLOB.digest] = LAYER
    another.misbehave = [
        when("GET", "", cut_after(300_000)),
        when("GET", "", refused(502, "UNKNOWN"), times=100),
    ]

    with mirrored.open(BLOB.digest) as stream:
        assert stream.read() == LAYER
    assert tiny.headers[0]["range"] == "bytes=300000-"


def test_wrong_bytes_from_a_mirror_are_fetched_from_the_registry(
    tiny: TinyRegistry, another: TinyRegistry, mirrored: RegistryReader, lease: Lease
) -> None:
    tiny.blobs["a/b", BLOB.digest] = LAYER
    another.blobs["a/b", BLOB.digest] = LAYER[:-1] + b"?"

    copy_blob(mirrored, BLOB, lease.content)

    assert lease.content.find(BLOB.digest) is not None


def test_a_wrong_manifest_from_a_mirror_is_fetched_from_the_registry(
    tiny: TinyRegistry, another: TinyRegistry, mirrored: RegistryReader
) -> None:
    picture = single()
    tiny.add_image("a/b", picture.root.digest, picture.blobs)
    another.manifests["a/b", picture.root.digest] = picture.root.media_type, b"{}"

    assert mirrored.read(picture.root) == picture.blobs[picture.root.digest]


def test_a_push_never_goes_to_a_mirror_that_only_gives(
    tiny: TinyRegistry, another: TinyRegistry, mirrored: RegistryReader
) -> None:
    picture = single()
    another.add_image("x", picture.root.digest, picture.blobs)
    plain = {"HOME": "/nowhere", "DOCKYARD_HOSTS_DIR": "/nowhere"}
    with Registries(plain, limits=FAST) as opened:
        source = RegistryReader(opened.repository(parse_reference(f"{another.host}/x")))
        push_image(mirrored.repository, source, picture.root, tags=("1",))

    assert ("a/b", "1") in tiny.manifests
    assert {method for method, path in another.requests if "/a/b/" in path} == set()


def test_where_nobody_has_it_the_registry_has_the_last_word(
    tiny: TinyRegistry, another: TinyRegistry, mirrored: RegistryReader
) -> None:
    another.misbehave = [when("HEAD", "", refused(404, "NAME_UNKNOWN"))]

    with pytest.raises(NotFound, match=f"{tiny.host}/a/b:1: not found"):
        mirrored.resolve(name(tiny))


def test_headers_of_the_configuration_go_to_their_host_only(
    tiny: TinyRegistry, another: TinyRegistry, open_reader: OpenReader
) -> None:
    mirrors = (
        f'[host."{another.base}"]\n[host."{another.base}".header]\nX-Dragonfly-Registry = "{tiny.base}"\n'
    )
    reader = open_reader(mirrors)

    with pytest.raises(NotFound):
        reader.resolve(name(tiny))

    assert another.headers[0]["x-dragonfly-registry"] == tiny.base
    assert "x-dragonfly-registry" not in tiny.headers[0]


def test_a_registry_whose_hosts_take_no_pushes_says_so(open_reader: OpenReader) -> None:
    reader = open_reader('capabilities = ["pull", "resolve"]\n')

    with pytest.raises(InvalidConfiguration, match="no push hosts"):
        reader.repository.push("POST", "blobs/uploads/")


def test_a_registry_that_is_not_there_is_said_at_once(registries: Registries) -> None:
    reader = RegistryReader(registries.repository(parse_reference("127.0.0.1:1/a/b")))

    with pytest.raises(Unreachable, match=r"cannot reach 127\.0\.0\.1:1: Connection refused"):
        reader.resolve(parse_reference("127.0.0.1:1/a/b"))
