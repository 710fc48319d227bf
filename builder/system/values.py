"""Values: what is passed from room to room and never written down.

Documents are `msgspec.Struct`s of their own, whose types must be there to decode them; nobody decodes a value, so
its types are for the reader. A `typing.NamedTuple` would do, but takes ten times as long to make, at every start.
"""

from __future__ import annotations

import msgspec


class Value(msgspec.Struct, frozen=True):
    """The base of values: named fields, equality by them; `msgspec.structs.replace` varies one."""
