"""What whoever watches a pull or a push gets to know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec

from builder.oci.descriptor import Descriptor

State: TypeAlias = Literal["moving", "done", "present", "mounted"]


class Transfer(msgspec.Struct, frozen=True):
    """Where one blob stands; `moved` in bytes.

    `present`: it was there already. `mounted`: the registry took it from another of its repositories.
    """

    blob: Descriptor
    state: State
    moved: int = 0


Watcher: TypeAlias = Callable[[Transfer], None]
"""Called from any thread, for each piece. What it raises ends the transfer."""


def unwatched(_transfer: Transfer) -> None:
    """For transfers that nobody watches."""
