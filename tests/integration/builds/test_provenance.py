"""Provenance of real builds: when there is one, what it says, and what never gets into it."""

from __future__ import annotations

import base64
import json
import subprocess
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from builder.oci.digest import Digest

if TYPE_CHECKING:
    from pathlib import Path

    from building import Project

pytestmark = pytest.mark.root

TWO = ("--platform", "linux/amd64,linux/arm64")
DOCKERFILE = "FROM busybox AS base\nFROM scratch\nCOPY --from=base /bin/busybox /b\nCOPY Dockerfile /\n"
CANARY = "canary-8c1f"


class Archive:
    """An OCI archive that was built."""

    def __init__(self, path: Path) -> None:
        with tarfile.open(path) as opened:
            self.blobs = {
                "sha256:" + member.name.rpartition("/")[2]: opened.extractfile(member).read()  # type: ignore[union-attr]
                for member in opened.getmembers()
                if member.isfile() and member.name.startswith("blobs/")
            }
            index = json.loads(opened.extractfile("index.json").read())  # type: ignore[union-attr]
        self.digest: str = index["manifests"][0]["digest"]
        self.root = self.json(self.digest)

    def json(self, digest: str) -> dict[str, Any]:
        return json.loads(self.blobs[digest])  # type: ignore[no-any-return]

    @property
    def attestations(self) -> list[dict[str, Any]]:
        """The attestation manifests, in the order of the index."""
        entries = self.root.get("manifests", [])
        return [self.json(each["digest"]) for each in entries if each["platform"]["os"] == "unknown"]

    @property
    def statements(self) -> list[dict[str, Any]]:
        return [self.json(layer["digest"]) for each in self.attestations for layer in each["layers"]]


def archive(
    project: Project, *options: str, dockerfile: str | None = DOCKERFILE, attribute: str = ""
) -> Archive:
    target = project.context.parent / "out.tar"
    project.built(dockerfile, "-o", f"type=oci,dest={target}{attribute}", *options)
    return Archive(target)


def metadata(statement: dict[str, Any]) -> dict[str, Any]:
    return statement["predicate"]["runDetails"]["metadata"]  # type: ignore[no-any-return]


def materials(found: Archive) -> list[list[dict[str, Any]]]:
    return [each["predicate"]["buildDefinition"]["resolvedDependencies"] for each in found.statements]


def test_two_platforms_have_provenance_unless_somebody_says_no(project: Project) -> None:
    assert len(archive(project, *TWO).attestations) == 2
    assert archive(project, *TWO, "--provenance=false").attestations == []


def test_provenance_that_nobody_asked_for_makes_no_index_of_an_archive(project: Project) -> None:
    assert "manifests" not in archive(project).root
    assert len(archive(project, attribute=",attestation-inline=true").attestations) == 1
    assert len(archive(project, "--provenance=true").attestations) == 1


def test_the_image_of_one_platform_in_the_store_is_an_index_with_provenance(project: Project) -> None:
    project.built(DOCKERFILE, "-t", "app:1")
    shown = json.loads(project.dockyard("inspect", "app:1", "--format", "json").out or "{}")
    assert "unknown" not in json.dumps(shown.get("platforms", []))
    target = project.context.parent / "saved.tar"
    assert project.dockyard("save", "-o", str(target), "app:1").code == 0
    assert len(Archive(target).attestations) == 1


def test_the_environment_turns_the_default_off(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILDX_NO_DEFAULT_ATTESTATIONS", "1")
    assert archive(project, *TWO).attestations == []


def test_an_attested_image_is_bit_for_bit_the_one_without(project: Project) -> None:
    plain = archive(project, *TWO, "--provenance=false")
    attested = archive(project, *TWO, "--provenance=max")
    assert attested.root["manifests"][:2] == plain.root["manifests"]


def test_a_build_that_was_cached_was_made_of_the_same_materials(project: Project) -> None:
    first = archive(project, *TWO, "--provenance=max")
    again = archive(project, *TWO, "--provenance=max")
    assert materials(again) == materials(first)
    assert [[each["uri"] for each in found] for found in materials(first)] == [
        ["pkg:oci/busybox@latest?platform=linux%2Famd64"], ["pkg:oci/busybox@latest?platform=linux%2Farm64"],
    ]  # fmt: skip
    index = Digest.of(json_file(project.busybox)).hex
    assert materials(first)[0][0]["digest"] == {"sha256": index}


def json_file(layout: Path) -> bytes:
    """The index of images in an OCI layout."""
    entry = json.loads((layout / "index.json").read_bytes())["manifests"][0]
    return (layout / "blobs" / entry["digest"].replace(":", "/")).read_bytes()


def test_with_a_source_date_epoch_two_builds_are_one_index(project: Project) -> None:
    options = (*TWO, "--provenance=max", "--build-arg", "SOURCE_DATE_EPOCH=1700000000")
    first = archive(project, *options)
    again = archive(project, *options, "--no-cache", dockerfile=None)
    assert again.digest == first.digest
    assert metadata(first.statements[0])["startedOn"] == "2023-11-14T22:13:20Z"


def test_without_an_epoch_every_build_is_an_invocation_of_its_own(project: Project) -> None:
    ids = {metadata(each)["invocationId"] for _ in range(2) for each in archive(project, *TWO).statements}
    assert len(ids) == 2


def test_no_secret_and_no_credential_is_in_any_blob_or_file(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://me:{CANARY}@127.0.0.1:1/")
    secret = project.context.parent / "secret"
    secret.write_text(CANARY)
    described = project.context.parent / "metadata.json"
    subprocess.run(["git", "init", "-q", str(project.context)], check=True)
    remote = f"https://me:{CANARY}@example.com/r.git"
    subprocess.run(["git", "-C", str(project.context), "remote", "add", "origin", remote], check=True)
    dockerfile = (
        "FROM busybox\nARG PLACE\nRUN --mount=type=secret,id=token --mount=type=secret,id=other,env=OTHER "
        'test -n "$OTHER" && echo "$PLACE" | wc -c > /size\n'
    )
    found = archive(
        project, "--provenance=max", "--secret", f"id=token,src={secret}", "--secret", f"id=other,src={secret}",
        "--build-arg", f"PLACE=https://me:{CANARY}@example.com/x", "--build-arg", "http_proxy",
        "--metadata-file", str(described), dockerfile=dockerfile,
    )  # fmt: skip
    request = found.statements[0]["predicate"]["buildDefinition"]["externalParameters"]["request"]
    assert [each["id"] for each in request["secrets"]] == ["other", "token"]
    for layer in found.attestations[0]["layers"]:
        assert CANARY.encode() not in found.blobs[layer["digest"]]
    info = metadata(found.statements[0])["buildkit_metadata"]["source"]["infos"][0]
    assert CANARY.encode() not in base64.b64decode(info["data"])
    assert CANARY not in described.read_text()


def test_the_repository_around_the_context_is_told(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write("Dockerfile", DOCKERFILE)
    git = ["git", "-C", str(project.context), "-c", "user.name=t", "-c", "user.email=t@example.com"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *words], check=True)
    subprocess.run([*git, "remote", "add", "origin", "https://me:pw@example.com/r.git"], check=True)
    revision = subprocess.run(
        [*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    told = metadata(archive(project, *TWO).statements[0])["buildkit_metadata"]["vcs"]
    assert told == {
        "localdir:context": ".", "revision": revision, "source": "https://example.com/r.git",
    }  # fmt: skip
    monkeypatch.setenv("BUILDX_GIT_CHECK_DIRTY", "1")
    project.write("new", "x")
    told = metadata(archive(project, *TWO).statements[0])["buildkit_metadata"]["vcs"]
    assert told["revision"] == f"{revision}-dirty"
    monkeypatch.setenv("BUILDX_GIT_INFO", "0")
    assert metadata(archive(project, *TWO).statements[0])["buildkit_metadata"] == {}


def test_the_metadata_file_describes_how_each_platform_was_made(project: Project) -> None:
    described = project.context.parent / "metadata.json"
    project.built(DOCKERFILE, *TWO, "--metadata-file", str(described), "--provenance=false")
    found = json.loads(described.read_text())["buildx.build.provenance/linux/arm64"]
    assert list(found) == ["builder", "buildType", "materials", "invocation"]


def test_files_have_their_statement_beside_them(project: Project) -> None:
    target = project.context.parent / "files"
    project.built("FROM scratch\nCOPY Dockerfile /d/\n", "-o", str(target), "--provenance=max")
    statement = json.loads((target / "provenance.json").read_text())
    digest = Digest.of((target / "d" / "Dockerfile").read_bytes()).hex
    assert statement["subject"] == [{"name": "d/Dockerfile", "digest": {"sha256": digest}}]
    assert (target / "provenance.json").stat().st_mode & 0o777 == 0o600


def test_files_have_no_statement_that_nobody_asked_for(project: Project) -> None:
    target = project.context.parent / "files"
    project.built("FROM scratch\nCOPY Dockerfile /\n", "-o", str(target))
    assert [each.name for each in target.iterdir()] == ["Dockerfile"]


def test_the_classic_store_refuses_attestations_before_any_work(project: Project) -> None:
    outcome = project.build(DOCKERFILE, "--driver", "classic", "--provenance=true", "-t", "app:1")
    assert outcome.code == 1
    assert "Attestation is not supported for the docker driver." in outcome.err
    assert "Learn more at https://docs.docker.com/go/attestations/" in outcome.err
    assert "load build definition" not in outcome.err


def test_the_classic_store_goes_without_what_nobody_asked_for(project: Project) -> None:
    project.built("FROM scratch\nCOPY Dockerfile /\n", "--driver", "classic", "-t", "app:1")


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (
            "type=docker,dest=/tmp/never.tar",
            "docker exporter does not currently support exporting manifest lists, use the oci exporter instead",
        ),
        ("type=image,oci-mediatypes=false", 'cannot export attestations with "oci-mediatypes=false"'),
    ],
)
def test_outputs_that_hold_no_attestations_refuse_them_before_any_work(
    project: Project, output: str, message: str
) -> None:
    outcome = project.build(DOCKERFILE, "--provenance=true", "-o", output)
    assert outcome.code == 2
    assert message in outcome.err
    assert "load build definition" not in outcome.err


def test_an_attested_image_runs_and_is_unpacked_for_its_platform_alone(project: Project) -> None:
    project.built("FROM busybox\nCMD echo here\n", "-t", "app:1")
    outcome = project.dockyard("run", "app:1")
    assert (outcome.code, outcome.out) == (0, "here\n")
