"""Keys of this run, and a place for signatures in memory."""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING, BinaryIO

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from builder.oci.descriptor import Descriptor
from builder.oci.digest import Digest
from builder.oci.mediatypes import OCI_INDEX
from builder.store.errors import BlobNotFound
from exporter.attest.signing.keyfiles import read_private_key, read_public_key

if TYPE_CHECKING:
    from exporter.attest.signing.carriers import Carrier
    from exporter.attest.signing.keys import PrivateKey, PublicKey

PASSPHRASE = b"correct horse"


@cache
def raw_key(kind: str) -> ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey:
    match kind:
        case "ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case "rsa":
            return rsa.generate_private_key(65537, 2048)
        case "p384":
            return ec.generate_private_key(ec.SECP384R1())
        case "p521":
            return ec.generate_private_key(ec.SECP521R1())
        case _:
            # "p256", and any other name for another key of that kind.
            return ec.generate_private_key(ec.SECP256R1())


def pem(kind: str) -> bytes:
    return raw_key(kind).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def private_key(kind: str = "p256") -> PrivateKey:
    return read_private_key(pem(kind), origin=f"{kind}.key", passphrase=bytes)


def public_key(kind: str = "p256") -> PublicKey:
    encoded = raw_key(kind).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return read_public_key(encoded, origin=f"{kind}.pub")


SUBJECT_CONTENT = b'{"schemaVersion":2}'
SUBJECT = Descriptor(media_type=OCI_INDEX, digest=Digest.of(SUBJECT_CONTENT), size=len(SUBJECT_CONTENT))


class MemoryPlace:
    """Carriers and their blobs (`SignaturePlace` and `BlobReader`)."""

    is_mixed = False

    def __init__(self, *carriers: Carrier) -> None:
        self.found = [carrier.descriptor for carrier in carriers]
        documents = [document for carrier in carriers for document in carrier.documents]
        self.blobs = {document.descriptor.digest: document.content for document in documents}
        self.blobs[SUBJECT.digest] = SUBJECT_CONTENT

    @property
    def reader(self) -> MemoryPlace:
        return self

    def carriers(self, _subject: Digest) -> list[Descriptor]:
        return self.found

    def read(self, descriptor: Descriptor) -> bytes:
        return self.open(descriptor.digest).read()

    def open(self, digest: Digest) -> BinaryIO:
        try:
            return io.BytesIO(self.blobs[digest])
        except KeyError:
            raise BlobNotFound(f"blob {digest} is missing") from None
