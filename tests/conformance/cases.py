"""Cases: a Dockerfile, a script that makes the context, options. Many to a file, so that they can be read.

    === a file goes to an absent path
    FROM scratch
    COPY f /x
    --- context
    file f hello
    --- options
    --target a

The script runs in the context folder, beside the Dockerfile, which it may change: what cannot be written down in
a text file (line ends, byte order marks) comes from there. What the script makes is years old afterwards, so that
a time that was copied can be told from one that a build made.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Final, NamedTuple

CASES: Final = Path(__file__).parent / "cases"
_OLD: Final = 1_500_000_000
_PRELUDE: Final = f"""\
set -eu
umask 022
file() {{ mkdir -p "$(dirname "$1")"; printf '%s\\n' "${{2-content of $1}}" > "$1"; }}
python() {{ '{sys.executable}' "$@"; }}
xattr() {{ python -c 'import os, sys; n, k, v = sys.argv[1:]; os.setxattr(n, k, v.encode())' "$@"; }}
"""


class Case(NamedTuple):
    """One build. `name` is a sentence; `folder` is what it is called in paths."""

    group: str
    name: str
    dockerfile: str
    script: str
    options: str

    @property
    def folder(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", f"{self.group} {self.name}".lower()).strip("-")

    def arguments(self, context: Path, archive: Path) -> list[str]:
        """The options, with paths filled in: `{folder}` is the one that the context lies in."""
        filled = self.options.format(context=context, folder=context.parent, archive=archive)
        return shlex.split(filled, comments=True)

    def make_context(self, context: Path) -> None:
        """Fills the new folder `context`."""
        context.mkdir(parents=True)
        (context / "Dockerfile").write_text(self.dockerfile)
        subprocess.run(["sh", "-c", _PRELUDE + self.script], cwd=context, check=True, timeout=30)
        _make_old(os.fsencode(context), salt=zlib.crc32(self.folder.encode()))


def all_cases() -> list[Case]:
    return [case for path in sorted(CASES.glob("*.txt")) for case in read_cases(path.read_text(), path.stem)]


def read_cases(text: str, group: str) -> list[Case]:
    """Raises: ValueError, for a section that is none or stands there twice."""
    _, *blocks = re.split(r"^=== ", text, flags=re.MULTILINE)
    return [_read_case(block, group) for block in blocks]


def _read_case(block: str, group: str) -> Case:
    name, _, rest = block.partition("\n")
    dockerfile, *pairs = re.split(r"^--- (.*)\n", rest, flags=re.MULTILINE)
    sections = dict(zip(pairs[::2], pairs[1::2], strict=True))
    if len(sections) * 2 != len(pairs) or not sections.keys() <= {"context", "options"}:
        raise ValueError(f"{group}: {name}: sections are `context` and `options`, once each")
    return Case(
        group,
        name.strip(),
        dockerfile.rstrip("\n") + "\n",
        sections.get("context", ""),
        sections.get("options", ""),
    )


def _make_old(top: bytes, *, salt: int) -> None:
    """Gives what is not old already a time of long ago, another one for each path.

    And for each case, by its `salt`: BuildKit keeps what it received, and compares only names, sizes and times.
    """
    walk = os.walk(top)
    found = [top, *(os.path.join(where, name) for where, folders, files in walk for name in folders + files)]
    for age, path in enumerate(sorted(found)):
        if os.lstat(path).st_mtime > _OLD:
            when = (_OLD - salt % 500_000_000 + age) * 10**9 + salt % 10**9
            os.utime(path, ns=(when, when), follow_symlinks=False)
