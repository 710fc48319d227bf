"""Digests: the names of stored bytes, and of uncompressed layers.

A digest comes into being by parsing or by hashing, never from a bare string, so that code which holds one
may use it as a file name. Source: OCI image-spec, descriptor.md, "Digests".
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal, NewType, Self

import msgspec

from builder.system.errors import DockyardError

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHA256: Final = re.compile(r"sha256:[a-f0-9]{64}", re.ASCII)
CHUNK: Final = 1 << 20
"""Bytes read at a time wherever a stream is hashed or copied."""


class InvalidDigest(DockyardError):
    """Text that is not a digest which dockyard can verify."""


class Digest(str):
    """`sha256:` and 64 lower-case hexadecimal digits."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises: InvalidDigest, also for algorithms that cannot be verified here."""
        if not _SHA256.fullmatch(text):
            raise InvalidDigest(f"not a sha256 digest: {text[:100]!r}")
        return cls(text)

    @classmethod
    def of(cls, content: bytes) -> Self:
        """The digest of `content`."""
        return cls("sha256:" + hashlib.sha256(content).hexdigest())

    @property
    def hex(self) -> str:
        """The part behind the colon."""
        return self[7:]


DiffID = NewType("DiffID", Digest)
"""Digest of a layer's uncompressed tar."""


def digest_stream(stream: BinaryIO) -> Digest:
    """Digest of all that is left in `stream`, in constant memory."""
    sha256 = hashlib.sha256()
    while chunk := stream.read(CHUNK):
        sha256.update(chunk)
    return Digest("sha256:" + sha256.hexdigest())


def chain_id(diff_ids: Sequence[DiffID]) -> Digest:
    """Identity of a stack of layers, lowest first.

    Raises: ValueError when `diff_ids` is empty: an empty stack has no identity.
    Source: OCI image-spec, config.md, "Layer ChainID".
    """
    if not diff_ids:
        raise ValueError("an empty stack of layers has no chain id")
    chain: Digest = diff_ids[0]
    for diff_id in diff_ids[1:]:
        chain = Digest.of(f"{chain} {diff_id}".encode())
    return chain


def decode_hook(kind: type, value: Any) -> Any:
    """Builds digests for msgspec's decoders.

    Raises: ValueError, which msgspec turns into an error that names the JSON path.
    """
    if kind is Digest and isinstance(value, str):
        try:
            return Digest.parse(value)
        except InvalidDigest as error:
            raise ValueError(error.message) from error
    raise ValueError(f"expected {kind.__name__}, got {type(value).__name__}")


def encode_json(value: object, *, order: Literal["sorted"] | None = None) -> bytes:
    """Compact JSON of structs that hold digests; `order` "sorted" also sorts members."""
    return msgspec.json.encode(value, enc_hook=str, order=order)
