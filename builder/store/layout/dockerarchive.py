"""Archives of `docker save`, seen as an OCI layout: one manifest is made for each entry of `manifest.json`.

Source: Docker's image specification v1.2, and containerd's importer for the conversion.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from builder.oci.config import decode_config
from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest, digest_stream
from builder.oci.manifest import MAX_DOCUMENT, Index, Manifest, encode_document, image_index
from builder.oci.mediatypes import DOCKER_CONFIG, DOCKER_LAYER, DOCKER_MANIFEST
from builder.oci.reference import InvalidReference, parse_reference
from builder.store.errors import InvalidLayout
from builder.store.layout.names import named_entry

if TYPE_CHECKING:
    from builder.oci.reference import Reference
    from builder.store.layout.files import Files

_MAX_IMAGES: Final = 1000
_BLOB_PATH: Final = r"blobs/sha256/([a-f0-9]{64})"
_COMPRESSIONS: Final = ((b"\x1f\x8b", ".gzip"), (b"\x28\xb5\x2f\xfd", ".zstd"))


class _Entry(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    config: str
    repo_tags: tuple[str, ...] | None = None
    layers: tuple[str, ...]


class DockerArchive(msgspec.Struct, frozen=True):
    """What stands for a layout: its index, the documents made here, and the files of the other blobs."""

    index: Index
    documents: dict[Digest, bytes]
    paths: dict[Digest, str]


def read_docker_archive(files: Files) -> DockerArchive:
    """The images that `manifest.json` lists. Raises: InvalidLayout, InvalidDocument, OSError."""
    try:
        entries = msgspec.json.decode(read_small(files, "manifest.json"), type=tuple[_Entry, ...])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidLayout(f"malformed manifest.json: {error}") from error
    if len(entries) > _MAX_IMAGES:
        raise InvalidLayout(f"manifest.json lists more than {_MAX_IMAGES} images")
    documents: dict[Digest, bytes] = {}
    paths: dict[Digest, str] = {}
    targets: list[Descriptor] = []
    for entry in entries:
        manifest = _manifest(files, entry, paths)
        content = encode_document(manifest)
        target = Descriptor(media_type=DOCKER_MANIFEST, digest=Digest.of(content), size=len(content))
        documents[target.digest] = content
        targets.extend(named_entry(target, name) for name in _names(entry))
    return DockerArchive(image_index(tuple(targets)), documents, paths)


def read_small(files: Files, path: str) -> bytes:
    """All of a JSON file of a layout. Raises: InvalidLayout when it is too large; OSError."""
    with files.open(path) as stream:
        content = b""
        while len(content) <= MAX_DOCUMENT and (chunk := stream.read(MAX_DOCUMENT + 1 - len(content))):
            content += chunk
    if len(content) > MAX_DOCUMENT:
        raise InvalidLayout(f"{path} is larger than {MAX_DOCUMENT} bytes")
    return content


def _manifest(files: Files, entry: _Entry, paths: dict[Digest, str]) -> Manifest:
    config = read_small(files, entry.config)
    diff_ids = decode_config(config).diff_ids
    if len(diff_ids) != len(entry.layers):
        raise InvalidLayout(
            f"invalid manifest, layers length mismatch: expected {len(diff_ids)}, got {len(entry.layers)}"
        )
    layers = tuple(_layer(files, path) for path in entry.layers)
    for path, layer, diff_id in zip(entry.layers, layers, diff_ids, strict=True):
        if layer.media_type == DOCKER_LAYER and layer.digest != diff_id:
            raise InvalidLayout(f"layer {path} has diff id {layer.digest}, its config says {diff_id}")
        paths[layer.digest] = path
    described = Descriptor(media_type=DOCKER_CONFIG, digest=Digest.of(config), size=len(config))
    paths[described.digest] = entry.config
    return Manifest(schema_version=2, media_type=DOCKER_MANIFEST, config=described, layers=layers)


def _layer(files: Files, path: str) -> Descriptor:
    with files.open(path) as stream:
        magic = stream.read(4)
    suffix = next((suffix for start, suffix in _COMPRESSIONS if magic.startswith(start)), "")
    return Descriptor(
        media_type=DOCKER_LAYER + suffix, digest=_layer_digest(files, path), size=files.size(path)
    )


def _layer_digest(files: Files, path: str) -> Digest:
    # A name like this is a claim like any other digest: checked when the blob is copied.
    if (claimed := re.fullmatch(_BLOB_PATH, path)) is not None:
        return Digest(f"sha256:{claimed[1]}")
    with files.open(path) as stream:
        return digest_stream(stream)


def _names(entry: _Entry) -> tuple[Reference | None, ...]:
    try:
        return tuple(map(parse_reference, entry.repo_tags or ())) or (None,)
    except InvalidReference as error:
        raise InvalidLayout(f"manifest.json has an invalid tag: {error.message}") from error
