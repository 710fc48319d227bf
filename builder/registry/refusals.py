"""From a registry's answer to an error that says what, where, and what to do.

The registry's own code and words are kept, because its operator knows them; they are cut to a length that a
terminal bears. Addresses are shown without their query, which often holds a signature.
Source of the codes: OCI distribution-spec, "Error Codes".
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from builder.registry.addresses import shown
from builder.registry.errors import (
    Denied,
    Interrupted,
    NotFound,
    RateLimited,
    Refusal,
    Unauthorized,
    Unavailable,
)
from builder.registry.limits import retry_after

if TYPE_CHECKING:
    from builder.registry.wire import Answer

_MAX_BODY: Final = 64 << 10
_MAX_WORDS: Final = 500


class RegistryMessage(msgspec.Struct, frozen=True):
    """One error of an answer."""

    code: str = ""
    message: str = ""

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"[:_MAX_WORDS] if self.message else self.code[:_MAX_WORDS]


class _Body(msgspec.Struct, frozen=True):
    errors: list[RegistryMessage] = []


_BY_CODE: Final[dict[str, type[Refusal]]] = {
    "UNAUTHORIZED": Unauthorized,
    "DENIED": Denied,
    "NAME_UNKNOWN": NotFound,
    "MANIFEST_UNKNOWN": NotFound,
    "BLOB_UNKNOWN": NotFound,
    "TOOMANYREQUESTS": RateLimited,
    "UNAVAILABLE": Unavailable,
}
_BY_STATUS: Final[dict[int, type[Refusal]]] = {
    401: Unauthorized,
    403: Denied,
    404: NotFound,
    408: Unavailable,
    429: RateLimited,
}
_HINTS: Final[dict[type[Refusal], str]] = {
    Unauthorized: "log in to {host} (`docker login {host}`), or look whether the name is right",
    Denied: "look whether the name is right and whether your account may do this at {host}",
    RateLimited: "log in to {host} for a higher limit, or wait",
    Unavailable: "{host} has a problem of its own: try again later",
}


def messages(answer: Answer) -> tuple[RegistryMessage, ...]:
    """What the registry says about its refusal; nothing when that is no JSON of the specification's."""
    try:
        return tuple(msgspec.json.decode(answer.read(_MAX_BODY), type=_Body).errors)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, Interrupted):
        return ()


def refusal(answer: Answer, method: str) -> Refusal:
    """The error that `answer`, to a request of that method, stands for. Reads the answer's body."""
    said = messages(answer)
    kind = next((_BY_CODE[each.code] for each in said if each.code in _BY_CODE), None)
    if kind is None:
        kind = _BY_STATUS.get(answer.status, Unavailable if answer.status >= 500 else Refusal)
    words = "; ".join(map(str, said))[:_MAX_WORDS]
    hint = _HINTS.get(kind)
    return kind(
        f"unexpected status from {method} request to {shown(answer.url)}: {answer.status} {answer.reason}".rstrip()
        + (f": {words}" if words else ""),
        hint=hint.format(host=answer.host) if hint else None,
        retry_after=retry_after(answer.header("Retry-After"), datetime.now(UTC)),
    )
