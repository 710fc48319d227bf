"""What a frontend returns: one target for each platform; and what it says about the text meanwhile."""

from __future__ import annotations

import msgspec

from builder.graph import Location, Target


class CheckWarning(msgspec.Struct, frozen=True, kw_only=True):
    """A build check that found something: the rule's name, and the message for this place.

    `description` is what the rule wants in general, `url` the page about it; empty when there is none.
    """

    rule: str
    message: str
    location: Location
    description: str = ""
    url: str = ""


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a conversion; `targets` stand in the order of the platforms that were asked for."""

    targets: tuple[Target, ...]
