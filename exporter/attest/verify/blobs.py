"""Every byte of an image against its digest and size, several blobs at a time.

Believes no store: what a store checked when it took a blob in says nothing about the disk of today.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from builder.oci.digest import CHUNK
from builder.store.errors import StoreError
from exporter.attest.verify.finding import Finding, failed, judge

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from builder.oci.descriptor import Descriptor
    from builder.store.protocol import BlobReader

_THREADS: Final = 4


def check_blobs(reader: BlobReader, blobs: Iterable[Descriptor]) -> Iterator[Finding]:
    """The checks `blob` and `size` of each distinct descriptor, in the order given."""
    distinct = {(blob.digest, blob.size): blob for blob in blobs}
    # Hashing releases the interpreter, so threads share the cores.
    with ThreadPoolExecutor(_THREADS) as pool:
        yield from pool.map(lambda blob: check_blob(reader, blob), distinct.values())


def check_blob(reader: BlobReader, blob: Descriptor) -> Finding:
    """Whether the blob is there, of that size and with these bytes."""
    sha256, length = hashlib.sha256(), 0
    try:
        with reader.open(blob.digest) as stream:
            # A byte more than promised is enough to know that the size is wrong.
            while chunk := stream.read(min(CHUNK, blob.size + 1 - length)):
                sha256.update(chunk)
                length += len(chunk)
    except (StoreError, OSError) as error:
        return failed("blob", blob.digest, f"cannot be read: {error}")
    if length != blob.size:
        many = f"more than {blob.size}" if length > blob.size else str(length)
        return failed("size", blob.digest, f"{many} bytes, its descriptor says {blob.size}")
    held = sha256.hexdigest() == blob.digest.hex
    return judge("blob", held, blob.digest, f"{length} bytes" if held else "its bytes have another digest")
