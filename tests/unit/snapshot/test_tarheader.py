from __future__ import annotations

from hashlib import sha256

import pytest

from builder.snapshot.entry import Entry
from builder.snapshot.errors import SnapshotError
from builder.snapshot.tarheader import entry_header

_TIME = 1_700_000_000_123_456_789
_SPLIT = "d" * 60 + "/" + "e" * 60 + "/" + "f" * 50
_PING = (("security.capability", bytes.fromhex("0100000200200000000000000000000000000000")),)
_TEXT = (("security.capability", b"\x01\x00=\n"),)

# Made with the tar writer of Go 1.19, which containerd and BuildKit use; the first half of each SHA-256.
_GOLDEN = {
    "7faf5f40e7aa844b": Entry("etc/passwd", "file", 0o644, 0, 0, 123, _TIME),
    "b480976929125b8b": Entry("bin/su", "file", 0o4755, 0, 33, 0, _TIME),
    "4f452c2549411b38": Entry("a/b", "dir", 0o1777, 1000, 1000, 0, _TIME),
    "b002b369cbf48a42": Entry(_SPLIT, "file", 0o644, 0, 0, 5, _TIME),
    "27f350a9d6cdc985": Entry(_SPLIT, "dir", 0o755, 0, 0, 0, _TIME),
    "8410e1738818a77a": Entry("n" * 100, "file", 0o644, 0, 0, 1, _TIME),
    "046b7764ad49d988": Entry("n" * 99, "dir", 0o755, 0, 0, 0, _TIME),
    "947e2cccb110005f": Entry("n" * 100, "dir", 0o755, 0, 0, 0, _TIME),
    "7cd0fb753770870f": Entry("x" * 130, "file", 0o644, 0, 0, 7, _TIME),
    "cc7789fe56c2ca16": Entry("s/" + "x" * 130, "file", 0o644, 0, 0, 7, _TIME),
    "02bd713fe9dda336": Entry("p" * 155 + "/" + "q" * 100, "file", 0o644, 0, 0, 7, _TIME),
    "74c50aadad761b9c": Entry("p" * 156 + "/" + "q" * 100, "file", 0o644, 0, 0, 7, _TIME),
    "f20cd451eba6d14a": Entry("/".join(["y" * 40] * 12), "file", 0o600, 0, 0, 7, _TIME),
    "971d28da45e883cc": Entry("k" * 99 + "/" + "m" * 160, "file", 0o644, 0, 0, 3, _TIME),
    "ad6f6734fd8db42b": Entry("srv/caf\u00e9", "file", 0o644, 0, 0, 2, _TIME),
    "b12c81756a899132": Entry("srv/\u65e5\u672c", "dir", 0o755, 0, 0, 0, _TIME),
    "48441399b711e630": Entry("srv/l", "symlink", 0o777, 0, 0, 0, _TIME, link="\u65e5\u672c"),
    "0fd23577f861f43b": Entry("srv/\udcff\udcfe", "file", 0o644, 0, 0, 2, _TIME),
    "7eb018b2430ce766": Entry("l", "symlink", 0o777, 0, 0, 0, _TIME, link="t/" * 80 + "t"),
    "549b71fb1fcc79dd": Entry("bin", "symlink", 0o777, 0, 0, 0, _TIME, link="usr/bin"),
    "8e185bbabdd94642": Entry("b", "hardlink", 0o644, 0, 0, 0, _TIME, link="a"),
    "1901b00bfaf3fcbd": Entry("f", "file", 0o644, 2097152, 4294967294, 3, _TIME),
    "4f6bdfa237ea1c8e": Entry("f", "file", 0o644, 2097151, 2097151, 3, _TIME),
    "beaa9d316dae3584": Entry("f", "file", 0o644, 0, 0, 1 << 33, _TIME),
    "9a0c5077bbebfd11": Entry("f", "file", 0o644, 0, 0, (1 << 33) - 1, _TIME),
    "36da6a9cc02a5f18": Entry("f", "file", 0o644, 0, 0, 3, -5 * 10**9),
    "f45274f472c4b4f0": Entry("f", "file", 0o644, 0, 0, 3, (1 << 33) * 10**9),
    "3f5d1c020a4183d0": Entry("usr/bin/ping", "file", 0o755, 0, 0, 3, _TIME, xattrs=_PING),
    "ab6059336a0a607c": Entry(_SPLIT, "file", 0o755, 0, 0, 3, _TIME, xattrs=_TEXT),
    "bb080735551fdd39": Entry("dev/null", "char", 0o666, 0, 0, 0, _TIME, device=(1, 3)),
    "75c319314e6d1b33": Entry("dev/sda", "block", 0o660, 0, 6, 0, _TIME, device=(8, 1048575)),
    "ca6e0ff9023275a7": Entry("run/p", "fifo", 0o600, 0, 0, 0, _TIME),
    "816a129f43a9ff21": Entry("etc/gone", "whiteout"),
    "1ab16ded5922666a": Entry("w" * 120, "whiteout"),
    "c0d199aededd89c7": Entry("d/caf\u00e9", "whiteout"),
}


@pytest.mark.parametrize("digest", _GOLDEN, ids=lambda digest: f"{_GOLDEN[digest].kind}-{digest[:6]}")
def test_headers_are_the_bytes_that_containerd_writes(digest: str) -> None:
    assert sha256(entry_header(_GOLDEN[digest])).hexdigest()[:16] == digest


def test_an_opaque_mark_follows_its_directory_at_once() -> None:
    header = entry_header(Entry("etc/conf.d", "dir", 0o755, opaque=True))

    assert header[:11] == b"etc/conf.d/"
    assert header[512 : 512 + 24].rstrip(b"\0") == b"etc/conf.d/.wh..wh..opq"
    assert len(header) == 1024


@pytest.mark.parametrize("path", [".wh.x", "a/.wh.b", "a/.wh..wh..opq"])
def test_a_name_that_would_read_as_a_whiteout_is_refused(path: str) -> None:
    with pytest.raises(SnapshotError, match="mean deletions"):
        entry_header(Entry(path, "file"))
