"""The store's own tables: content, images and leases, each row in one namespace.

Files of blobs are shared by all namespaces; that a namespace knows a blob is a row. Labels are kept as JSON
because only the garbage collector looks inside them, and it reads all of them at once.
"""

from __future__ import annotations

from typing import Final

import msgspec

from builder.oci.digest import encode_json
from builder.store.database import Schema

Labels = dict[str, str]

SCHEMA: Final = Schema(
    "store",
    (
        """CREATE TABLE content (
            namespace TEXT NOT NULL,
            digest TEXT NOT NULL,
            size INTEGER NOT NULL,
            labels TEXT NOT NULL,
            created_at REAL NOT NULL,
            updated_at REAL NOT NULL,
            PRIMARY KEY (namespace, digest)
        ) WITHOUT ROWID""",
        "CREATE INDEX content_by_digest ON content (digest)",
        """CREATE TABLE images (
            namespace TEXT NOT NULL,
            name TEXT NOT NULL,
            target TEXT NOT NULL,
            labels TEXT NOT NULL,
            created_at REAL NOT NULL,
            updated_at REAL NOT NULL,
            PRIMARY KEY (namespace, name)
        ) WITHOUT ROWID""",
        """CREATE TABLE leases (
            id TEXT PRIMARY KEY,
            namespace TEXT NOT NULL,
            labels TEXT NOT NULL,
            owned INTEGER NOT NULL,
            created_at REAL NOT NULL
        ) WITHOUT ROWID""",
        """CREATE TABLE lease_resources (
            lease TEXT NOT NULL REFERENCES leases (id) ON DELETE CASCADE,
            kind TEXT NOT NULL,
            id TEXT NOT NULL,
            PRIMARY KEY (lease, kind, id)
        ) WITHOUT ROWID""",
    ),
)

_labels: Final = msgspec.json.Decoder(Labels)


def encode_labels(labels: Labels) -> str:
    """Labels as they stand in a row: equal labels are equal text."""
    return encode_json(labels, order="sorted").decode()


def decode_labels(text: str) -> Labels:
    """The labels of a row."""
    return _labels.decode(text)
