"""The payload of an image signature in the form of tags: which digest, under which name.

Source: containers/image, docs/containers-signature.5.md, and what cosign writes: the member is called
`docker-manifest-digest` with a small d, whatever the specification's text shows.
"""

from __future__ import annotations

from typing import Final

import msgspec

from builder.oci.digest import Digest, decode_hook, encode_json
from exporter.attest.signing.errors import MalformedSignature

SIMPLE_SIGNING: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
"""Media type of a payload."""
_TYPES: Final = frozenset({"cosign container image signature", "atomic container signature"})


class _Identity(msgspec.Struct, frozen=True):
    reference: str = msgspec.field(name="docker-reference", default="")


class _Image(msgspec.Struct, frozen=True):
    digest: Digest = msgspec.field(name="docker-manifest-digest")


class _Critical(msgspec.Struct, frozen=True):
    identity: _Identity
    image: _Image
    type: str


class Payload(msgspec.Struct, frozen=True):
    """What an image signature says. `optional` is JSON, or none."""

    critical: _Critical
    optional: dict[str, object] | None = None

    @property
    def digest(self) -> Digest:
        """The digest that was signed."""
        return self.critical.image.digest

    @property
    def reference(self) -> str:
        """The name that the signer gave the image: nobody should decide by it."""
        return self.critical.identity.reference


def encode_payload(digest: Digest, *, repository: str) -> bytes:
    """A payload for the image `digest`, which its signer calls `repository`."""
    critical = _Critical(_Identity(repository), _Image(digest), "cosign container image signature")
    return encode_json(Payload(critical))


def decode_payload(content: bytes) -> Payload:
    """The payload in `content`. Raises: MalformedSignature."""
    try:
        payload = msgspec.json.decode(content, type=Payload, dec_hook=decode_hook)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedSignature(f"no image signature: {error}") from None
    if payload.critical.type not in _TYPES:
        raise MalformedSignature(f"an image signature of the unknown type {payload.critical.type[:60]!r}")
    return payload
