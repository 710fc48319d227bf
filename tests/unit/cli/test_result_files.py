"""The files that tell other programs what a build made."""

from __future__ import annotations

import json

from builder.api.options import BuildResult, PlatformResult
from builder.cli.result_files import image_id, metadata
from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.oci.mediatypes import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from builder.platforms import Platform


def descriptor(content: bytes, media_type: str) -> Descriptor:
    return Descriptor(media_type=media_type, digest=Digest.of(content), size=len(content))


CONFIG = descriptor(b"config", OCI_CONFIG)
MANIFEST = descriptor(b"manifest", OCI_MANIFEST)
INDEX = descriptor(b"index", OCI_INDEX)


def result(root: Descriptor) -> BuildResult:
    image = PlatformResult(platform=Platform("linux", "amd64"), manifest=MANIFEST, config=CONFIG)
    return BuildResult(
        digest=root.digest,
        descriptor=root,
        platforms=(image,),
        names=("docker.io/library/a:1", "docker.io/library/a:2"),
    )


def test_metadata_of_a_single_manifest_names_its_config() -> None:
    assert json.loads(metadata(result(MANIFEST))) == {
        "containerimage.config.digest": CONFIG.digest,
        "containerimage.descriptor": {"mediaType": OCI_MANIFEST, "digest": MANIFEST.digest, "size": 8},
        "containerimage.digest": MANIFEST.digest,
        "image.name": "docker.io/library/a:1,docker.io/library/a:2",
    }


def test_metadata_of_an_index_names_no_config() -> None:
    assert "containerimage.config.digest" not in json.loads(metadata(result(INDEX)))


def test_members_of_the_metadata_stand_in_alphabetical_order() -> None:
    members = list(json.loads(metadata(result(MANIFEST))))

    assert members == sorted(members)


def test_the_image_id_is_the_digest_of_the_root() -> None:
    assert image_id(result(INDEX)) == INDEX.digest
