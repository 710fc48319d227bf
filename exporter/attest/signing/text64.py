"""Base64 in which every text means other bytes: what is read strictly cannot be changed unseen."""

from __future__ import annotations

import base64
import binascii

from exporter.attest.signing.errors import MalformedSignature


def decode64(text: str) -> bytes:
    """The bytes of standard or URL-safe base64, with its padding or without.

    Raises: MalformedSignature, also for a text that an encoder would not have written.
    """
    plain = text.rstrip("=")
    padded = plain + "=" * (-len(plain) % 4)
    if text in (plain, padded):
        for encode, decode in _ALPHABETS:
            try:
                decoded = decode(padded.encode("ascii"))
            except (binascii.Error, UnicodeEncodeError, ValueError):
                continue
            if encode(decoded) == padded.encode():
                return decoded
    raise MalformedSignature(f"not base64: {text[:40]!r}")


def encode64(content: bytes) -> str:
    """Standard base64."""
    return base64.b64encode(content).decode()


_ALPHABETS = (
    (base64.b64encode, base64.b64decode),
    (base64.urlsafe_b64encode, base64.urlsafe_b64decode),
)
