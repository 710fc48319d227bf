"""What can go wrong with signatures.

SigningError
├── InvalidKey            a key that cannot be read, decrypted or used
└── MalformedSignature    bytes that are no envelope, bundle or payload

A signature that no key accepts is no error but a result: see `checking`.
"""

from __future__ import annotations

from builder.system.errors import DockyardError


class SigningError(DockyardError):
    """Something could not be signed, or a signature could not be read."""


class InvalidKey(SigningError):
    """A key that cannot be read, decrypted or used. Never shows any of the key, nor of its passphrase."""


class MalformedSignature(SigningError):
    """Bytes that are not what their media type or their place says."""
