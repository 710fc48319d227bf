"""Blobs that are passed on from where they are: who promised them hears when they are not what they should be."""

from __future__ import annotations

import io
from typing import BinaryIO, cast

import pytest

from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.oci.mediatypes import OCI_LAYER
from builder.registry.errors import Interrupted
from builder.source.origins import Origin, Origins
from builder.store.errors import BlobNotFound, DigestMismatch
from builder.system.errors import DockyardError

CONTENT = b"the bytes of a layer"
BLOB = Descriptor(media_type=OCI_LAYER, digest=Digest.of(CONTENT), size=len(CONTENT))


class Cut(io.BytesIO):
    """A stream that ends in the middle, with an error."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= 10:
            raise Interrupted("the connection was lost")
        return super().read(min(10, size if size is not None and size >= 0 else 10))


class Place:
    """Has one blob (`builder.store.protocol.BlobReader`), or none."""

    def __init__(self, stream: io.BytesIO | None) -> None:
        self._stream = stream

    def open(self, digest: Digest) -> BinaryIO:
        if self._stream is None:
            raise BlobNotFound(f"no {digest}")
        return cast("BinaryIO", self._stream)

    def read(self, descriptor: Descriptor) -> bytes:
        with self.open(descriptor.digest) as stream:
            return stream.read()


def opened(stream: io.BytesIO | None) -> tuple[Origins, list[DockyardError]]:
    origins, heard = Origins(), list[DockyardError]()
    origins.note([BLOB], Origin(open=lambda: Place(stream), failed=heard.append))
    return origins, heard


def test_the_promised_bytes_are_passed_on_and_nobody_complains() -> None:
    origins, heard = opened(io.BytesIO(CONTENT))
    with origins.open(BLOB.digest) as stream:
        assert (stream.read(), heard) == (CONTENT, [])


@pytest.mark.parametrize(
    ("stream", "error"),
    [
        (None, BlobNotFound),
        (io.BytesIO(b"x" * len(CONTENT)), DigestMismatch),
        (io.BytesIO(CONTENT[:5]), DigestMismatch),
        (io.BytesIO(CONTENT + b"and more, without an end" * 1000), DigestMismatch),
        (Cut(CONTENT), Interrupted),
    ],
    ids=["gone", "spoilt", "short", "long", "cut"],
)
def test_who_promised_a_blob_hears_why_it_could_not_be_had(
    stream: io.BytesIO | None, error: type[DockyardError]
) -> None:
    origins, heard = opened(stream)
    with pytest.raises(error), origins.open(BLOB.digest) as blob:
        blob.read()
    assert [type(each) for each in heard] == [error]
