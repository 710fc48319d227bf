"""Builds that deliver to a real daemon, and the commands that work on what it has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from builder.store.transfer import copy_image
from exporter.attest.signing.checking import check_signatures
from exporter.attest.signing.keyfiles import generate_private_key, sealed_pem
from exporter.attest.signing.signing import signed_subjects
from exporter.attest.signing.stored import StorePlace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from subprocess import CompletedProcess

    from builder.store.containerd.address import Address
    from builder.store.containerd.store import ContainerdStore
    from builder.store.layout.reader import LayoutReader

    Dockyard = Callable[..., CompletedProcess[str]]
    Ctr = Callable[..., str]

pytestmark = pytest.mark.root

NAME = "docker.io/library/hello:1"
DOCKERFILE = """\
FROM busybox
ARG TARGETARCH
RUN echo "built for $TARGETARCH" > /built
CMD ["cat", "/built"]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "Dockerfile").write_text(DOCKERFILE)
    return tmp_path / "project"


@pytest.fixture
def built(
    dockyard: Dockyard, store: object, address: Address, busybox_layout: Path, project: Path, tmp_path: Path
) -> str:
    """Digest of an index for two platforms, which a build sent to the daemon. `store` empties it."""
    run(dockyard, "store", "use", "containerd", "--address", address.url, "--namespace", address.namespace)
    platforms = ("--platform", "linux/amd64,linux/arm64")
    base = f"busybox=oci-layout://{busybox_layout}"
    written = tmp_path / "digest"
    run(
        dockyard, "build", "-t", "hello:1", "--build-context", base, *platforms, "--iidfile", written, project
    )
    return written.read_text()


def run(dockyard: Dockyard, *arguments: str | Path) -> str:
    done = dockyard(*map(str, arguments))
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_build_for_two_platforms_runs_at_the_daemon(built: str, ctr: Ctr) -> None:
    (line,) = ctr("images", "ls").splitlines()[1:]
    assert built in line
    assert "linux/amd64,linux/arm64" in line
    assert ctr("run", "--rm", NAME, "dockyard-test") == "built for amd64\n"


def test_the_commands_work_on_what_the_daemon_has(built: str, dockyard: Dockyard, tmp_path: Path) -> None:
    run(dockyard, "tag", "hello:1", "hello:2")
    run(dockyard, "save", "-o", tmp_path / "saved.tar", "hello:2")
    run(dockyard, "rmi", "hello:1", "hello:2")
    assert run(dockyard, "images", "-q") == ""
    run(dockyard, "load", "-i", tmp_path / "saved.tar")
    assert json.loads(run(dockyard, "images", "--format", "json"))["id"] == built


def test_a_program_of_a_foreign_platform_runs_from_the_daemon(built: str, dockyard: Dockyard) -> None:
    assert run(dockyard, "run", "--platform", "linux/arm64", "hello:1") == "built for arm64\n"


def test_an_image_of_the_daemon_is_a_base_for_builds(
    built: str, dockyard: Dockyard, ctr: Ctr, project: Path
) -> None:
    (project / "Dockerfile").write_text('FROM hello:1\nCMD ["echo", "on top"]\n')
    run(dockyard, "build", "-t", "child", project)
    assert ctr("run", "--rm", "docker.io/library/child:latest", "dockyard-test") == "on top\n"


def test_the_environment_goes_before_the_daemon_that_was_chosen(
    built: str, dockyard: Dockyard, tmp_path: Path
) -> None:
    refused = dockyard("images", environment={"CONTAINERD_ADDRESS": f"{tmp_path}/none"})
    assert refused.returncode == 1
    assert f"{tmp_path}/none does not answer" in refused.stderr


@pytest.fixture
def build(
    dockyard: Dockyard, store: object, address: Address, busybox_layout: Path, project: Path
) -> Callable[..., str]:
    """Builds with an output into the daemon, which nobody has chosen; `store` empties it."""
    into = f"type=image,store={address.url},namespace={address.namespace}"

    def build(options: str = "", *further: str) -> str:
        base = ("--build-context", f"busybox=oci-layout://{busybox_layout}")
        written = project.parent / "digest"
        run(dockyard, "build", "-o", into + options, *further, *base, "--iidfile", written, project)
        return written.read_text()

    return build


def test_a_daemon_that_an_output_names_gets_the_image(build: Callable[..., str], ctr: Ctr) -> None:
    digest = build(",name=hello:1", "--platform", "linux/amd64,linux/arm64")
    (line,) = ctr("images", "ls").splitlines()[1:]
    assert line.startswith(NAME) and digest in line


def test_an_image_without_a_name_stays_at_the_daemon_as_dockers_do(
    build: Callable[..., str], ctr: Ctr
) -> None:
    digest = build()
    assert ctr("images", "ls", "-q").strip() == f"moby-dangling@{digest}"
    assert "complete" in ctr("images", "check")


def test_an_image_can_be_unpacked_for_this_machine_at_once(build: Callable[..., str], ctr: Ctr) -> None:
    assert ctr("snapshots", "ls").splitlines()[1:] == []
    build(",name=hello:1,unpack=true", "--platform", "linux/amd64,linux/arm64")
    before = ctr("snapshots", "ls").splitlines()[1:]
    assert len(before) == 2 and all("Committed" in line for line in before)
    assert ctr("run", "--rm", NAME, "dockyard-unpacked") == "built for amd64\n"
    assert ctr("snapshots", "ls").splitlines()[1:] == before


def test_what_is_not_for_this_machine_is_not_unpacked_and_that_is_said_at_once(
    build: Callable[..., str],
) -> None:
    with pytest.raises(AssertionError, match="unpack=true is for linux/amd64"):
        build(",name=hello:1,unpack=true", "--platform", "linux/arm64")


def test_an_image_that_only_the_daemon_has_is_a_base_for_builds(
    dockyard: Dockyard,
    store: ContainerdStore,
    address: Address,
    layout: LayoutReader,
    project: Path,
    ctr: Ctr,
) -> None:
    copy_image(layout, layout.find(None), store, names=["docker.io/library/only-there:1"])
    run(dockyard, "store", "use", "containerd", "--address", address.url, "--namespace", address.namespace)
    (project / "Dockerfile").write_text('FROM only-there:1\nRUN echo made >/made\nCMD ["cat", "/made"]\n')
    run(dockyard, "build", "-t", "child", project)
    assert ctr("run", "--rm", "docker.io/library/child:latest", "dockyard-test") == "made\n"


def test_a_layer_that_the_daemon_has_does_not_come_here_to_go_back(
    dockyard: Dockyard, dockyard_root: Path, store: ContainerdStore, address: Address, layout: LayoutReader,
    project: Path, ctr: Ctr,
) -> None:  # fmt: skip
    copy_image(layout, layout.find(None), store, names=["docker.io/library/only-there:1"])
    run(dockyard, "store", "use", "containerd", "--address", address.url, "--namespace", address.namespace)
    (project / "Dockerfile").write_text('FROM only-there:1\nCMD ["echo", "on top"]\n')
    run(dockyard, "build", "-t", "child", project)
    large = [blob for blob in (dockyard_root / "content/blobs/sha256").iterdir() if blob.stat().st_size > 1e5]
    assert large == []
    assert ctr("run", "--rm", "docker.io/library/child:latest", "dockyard-test") == "on top\n"


def test_signatures_stay_at_the_daemon_as_long_as_their_image(
    dockyard: Dockyard, built: str, store: ContainerdStore, ctr: Ctr, project: Path, tmp_path: Path
) -> None:
    key = generate_private_key()
    (tmp_path / "signer.key").write_bytes(sealed_pem(key, b""))
    run(dockyard, "sign", "--key", tmp_path / "signer.key", "hello:1")
    target = store.images.get(NAME).target
    # The daemon collects what nothing keeps when a name goes, and waits for it if asked to.
    ctr("images", "tag", NAME, "docker.io/library/other:1")
    ctr("images", "rm", "--sync", "docker.io/library/other:1")
    place = StorePlace(store.content, target.digest)
    for subject in signed_subjects(store.content, target):
        found = check_signatures(place, subject, [key.public])
        assert {(each.form, each.kind, each.problem) for each in found} >= {
            ("tag", "image", ""),
            ("bundle", "image", ""),
        }


def test_a_build_that_signs_leaves_its_signatures_at_the_daemon(
    dockyard: Dockyard,
    built: str,
    store: ContainerdStore,
    busybox_layout: Path,
    project: Path,
    tmp_path: Path,
) -> None:
    key = generate_private_key()
    (tmp_path / "signer.key").write_bytes(sealed_pem(key, b""))
    base = f"busybox=oci-layout://{busybox_layout}"
    run(
        dockyard, "build", "-t", "hello:2", "--build-context", base,
        "--sign", f"key={tmp_path / 'signer.key'}", project,
    )  # fmt: skip
    target = store.images.get("docker.io/library/hello:2").target
    found = check_signatures(StorePlace(store.content, target.digest), target, [key.public])
    assert [each.problem for each in found] == [""] * len(found)
    assert {each.kind for each in found} >= {"image"}
