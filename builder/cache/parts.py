"""What a cache key was made of, kept beside the record so that a miss can be explained.

A key is a digest and says only *that* something moved. The parts say what: the operation field by field, the keys
of the inputs, and the listing of all content that was selected. They are written when a step was done, never read
by a build, and lost without harm.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from builder.graph.operations import Operation
from builder.oci.digest import Digest, decode_hook, encode_json
from builder.store.database import Schema

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from builder.store.database import Database

SCHEMA: Final = Schema(
    "cache_parts",
    (
        "CREATE TABLE cache_parts (key TEXT PRIMARY KEY, parts BLOB NOT NULL, content TEXT) WITHOUT ROWID",
        "CREATE INDEX cache_parts_by_content ON cache_parts (content)",
        "CREATE TABLE cache_listings (content TEXT PRIMARY KEY, listing BLOB NOT NULL) WITHOUT ROWID",
        "DROP TABLE cache_listings",
        """CREATE TABLE cache_listings (
            content TEXT NOT NULL,
            position INTEGER NOT NULL,
            piece BLOB NOT NULL,
            PRIMARY KEY (content, position)
        ) WITHOUT ROWID""",
    ),
)
_BATCH: Final = 500
# Head of a MessagePack array whose length follows in four bytes.
_ARRAY32: Final = b"\xdd"


class Headers(Protocol):
    """Encoded headers that can be listed more than once."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def __iter__(self) -> Iterator[bytes]:
        """Each of them, in the order in which they were hashed."""
        ...


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of one key.

    `rules` names the way keys are made; another one is another key for the same work. `inputs` are the keys of the
    inputs, None for those that count by content; `content` is the digest of all that was selected from them.
    """

    rules: str
    operation: Operation
    inputs: tuple[Digest | None, ...] = ()
    content: Digest | None = None


class ListedFile(msgspec.Struct, frozen=True, array_like=True):
    """One path of what a step selected, with the attributes that count; None where one does not."""

    name: bytes
    kind: str
    mode: int | None
    owner: tuple[int, int] | None
    link: bytes | None
    device: tuple[int, int]
    xattrs: list[tuple[bytes, bytes]]
    digest: bytes | None


class PartsTable:
    """The parts of all keys of a state root."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unknown(self, keys: Iterable[Digest]) -> set[Digest]:
        """Those of `keys` that have no parts here."""
        wanted = list(dict.fromkeys(keys))
        found: set[str] = set()
        for start in range(0, len(wanted), _BATCH):
            some = wanted[start : start + _BATCH]
            marks = ",".join("?" * len(some))
            rows = self._database.read(f"SELECT key FROM cache_parts WHERE key IN ({marks})", some)
            found.update(key for (key,) in rows)
        return {key for key in wanted if key not in found}

    def save(self, parts: Collection[tuple[Digest, Parts]]) -> None:
        """Keeps `parts` by key; those that are there already stay."""
        if not parts:
            return
        with self._database.write() as cursor:
            cursor.executemany(
                "INSERT OR IGNORE INTO cache_parts VALUES (?, ?, ?)",
                ((key, encode_json(each), each.content) for key, each in parts),
            )

    def find(self, key: Digest) -> Parts | None:
        """The parts of `key`; None when they are not known, or were written by another version."""
        rows = self._database.read("SELECT parts FROM cache_parts WHERE key = ?", (key,))
        if not rows:
            return None
        try:
            return msgspec.json.decode(rows[0][0], type=Parts, dec_hook=decode_hook)
        except msgspec.DecodeError:
            return None

    def save_listing(self, content: Digest, headers: Headers) -> None:
        """Keeps what `content` was made of: the encoded headers that were hashed, in order."""
        from isal import isal_zlib

        if self._database.read("SELECT 1 FROM cache_listings WHERE content = ? LIMIT 1", (content,)):
            return
        compressor = isal_zlib.compressobj(1)
        packed = [compressor.compress(_ARRAY32 + len(headers).to_bytes(4, "big"))]
        pending = iter(headers)
        while batch := b"".join(islice(pending, _BATCH)):
            packed.append(compressor.compress(batch))
        packed.append(compressor.flush())
        # In one row, the listing of 200,000 files would take three times its room while it is written.
        with self._database.write() as cursor:
            cursor.execute("DELETE FROM cache_listings WHERE content = ?", (content,))
            cursor.executemany(
                "INSERT INTO cache_listings VALUES (?, ?, ?)",
                ((content, position, piece) for position, piece in enumerate(filter(None, packed))),
            )

    def listing(self, content: Digest) -> tuple[ListedFile, ...] | None:
        """What `content` selected, in order; None when it is not known."""
        rows = self._database.read(
            "SELECT piece FROM cache_listings WHERE content = ? ORDER BY position", (content,)
        )
        if not rows:
            return None
        import zlib

        try:
            packed = b"".join(piece for (piece,) in rows)
            headers = msgspec.msgpack.decode(zlib.decompress(packed), type=list[msgspec.Raw])
            return tuple(_listed(headers))
        except (msgspec.DecodeError, zlib.error):
            return None

    def prune(self) -> None:
        """Forgets the parts of keys that neither a record nor a remembered build names, and their listings."""
        with self._database.write() as cursor:
            named = {key for (key,) in cursor.execute("SELECT key FROM cache_records")}
            for (steps,) in cursor.execute("SELECT steps FROM builds"):
                named.update(step["key"] for step in msgspec.json.decode(steps) if step.get("key"))
            rows = cursor.execute("SELECT key FROM cache_parts").fetchall()
            cursor.executemany(
                "DELETE FROM cache_parts WHERE key = ?", [(key,) for (key,) in rows if key not in named]
            )
            cursor.execute(
                "DELETE FROM cache_listings WHERE content NOT IN "
                "(SELECT content FROM cache_parts WHERE content IS NOT NULL)"
            )


def _listed(headers: Iterable[msgspec.Raw]) -> Iterable[ListedFile]:
    """The files among `headers`; a marker in front of a single file says what it is called."""
    name = b""
    for header in headers:
        item = msgspec.msgpack.decode(header)
        if len(item) == 2:
            name = item[1] if item[0] == "file" else b""
            continue
        file = msgspec.convert(item, ListedFile)
        yield file if file.name else msgspec.structs.replace(file, name=name)
