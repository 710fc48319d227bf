"""`dockyard imagetools` on a real registry, and beside the real buildx, byte for byte."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from builder.oci.config import ImageConfig, RootFS, encode_config
from builder.oci.descriptor import Descriptor, PlatformObject
from builder.oci.manifest import Manifest, encode_document, image_index, image_manifest
from builder.oci.mediatypes import IN_TOTO, OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from builder.oci.reference import parse_reference
from builder.registry.push import push_image
from builder.registry.reader import RegistryReader
from fixtures.errors import FixtureError
from fixtures.peers.clients import open_client

if TYPE_CHECKING:
    from peers import Served

    from builder.registry.registries import Registries
    from builder.store.embedded import EmbeddedStore
    from builder.store.protocol import ContentWriter

PROVENANCE: Final = {"buildDefinition": {"buildType": "test"}, "runDetails": {"builder": {"id": "x"}}}
SBOM: Final = {"spdxVersion": "SPDX-2.3", "name": "sbom", "SPDXID": "SPDXRef-DOCUMENT", "packages": []}


def blob(content: ContentWriter, data: bytes, media_type: str) -> Descriptor:
    return Descriptor(media_type=media_type, digest=content.put(data), size=len(data))


def platform_manifest(content: ContentWriter, architecture: str) -> Descriptor:
    layer = blob(content, architecture.encode() * 1000, OCI_LAYER)
    config = ImageConfig(architecture=architecture, os="linux", rootfs=RootFS(diff_ids=(layer.digest,)))
    manifest = image_manifest(blob(content, encode_config(config), OCI_CONFIG), (layer,))
    described = blob(content, encode_document(manifest), OCI_MANIFEST)
    return Descriptor(
        media_type=described.media_type,
        digest=described.digest,
        size=described.size,
        platform=PlatformObject(architecture=architecture, os="linux"),
    )


def attestation(content: ContentWriter, subject: Descriptor) -> Descriptor:
    def statement(kind: str, predicate: object) -> Descriptor:
        body: dict[str, object] = {
            "_type": "https://in-toto.io/Statement/v1",
            "predicateType": kind,
            "subject": [{"name": "image", "digest": {"sha256": subject.digest.hex}}],
            "predicate": predicate,
        }
        described = blob(content, json.dumps(body).encode(), IN_TOTO)
        return Descriptor(
            media_type=IN_TOTO,
            digest=described.digest,
            size=described.size,
            annotations={"in-toto.io/predicate-type": kind},
        )

    layers = (
        statement("https://spdx.dev/Document", SBOM),
        statement("https://slsa.dev/provenance/v1", PROVENANCE),
    )
    config = blob(content, b'{"architecture":"unknown","os":"unknown"}', OCI_CONFIG)
    manifest = Manifest(schema_version=2, media_type=OCI_MANIFEST, config=config, layers=layers)
    described = blob(content, encode_document(manifest), OCI_MANIFEST)
    return Descriptor(
        media_type=OCI_MANIFEST,
        digest=described.digest,
        size=described.size,
        annotations={
            "vnd.docker.reference.digest": str(subject.digest),
            "vnd.docker.reference.type": "attestation-manifest",
        },
        platform=PlatformObject(architecture="unknown", os="unknown"),
    )


class Images:
    """A registry with two images: `both` for two platforms with attestations, `one` for a third without."""

    def __init__(self, host: str, environment: dict[str, str]) -> None:
        self.host = host
        self.both = f"{host}/a/both:1"
        self.one = f"{host}/a/one:1"
        self.environment = environment
        self.manifest = ""

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs `dockyard imagetools`."""
        return subprocess.run(
            [Path(sys.executable).with_name("dockyard"), "imagetools", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def must(self, *arguments: str) -> str:
        done = self(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def document(self, name: str) -> dict[str, object]:
        found = json.loads(self.must("inspect", "--raw", name))
        assert isinstance(found, dict)
        return found


@pytest.fixture
def images(
    plain: Served, environment: dict[str, str], store: EmbeddedStore, registries: Registries
) -> Images:
    made = Images(plain.host, environment)
    with store.lease() as lease:
        content = lease.content
        amd64, arm64, riscv64 = (platform_manifest(content, name) for name in ("amd64", "arm64", "riscv64"))
        entries = (amd64, arm64, attestation(content, amd64), attestation(content, arm64))
        index = blob(content, encode_document(image_index(entries)), OCI_INDEX)
        for name, target in ((made.both, index), (made.one, riscv64)):
            reference = parse_reference(name)
            push_image(registries.repository(reference), content, target, tags=(reference.tag,))
    made.manifest = f"{plain.host}/a/both@{amd64.digest}"
    return made


def architectures(document: dict[str, object]) -> list[str]:
    entries = document["manifests"]
    assert isinstance(entries, list)
    return [entry["platform"]["architecture"] for entry in entries]


def test_several_images_become_one_with_all_that_is_attested(images: Images) -> None:
    target = f"{images.host}/new/all:1"
    images.must("create", "-t", target, images.both, images.one)
    assert architectures(images.document(target)) == ["amd64", "arm64", "unknown", "unknown", "riscv64"]
    assert "riscv64" in images.must("inspect", "--format", "{{json .Image}}", target)


def test_a_single_index_is_copied_with_its_digest_to_every_tag(images: Images) -> None:
    targets = [f"{images.host}/new/x:1", f"{images.host}/other/y:2"]
    images.must("create", "-t", targets[0], "-t", targets[1], images.both)
    digests = {
        images.must("inspect", "--format", "{{.Manifest.Digest}}", name) for name in (images.both, *targets)
    }
    assert len(digests) == 1


def test_layers_are_mounted_from_the_other_repository_and_not_sent(images: Images) -> None:
    done = images("create", "--progress", "plain", "-t", f"{images.host}/new/x:1", images.both)
    assert "mounted" in done.stderr
    assert not [line for line in done.stderr.splitlines() if "kB /" in line]


def test_an_image_goes_to_another_registry_with_its_attestations(
    images: Images, tmp_path: Path, registries: Registries
) -> None:
    from peers import serve_docker_registry

    with serve_docker_registry(tmp_path / "second") as second:
        target = f"{second.host}/copied:1"
        images.must("create", "-t", target, images.both)
        shown = json.loads(images.must("inspect", "--format", "{{json .SBOM}}", target))
        assert shown["linux/arm64"]["SPDX"] == SBOM
        reference = parse_reference(target)
        reader = RegistryReader(registries.repository(reference))
        assert reader.resolve(reference).media_type == OCI_INDEX


def test_platforms_are_taken_with_their_attestations_only(images: Images) -> None:
    target = f"{images.host}/new/arm:1"
    images.must("create", "-t", target, "--platform", "linux/arm64", images.both)
    entries = images.document(target)["manifests"]
    assert isinstance(entries, list)
    assert entries[1]["annotations"]["vnd.docker.reference.digest"] == entries[0]["digest"]
    assert len(entries) == 2


def test_appending_keeps_what_the_tag_had(images: Images) -> None:
    images.must("create", "--append", "-t", images.both, images.one)
    assert architectures(images.document(images.both))[-1] == "riscv64"


def test_a_dry_run_changes_nothing(images: Images) -> None:
    before = images.document(images.both)
    images.must("create", "--dry-run", "--append", "-t", images.both, images.one)
    assert images.document(images.both) == before


def test_a_descriptor_in_a_file_is_a_source(images: Images, tmp_path: Path) -> None:
    digest = images.manifest.partition("@")[2]
    size = len(images.must("inspect", "--raw", images.manifest))
    (tmp_path / "source.json").write_text(
        json.dumps({"mediaType": OCI_MANIFEST, "digest": digest, "size": size})
    )
    made = images.must("create", "--dry-run", "-f", str(tmp_path / "source.json"), images.both)
    assert architectures(json.loads(made)) == ["amd64", "arm64", "unknown", "unknown"]


def test_the_metadata_file_says_what_was_made(images: Images, tmp_path: Path) -> None:
    target = f"{images.host}/new/x:1"
    images.must("create", "-t", target, "--metadata-file", str(tmp_path / "meta"), images.both)
    written = json.loads((tmp_path / "meta").read_text())
    assert written["image.name"] == target
    digest = images.must("inspect", "--format", "{{.Manifest.Digest}}", target)
    assert written["containerimage.descriptor"]["digest"] == digest


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("create", "--dry-run"), 2, "no sources specified"),
        (("create", "a:1"), 2, "can't push with no tags specified"),
        (("create", "--append", "--dry-run", "a:1"), 2, "--append needs exactly one --tag"),
        (("create", "--dry-run", "{}"), 2, "not a descriptor"),
        (("inspect", "--raw", "--format", "x", "a:1"), 2, "exclude each other"),
        (("inspect", "127.0.0.1:1/x:1"), 1, "cannot reach 127.0.0.1:1"),
    ],
)
def test_what_makes_no_sense_is_said_before_anybody_is_asked(
    environment: dict[str, str], arguments: tuple[str, ...], code: int, reason: str
) -> None:
    done = Images("", environment)(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert reason in done.stderr


def test_an_annotation_of_a_manifest_is_refused_because_manifests_stay(images: Images) -> None:
    done = images("create", "--dry-run", "--annotation", "manifest:a=b", images.both)
    assert done.returncode == 1 and "manifest annotations are not supported" in done.stderr


BUILDX_SAYS_THE_SAME: Final = (
    ("inspect", "BOTH"),
    ("inspect", "ONE"),
    ("inspect", "--raw", "BOTH"),
    ("inspect", "--format", "{{json .}}", "BOTH"),
    ("inspect", "--format", "{{json .Manifest}}", "BOTH"),
    ("inspect", "--format", "{{json .Manifest}}", "ONE"),
    ("inspect", "--format", "{{json .Image}}", "BOTH"),
    ("inspect", "--format", "{{json .Image}}", "ONE"),
    ("inspect", "--format", "{{json .SBOM}}", "BOTH"),
    ("inspect", "--format", "{{json .SBOM}}", "ONE"),
    ("inspect", "--format", "{{json .Provenance}}", "ONE"),
    ("inspect", "--format", "{{.Name}}", "BOTH"),
    ("inspect", "--format", "{{range .Manifest.Manifests}}{{.Digest}} {{.Platform.OS}},{{end}}", "BOTH"),
    ("inspect", "--format", '{{(index .Image "linux/amd64").RootFS.DiffIDs}}', "BOTH"),
    ("create", "--dry-run", "BOTH", "ONE"),
    ("create", "--dry-run", "BOTH"),
    ("create", "--dry-run", "ONE"),
    ("create", "--dry-run", "--prefer-index=false", "ONE"),
    ("create", "--dry-run", "--platform", "linux/arm64", "BOTH"),
    ("create", "--dry-run", "--annotation", "index:a=b", "BOTH"),
    ("create", "--dry-run", "--annotation", "manifest-descriptor[linux/amd64]:a=b", "BOTH"),
    ("create", "--dry-run", "--append", "-t", "BOTH", "ONE"),
)


def test_buildx_prints_the_same(images: Images, tmp_path: Path) -> None:
    try:
        buildx = open_client("buildx", tmp_path, os.environ)
    except FixtureError as error:
        pytest.skip(f"no buildx: {error}")
    names = {"BOTH": images.both, "ONE": images.one}
    for words in BUILDX_SAYS_THE_SAME:
        arguments = [names.get(word, word) for word in words]
        theirs = buildx("imagetools", *arguments)
        assert theirs.returncode == 0, theirs.stderr
        assert _comparable(images.must(*arguments)) == _comparable(theirs.stdout), words


def _comparable(text: str) -> object:
    # Go prints the members of what it has parsed in the order of its own types.
    try:
        return json.loads(text)
    except ValueError:
        # buildx prints annotations in an order that changes from run to run.
        return sorted(text.splitlines())
