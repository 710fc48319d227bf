"""What can go wrong with a registry.

RegistryError
├── InvalidConfiguration   hosts.toml, the Docker configuration or a credential helper cannot be used
├── Unreachable            no answer, and asking again would not help: unknown host, refused, bad certificate
├── Interrupted            a connection that was cut or fell silent; the next try may go well
├── InvalidAnswer          an answer that breaks the protocol
├── WrongContent           bytes that are not what their digest or size says (also a DigestMismatch)
└── Refusal                the registry said no
    ├── Unauthorized       it wants to know who asks
    ├── Denied             it knows, and does not let them
    ├── NotFound           no such repository, manifest or blob
    │   └── MissingBlob    no such blob (also a BlobNotFound)
    ├── RateLimited        too many requests
    └── Unavailable        it failed itself
"""

from __future__ import annotations

from builder.store.errors import BlobNotFound, DigestMismatch
from builder.system.errors import DockyardError


class RegistryError(DockyardError):
    """A registry could not be used."""


class InvalidConfiguration(RegistryError):
    """A file or helper that says how to talk to registries is wrong."""


class Unreachable(RegistryError):
    """No answer came, and the next try would have none either."""


class Interrupted(RegistryError):
    """The connection ended before the answer did."""


class InvalidAnswer(RegistryError):
    """The answer is none that a registry may give."""


class WrongContent(RegistryError, DigestMismatch):
    """What came is not what its digest or its size promises."""


class Refusal(RegistryError):
    """The registry answered with an error. `retry_after`: seconds that it asks to wait, if it does."""

    def __init__(self, message: str, *, hint: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class Unauthorized(Refusal):
    """The registry wants credentials, or other ones."""


class Denied(Refusal):
    """The registry does not allow it."""


class NotFound(Refusal):
    """The registry does not have it."""


class MissingBlob(NotFound, BlobNotFound):
    """The registry does not have the blob."""


class RateLimited(Refusal):
    """The registry wants fewer requests."""


class Unavailable(Refusal):
    """The registry failed at its work."""
