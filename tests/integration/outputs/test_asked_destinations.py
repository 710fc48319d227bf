"""What a destination will not take is said before the first step, with a way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from builder.oci.mediatypes import OCI_INDEX
from tests.unit.registry.tiny_registry import TinyRegistry, serve_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Project

    from tests.unit.registry.tiny_registry import Handler, Misbehaviour

pytestmark = pytest.mark.root
TWO = ("--platform", "linux/amd64,linux/arm64")


@pytest.fixture
def tiny() -> Iterator[TinyRegistry]:
    with serve_registry() as served:
        yield served


def refuse(media_type: str, *, holding: bytes = b"") -> Misbehaviour:
    """Refuses documents of that kind which hold those bytes."""

    def misbehave(handler: Handler) -> bool:
        if handler.command != "PUT" or handler.headers.get("Content-Type") != media_type:
            return False
        known = holding not in handler.read_body()
        handler.refuse(404, "MANIFEST_BLOB_UNKNOWN") if known else handler.refuse(400, "MANIFEST_INVALID")
        return True

    return misbehave


def test_a_registry_that_takes_no_index_is_known_before_the_first_step(
    project: Project, tiny: TinyRegistry
) -> None:
    tiny.misbehave = [refuse(OCI_INDEX)]
    done = project.build("-t", f"{tiny.host}/a:1", "--push", *TWO)
    assert done.returncode == 1
    assert "does not take image indexes, which several platforms or attestations need" in done.stderr
    assert "push one platform without attestations" in done.stderr
    assert "load build definition" not in done.stderr


def test_one_platform_goes_to_a_registry_that_takes_no_index(project: Project, tiny: TinyRegistry) -> None:
    tiny.misbehave = [refuse(OCI_INDEX)]
    project.must_build("-t", f"{tiny.host}/a:1", "--push")
    assert ("a", "1") in tiny.manifests


def test_a_registry_that_takes_no_zstd_is_known_before_the_first_step(
    project: Project, tiny: TinyRegistry
) -> None:
    tiny.misbehave = [refuse("application/vnd.oci.image.manifest.v1+json", holding=b"tar+zstd")]
    done = project.build("-o", f"type=registry,name={tiny.host}/a:1,compression=zstd")
    assert done.returncode == 1 and "use compression=gzip" in done.stderr
    assert "load build definition" not in done.stderr


def test_an_optional_registry_that_is_not_there_is_left_out(project: Project) -> None:
    said = project.must_build(
        "-o", "type=registry,name=127.0.0.1:1/a,optional=true", "-o", "out", "--target", "files"
    )
    assert (
        "the optional output type=image,name=127.0.0.1:1/a,push=true is left out: cannot reach 127.0.0.1:1"
        in said
    )
    assert (project.folder / "out/machine").exists()


def test_a_daemon_that_does_not_answer_is_known_before_the_first_step(project: Project) -> None:
    done = project.build("-o", "type=image,store=/nowhere/containerd.sock")
    assert done.returncode == 1 and "/nowhere/containerd.sock does not answer" in done.stderr
    assert "load build definition" not in done.stderr


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ("index:a=b", "index annotations not supported for single platform export"),
        ("manifest[linux/s390x]:a=b", "no platform linux/s390x found in source"),
    ],
)
def test_an_annotation_of_what_there_will_not_be_is_known_before_the_first_step(
    project: Project, annotation: str, message: str
) -> None:
    done = project.build("-t", "x", "--annotation", annotation)
    assert done.returncode == 1 and message in done.stderr
    assert "load build definition" not in done.stderr
