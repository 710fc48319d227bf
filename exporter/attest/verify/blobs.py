"""Every byte of an image against its digest and size, several blobs at a time.

Believes no store: what a store checked when it took a blob in says nothing about the disk of today.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from builder.oci.digest import CHUNK
from builder.store.errors import BlobNotFound, StoreError
from exporter.attest.verify.finding import Finding, Spot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from builder.oci.descriptor import Descriptor
    from builder.store.protocol import BlobReader

_THREADS: Final = 4
_DAMAGED: Final = "the store or the transfer damaged it, or somebody changed it: bring the image in again"


def check_blobs(
    reader: BlobReader, blobs: Sequence[tuple[Descriptor, str]], *, elsewhere: str = ""
) -> Iterator[Finding]:
    """The checks `blob` and `size` of each of `blobs`, which stand beside their platforms, in that order.

    `elsewhere`: the repository that has what is not here.
    """
    # Hashing releases the interpreter, so threads share the cores.
    with ThreadPoolExecutor(_THREADS) as pool:
        yield from pool.map(
            lambda blob: check_blob(reader, blob[0], platform=blob[1], elsewhere=elsewhere), blobs
        )


def check_blob(reader: BlobReader, blob: Descriptor, *, platform: str = "", elsewhere: str = "") -> Finding:
    """Whether the blob is there, of that size and with these bytes; not checked when it is `elsewhere`."""
    spot = Spot(blob.digest, platform)
    sha256, length = hashlib.sha256(), 0
    try:
        with reader.open(blob.digest) as stream:
            # A byte more than promised is enough to know that the size is wrong.
            while chunk := stream.read(min(CHUNK, blob.size + 1 - length)):
                sha256.update(chunk)
                length += len(chunk)
    except BlobNotFound as error:
        if elsewhere:
            return spot.skipped("blob", f"lives at {elsewhere}", hint="`dockyard pull` brings it here")
        return spot.failed("blob", f"cannot be read: {error.message}", hint="bring the image in again, whole")
    except (StoreError, OSError) as error:
        return spot.failed("blob", f"cannot be read: {error}", hint=_DAMAGED)
    if length != blob.size:
        many = f"more than {blob.size}" if length > blob.size else str(length)
        return spot.failed("size", f"{many} bytes, its descriptor says {blob.size}", hint=_DAMAGED)
    held = sha256.hexdigest() == blob.digest.hex
    message = f"{length} bytes" if held else "its bytes have another digest"
    return spot.judged("blob", message, held=held, hint=_DAMAGED)
