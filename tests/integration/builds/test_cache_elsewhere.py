"""What a second machine does again when a first one has left its cache somewhere: nothing."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from building import Project
from github_service import make_token, serve_github

from builder.cache.remote.config import CACHE_CONFIG
from builder.oci.mediatypes import OCI_LAYER, OCI_MANIFEST
from builder.snapshot.estargz import TOC_DIGEST
from tests.integration.registry.faulty_proxy import FaultyProxy, serve_faults
from tests.integration.registry.peers import serve_docker_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from github_service import GithubService

    from tests.integration.registry.faulty_proxy import Handler

pytestmark = pytest.mark.root
TEXT = """\
FROM busybox AS build
COPY src /src
RUN cat /src/* > /result && cat /proc/sys/kernel/random/uuid > /once
FROM busybox
WORKDIR /app
COPY --from=build /result result
COPY docs docs
RUN --mount=from=build,target=/b cp /b/once once
"""
STEPS = 6


@pytest.fixture
def first(project: Project) -> Project:
    project.write("src/a", "a")
    project.write("docs/index", "index")
    return project


@pytest.fixture
def second(first: Project, state_folder: Path) -> Iterator[Project]:
    """The same project on a machine that has nothing."""
    root = Path(tempfile.mkdtemp(prefix="second-", dir=state_folder))
    yield Project(first.context, root, first.busybox)
    shutil.rmtree(root)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[FaultyProxy]:
    """A registry that says what it was asked for."""
    with serve_docker_registry(tmp_path / "registry") as served, serve_faults(served.host) as proxy:
        yield proxy


@pytest.fixture
def github() -> Iterator[GithubService]:
    with serve_github(make_token()) as service:
        yield service


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3 server with a bucket `cache`."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    import boto3

    address = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "AKIDFORTESTS", "aws_secret_access_key": "secret-of-s3"}
    boto3.client("s3", region_name="eu-north-1", endpoint_url=address, **keys).create_bucket(
        Bucket="cache", CreateBucketConfiguration={"LocationConstraint": "eu-north-1"}
    )
    yield address
    server.stop()


S3_KEYS = ",access_key_id=AKIDFORTESTS,secret_access_key=secret-of-s3"


def test_a_second_machine_takes_everything_from_a_registry(
    first: Project, second: Project, registry: FaultyProxy
) -> None:
    cache = f"{registry.host}/cache"
    left = first.built(TEXT, "--cache-to", f"type=registry,ref={cache},mode=max", "-t", "app")
    again = second.built(TEXT, "--cache-from", cache, "-t", "app")
    assert (again.executed, len(again.cached)) == ([], STEPS), again.err
    assert "exporting cache to registry" in left.err
    assert f"importing cache manifest from {cache}:latest" in again.err


@pytest.mark.parametrize("compression", ["zstd", "estargz"])
def test_every_layer_of_a_cache_is_compressed_as_it_is_asked_for(
    first: Project, second: Project, registry: FaultyProxy, compression: str
) -> None:
    cache = f"{registry.host}/cache"
    wanted = f"mode=max,force-compression=true,compression={compression}"
    first.built(TEXT, "--cache-to", f"type=registry,ref={cache},{wanted}", "-t", "app")
    layers = manifest_at(registry, "cache")["layers"]
    if compression == "zstd":
        assert {layer["mediaType"] for layer in layers} == {f"{OCI_LAYER}+zstd"}
    else:
        assert all(TOC_DIGEST in layer["annotations"] for layer in layers)
    again = second.built(TEXT, "--cache-from", cache, "-t", "app")
    assert again.executed == [], again.err
    assert (
        second.dockyard("run", "app", "cat", "/app/once").out
        == first.dockyard("run", "app", "cat", "/app/once").out
    )


def test_an_image_is_the_same_whether_its_layers_were_made_or_imported(
    first: Project, second: Project, tmp_path: Path
) -> None:
    made = first.image(TEXT, f"--cache-to=type=local,dest={tmp_path / 'cache'}", "--provenance=false")
    taken = second.image(TEXT, f"--cache-from=type=local,src={tmp_path / 'cache'}", "--provenance=false")
    assert (taken.manifest, taken.config) == (made.manifest, made.config)


@pytest.mark.parametrize("options", ["", ",compression=zstd,compression-level=7", ",image-manifest=false"])
def test_a_second_machine_takes_everything_from_a_directory(
    first: Project, second: Project, tmp_path: Path, options: str
) -> None:
    place = tmp_path / "cache"
    first.built(TEXT, "--cache-to", f"type=local,dest={place},mode=max{options}", "-o", "type=cacheonly")
    again = second.built(TEXT, "--cache-from", f"type=local,src={place}", "-t", "app")
    assert again.executed == [], again.err


def test_a_second_machine_takes_everything_from_a_bucket(first: Project, second: Project, s3: str) -> None:
    place = f"type=s3,bucket=cache,region=eu-north-1,endpoint_url={s3},prefix=p/,name=one;two" + S3_KEYS
    left = first.built(TEXT, "--cache-to", place + ",mode=max", "-t", "app")
    again = second.built(TEXT, "--cache-from", place, "-t", "app")
    assert again.executed == [], again.err
    assert "exporting cache to Amazon S3" in left.err
    assert "secret-of-s3" not in left.err + again.err


@pytest.mark.parametrize("version", [1, 2])
def test_a_second_machine_takes_everything_from_github(
    first: Project, second: Project, github: GithubService, version: int
) -> None:
    address = "url_v2" if version == 2 else "url"
    place = f"type=gha,version={version},{address}={github.address},token={github.token}"
    github.busy = 1
    left = first.built(TEXT, "--cache-to", place + ",mode=max", "-t", "app")
    again = second.built(TEXT, "--cache-from", place, "-t", "app")
    assert again.executed == [], again.err
    assert github.refused == 0
    assert github.token not in left.err + again.err


def test_a_second_machine_takes_everything_from_the_image_itself(
    first: Project, second: Project, registry: FaultyProxy
) -> None:
    name = f"{registry.host}/app:1"
    first.built(
        "FROM busybox\nCOPY docs /d\nRUN date +%N > /n", "--cache-to", "type=inline", "--push", "-t", name
    )
    again = second.built(None, "--cache-from", name, "-t", "app")
    assert again.executed == [], again.err


def test_a_build_argument_asks_for_a_cache_in_the_image(first: Project) -> None:
    image = first.image("FROM busybox\nRUN true > /n", "--build-arg", "BUILDKIT_INLINE_CACHE=1")
    assert "moby.buildkit.cache.v0" in image.config


def test_platforms_share_a_cache_in_the_image(first: Project, second: Project, registry: FaultyProxy) -> None:
    name = f"{registry.host}/app:1"
    both = ("--platform", "linux/amd64,linux/arm64")
    text = "FROM busybox\nCOPY docs /d\nCOPY src /s"
    first.built(text, *both, "--cache-to", "type=inline", "--push", "-t", name)
    again = second.built(None, *both, "--cache-from", name, "-t", "app")
    assert again.executed == [], again.err


def test_what_only_travels_to_a_registry_is_not_fetched(
    first: Project, second: Project, registry: FaultyProxy
) -> None:
    cache, name = f"{registry.host}/cache", f"{registry.host}/app:1"
    first.built(TEXT, "--cache-to", f"type=registry,ref={cache},mode=max", "-t", "app")
    registry.requests.clear()
    second.built(TEXT, "--cache-from", cache, "-o", f"type=registry,name={name}")
    fetched = registry.asked("GET", "/blobs/")
    assert len(fetched) == 1, fetched  # the config of the cache


def test_layers_of_a_base_go_from_repository_to_cache_without_a_stop_here(
    first: Project, second: Project, registry: FaultyProxy
) -> None:
    base, cache, name = (f"{registry.host}/{each}" for each in ("base", "cache", "app:1"))
    first.built("FROM busybox\nCOPY docs /d", "--push", "-t", base)
    registry.requests.clear()
    output, left = f"type=registry,name={name}", f"type=registry,ref={cache},mode=max"
    second.built(f"FROM {base}\nCOPY --link src /src", "-o", output, "--cache-to", left)
    assert len(registry.asked("GET", "/blobs/")) == 1  # the config of the base
    assert len(registry.asked("POST", "mount=")) >= 2


def test_a_changed_step_fetches_only_what_it_stands_on(
    first: Project, second: Project, registry: FaultyProxy
) -> None:
    cache = f"{registry.host}/cache"
    text = "FROM busybox AS b\nRUN echo 1 >/1\nRUN echo 2 >/2\nFROM scratch\nCOPY --from=b /1 /\nCOPY src /"
    first.built(text, "--cache-to", f"type=registry,ref={cache},mode=max", "-o", "type=cacheonly")
    registry.requests.clear()
    second.write("src/a", "changed")
    again = second.built(text, "--cache-from", cache, "-o", "type=cacheonly")
    assert len(again.executed) == 1
    # The config of the cache, and the layer that the destination is looked up in.
    assert len(registry.asked("GET", "/blobs/")) == 2


def test_a_repository_is_not_checked_out_again_on_a_second_machine(
    first: Project, second: Project, registry: FaultyProxy, address: str
) -> None:
    cache, text = f"{registry.host}/cache", f"FROM scratch\nADD {address} /src\n"
    first.built(text, "--cache-to", f"type=registry,ref={cache},mode=max", "-o", "type=cacheonly")
    registry.requests.clear()
    again = second.built(text, "--cache-from", cache, "-o", "type=cacheonly")
    assert (again.executed, len(registry.asked("GET", "/blobs/"))) == ([], 1), again.err


def test_a_file_of_the_network_is_not_added_again_on_a_second_machine(
    first: Project, second: Project, tmp_path: Path, server: str
) -> None:
    place, text = tmp_path / "cache", f"FROM scratch\nADD {server}/a/file.txt?x=1 /\n"
    first.built(text, f"--cache-to=type=local,dest={place},mode=max", "-o", "type=cacheonly")
    again = second.built(text, f"--cache-from=type=local,src={place}", "-o", "type=cacheonly")
    assert again.executed == [], again.err


def test_a_build_that_finds_all_here_asks_no_cache(first: Project, registry: FaultyProxy) -> None:
    first.built(TEXT, "-t", "app")
    first.built(TEXT, "--cache-from", f"{registry.host}/cache", "-t", "app")
    assert registry.requests == []


def test_what_came_from_a_cache_is_known_to_the_next_build(
    first: Project, second: Project, tmp_path: Path
) -> None:
    first.built(TEXT, "--cache-to", f"type=local,dest={tmp_path / 'cache'},mode=max", "-t", "app")
    second.built(TEXT, "--cache-from", f"type=local,src={tmp_path / 'cache'}", "-t", "app")
    assert second.built(TEXT, "-t", "app").executed == []


def test_mode_min_leaves_the_layers_of_the_result(first: Project, second: Project, tmp_path: Path) -> None:
    place = tmp_path / "cache"
    first.built(TEXT, "--cache-to", f"type=local,dest={place}", "-t", "app")
    again = second.built(TEXT, "--cache-from", f"type=local,src={place}", "-t", "app")
    assert again.executed == [], again.err
    assert len(read_manifest(place)["layers"]) == STEPS - 1  # WORKDIR to RUN, and the base


def test_no_cache_takes_nothing_from_elsewhere(first: Project, second: Project, tmp_path: Path) -> None:
    place = tmp_path / "cache"
    first.built(TEXT, "--cache-to", f"type=local,dest={place},mode=max", "-t", "app")
    again = second.built(TEXT, "--no-cache", "--cache-from", f"type=local,src={place}", "-t", "app")
    assert len(again.executed) == STEPS - 1  # all but WORKDIR, as in BuildKit


def test_a_cache_that_is_not_there_is_a_warning(
    first: Project, registry: FaultyProxy, tmp_path: Path
) -> None:
    outcome = first.built(
        TEXT,
        "--cache-from", f"{registry.host}/nothing",
        "--cache-from", f"type=local,src={tmp_path / 'nothing'}",
        "-t", "app",
    )  # fmt: skip
    assert f"importing cache manifest from {registry.host}/nothing:latest" in outcome.err
    assert f"local cache import at {tmp_path / 'nothing'} not found due to err" in outcome.err


def test_a_layer_that_is_gone_makes_its_steps_run_again(
    first: Project, second: Project, tmp_path: Path
) -> None:
    place = tmp_path / "cache"
    text = "FROM scratch\nCOPY src /\nCOPY docs /\n"
    first.built(text, "--cache-to", f"type=local,dest={place},mode=max", "-o", "type=cacheonly")
    manifest = read_manifest(place)
    created = {layer["digest"]: layer for layer in manifest["layers"]}
    config = json.loads((place / "blobs/sha256" / manifest["config"]["digest"][7:]).read_text())
    upper = next(each for each in config["layers"] if each.get("parent", 0) >= 0)
    assert upper["blob"] in created
    (place / "blobs/sha256" / upper["blob"][7:]).unlink()
    again = second.built(text, "--cache-from", f"type=local,src={place}", "-o", "type=cacheonly")
    assert (len(again.executed), len(again.cached)) == (1, 1), again.err
    assert "1 of its layers are gone" in again.err


def test_a_layer_with_other_bytes_than_its_digest_does_not_end_the_build(
    first: Project, second: Project, tmp_path: Path
) -> None:
    place = tmp_path / "cache"
    text = "FROM scratch\nCOPY src /\n"
    first.built(text, "--cache-to", f"type=local,dest={place},mode=max", "-o", "type=cacheonly")
    layer = read_manifest(place)["layers"][0]["digest"]
    path = place / "blobs/sha256" / layer[7:]
    path.write_bytes(bytes(path.stat().st_size))
    again = second.built(text, "--cache-from", f"type=local,src={place}", "-t", "app")
    assert len(again.executed) == 1, again.err


def lose(registry: FaultyProxy, fault: str, layer: str) -> None:
    """From now on the registry says that it has `layer`, and does not deliver it."""

    def failing(handler: Handler) -> bool:
        if handler.command != "GET" or not handler.path.endswith(layer):
            return False
        if fault == "gone":
            handler.send_error(404)
        else:
            handler.forward(spoil=lambda piece: bytes(len(piece)))
        return True

    registry.faults.append(failing)


@pytest.mark.parametrize("fault", ["gone", "spoilt"])
def test_a_layer_that_cannot_be_passed_on_from_the_cache_does_not_end_the_build(
    first: Project, second: Project, registry: FaultyProxy, tmp_path: Path, fault: str
) -> None:
    cache, text = f"{registry.host}/cache", "FROM scratch\nCOPY src /\n"
    first.built(text, "--cache-to", f"type=registry,ref={cache},mode=max", "-o", "type=cacheonly")
    registry.requests.clear()
    with serve_docker_registry(tmp_path / "other") as other:
        name = f"{other.host}/app"
        (layer,) = manifest_at(registry, "cache")["layers"]
        lose(registry, fault, layer["digest"])
        again = second.built(text, "--cache-from", cache, "-o", f"type=registry,name={name}")
        pulled = second.dockyard("pull", name)
    assert len(again.executed) == 1, again.err
    assert f"cache of {cache}:latest: a layer cannot be had" in again.err
    assert pulled.code == 0, pulled.err


@pytest.mark.parametrize("document", [b"{", b"[]", b'{"records":[{"digest":"sha256:x"}]}', b" " * (2 << 20)])
def test_a_config_that_is_none_is_a_warning(
    first: Project, second: Project, tmp_path: Path, document: bytes
) -> None:
    place = tmp_path / "cache"
    text = "FROM scratch\nCOPY src /\n"
    first.built(text, "--cache-to", f"type=local,dest={place},mode=max", "-o", "type=cacheonly")
    replace_config(place, document)
    again = second.built(text, "--cache-from", f"type=local,src={place}", "-o", "type=cacheonly")
    assert "nothing is taken from it" in again.err


def test_a_cache_that_cannot_be_left_fails_the_build(first: Project, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    spec = f"type=local,dest={tmp_path / 'file'}"
    assert first.build(TEXT, "--cache-to", spec, "-o", "type=cacheonly").code == 1
    outcome = first.built(TEXT, "--cache-to", f"{spec},ignore-error=true", "-o", "type=cacheonly")
    assert "the cache was not exported" in outcome.err


def test_several_caches_are_left_at_once(first: Project, second: Project, tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("one", "two")]
    first.built(
        TEXT, *(f"--cache-to=type=local,dest={place},mode=max" for place in places), "-o", "type=cacheonly"
    )
    again = second.built(TEXT, f"--cache-from=type=local,src={places[1]}", "-t", "app")
    assert again.executed == [], again.err


def test_a_directory_that_is_reset_keeps_what_its_tags_need(first: Project, tmp_path: Path) -> None:
    place = tmp_path / "cache"
    first.built("FROM scratch\nCOPY src /", f"--cache-to=type=local,dest={place}", "-t", "app")
    first.built("FROM scratch\nCOPY docs /", f"--cache-to=type=local,dest={place},reset=true", "-t", "app")
    manifest = read_manifest(place)
    needed = {manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])}
    assert len(list((place / "blobs/sha256").iterdir())) == len(needed) + 1


def test_a_cache_is_an_image_manifest_with_a_config_of_buildkits(first: Project, tmp_path: Path) -> None:
    first.built(TEXT, f"--cache-to=type=local,dest={tmp_path},mode=max", "-o", "type=cacheonly")
    manifest = read_manifest(tmp_path)
    assert manifest["config"]["mediaType"] == CACHE_CONFIG
    assert all(
        re.fullmatch("sha256:[0-9a-f]{64}", layer["annotations"]["containerd.io/uncompressed"])
        for layer in manifest["layers"]
    )


def test_the_classic_store_leaves_caches_in_images_only(first: Project, tmp_path: Path) -> None:
    refused = first.build(TEXT, "--driver", "classic", f"--cache-to=type=local,dest={tmp_path / 'cache'}")
    assert refused.code == 1
    assert "ERROR: Cache export is not supported for the docker driver." in refused.err
    first.built(TEXT, "--driver", "classic", "--cache-to", "type=inline", "-t", "app")


def manifest_at(registry: FaultyProxy, repository: str) -> dict[str, Any]:
    """The manifest of a cache at a registry."""
    url = f"http://{registry.host}/v2/{repository}/manifests/latest"
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": OCI_MANIFEST})) as answer:
        return dict(json.load(answer))


def read_manifest(place: Path) -> dict[str, object]:
    index = json.loads((place / "index.json").read_text())
    digest = index["manifests"][-1]["digest"]
    found: dict[str, object] = json.loads((place / "blobs/sha256" / digest[7:]).read_text())
    return found


def replace_config(place: Path, document: bytes) -> None:
    """Gives the cache at `place` another config, with digests that are right."""
    from builder.oci.digest import Digest

    def store(content: bytes) -> dict[str, object]:
        digest = Digest.of(content)
        (place / "blobs/sha256" / digest.hex).write_bytes(content)
        return {"digest": digest, "size": len(content)}

    manifest = read_manifest(place)
    manifest["config"] = {"mediaType": CACHE_CONFIG, **store(document)}
    index = json.loads((place / "index.json").read_text())
    index["manifests"][-1].update(store(json.dumps(manifest).encode()))
    (place / "index.json").write_text(json.dumps(index))
