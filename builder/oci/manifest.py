"""Manifests and indexes, read strictly and written as BuildKit writes them.

Bytes matter here: a digest names the exact text, so encoding is fixed (two spaces, members in the order of
the specification, Go's HTML escapes) and a document that was read is never written again from its parsed
form.
Source: OCI image-spec, manifest.md and image-index.md.
"""

# Annotations are types here and no texts, which msgspec would have to read at every start.

from typing import Final, TypeVar

import msgspec

from builder.oci.descriptor import Descriptor
from builder.oci.digest import decode_hook, encode_json
from builder.oci.mediatypes import DOCKER_INDEX, INDEXES, MANIFESTS, OCI_INDEX, OCI_MANIFEST
from builder.system.errors import DockyardError

_T = TypeVar("_T")
MAX_DOCUMENT: Final = 8 << 20
"""Bytes of the largest manifest, index or config that is read into memory."""


class InvalidDocument(DockyardError):
    """A manifest, index or config that is not what its descriptor says."""


class Manifest(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One image for one platform: a config and its layers, lowest first."""

    schema_version: int = msgspec.field(name="schemaVersion")
    media_type: str = msgspec.field(name="mediaType", default="")
    artifact_type: str = msgspec.field(name="artifactType", default="")
    config: Descriptor
    layers: tuple[Descriptor, ...]
    subject: Descriptor | None = None
    annotations: dict[str, str] = {}


class Index(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A list of manifests, usually one a platform."""

    schema_version: int = msgspec.field(name="schemaVersion")
    media_type: str = msgspec.field(name="mediaType", default="")
    artifact_type: str = msgspec.field(name="artifactType", default="")
    manifests: tuple[Descriptor, ...]
    subject: Descriptor | None = None
    annotations: dict[str, str] = {}


class _Shape(msgspec.Struct):
    """Members that tell a manifest from an index, whatever the media type claims."""

    schema_version: int = msgspec.field(name="schemaVersion", default=0)
    media_type: str = msgspec.field(name="mediaType", default="")
    manifests: msgspec.Raw = msgspec.Raw()
    config: msgspec.Raw = msgspec.Raw()
    layers: msgspec.Raw = msgspec.Raw()
    fs_layers: msgspec.Raw = msgspec.field(name="fsLayers", default=msgspec.Raw())


def decode_manifest(content: bytes, media_type: str) -> Manifest:
    """The manifest in `content`, a blob that was described as `media_type`.

    Raises: InvalidDocument, also when it looks like an index.
    """
    shape = _shape(content, media_type)
    if bytes(shape.manifests) or shape.media_type in INDEXES:
        raise InvalidDocument(f"media-type: expected manifest but found index ({media_type})")
    _require_media_type(shape, media_type)
    return _decode(content, Manifest, "manifest")


def decode_index(content: bytes, media_type: str) -> Index:
    """The index in `content`, a blob that was described as `media_type`.

    Raises: InvalidDocument, also when it looks like a manifest.
    """
    shape = _shape(content, media_type)
    if bytes(shape.config) or bytes(shape.layers) or shape.media_type in MANIFESTS:
        raise InvalidDocument(f"media-type: expected index but found manifest ({media_type})")
    _require_media_type(shape, media_type)
    return _decode(content, Index, "index")


def encode_document(document: Manifest | Index) -> bytes:
    """The bytes of `document` as they are stored: indented by two spaces, no newline at the end."""
    return msgspec.json.format(escape_html(encode_json(document)), indent=2)


def image_index(manifests: tuple[Descriptor, ...], *, annotations: dict[str, str] | None = None) -> Index:
    """An OCI index over `manifests`."""
    return Index(schema_version=2, media_type=OCI_INDEX, manifests=manifests, annotations=annotations or {})


def image_manifest(
    config: Descriptor, layers: tuple[Descriptor, ...], *, annotations: dict[str, str] | None = None
) -> Manifest:
    """An OCI image manifest; `layers` stand lowest first, one for each diff ID of `config`."""
    return Manifest(
        schema_version=2, media_type=OCI_MANIFEST, config=config, layers=layers, annotations=annotations or {}
    )


def is_index(media_type: str) -> bool:
    """Whether a descriptor of this type points at an index (or at Docker's manifest list)."""
    return media_type in (OCI_INDEX, DOCKER_INDEX)


def escape_html(encoded: bytes) -> bytes:
    r"""JSON text with `<`, `>`, `&`, U+2028 and U+2029 as `\u00XX`, as Go's encoder writes it.

    None of these occurs in JSON outside strings, so replacing bytes is safe.
    """
    for plain, escaped in _GO_ESCAPES:
        encoded = encoded.replace(plain, escaped)
    return encoded


_GO_ESCAPES: Final = (
    (b"<", rb"\u003c"),
    (b">", rb"\u003e"),
    (b"&", rb"\u0026"),
    ("\u2028".encode(), rb"\u2028"),
    ("\u2029".encode(), rb"\u2029"),
)


def _shape(content: bytes, media_type: str) -> _Shape:
    if len(content) > MAX_DOCUMENT:
        raise InvalidDocument(f"{media_type} of {len(content)} bytes is larger than {MAX_DOCUMENT}")
    shape = _decode(content, _Shape, media_type)
    if bytes(shape.fs_layers):
        raise InvalidDocument("media-type: schema 1 not supported")
    return shape


def _require_media_type(shape: _Shape, media_type: str) -> None:
    if shape.media_type and shape.media_type != media_type:
        raise InvalidDocument(
            f"the document says it is {shape.media_type!r}, its descriptor says {media_type!r}"
        )


def _decode(content: bytes, kind: type[_T], what: str) -> _T:
    try:
        return msgspec.json.decode(content, type=kind, dec_hook=decode_hook)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidDocument(f"malformed {what}: {error}") from error
