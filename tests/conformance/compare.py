"""The differences between two results of one case, as lines that a person can judge."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flatten import Image, Inode

_MISSING = "nothing"
_REF = re.compile(r"of ref \S+:")
# Where the engine happens to have mounted the root that a path of a message lies in.
_MOUNT = re.compile(r"/\S*/(?:cachemounts/buildkit\d+|snapshots/\d+/fs)(?=/)")
# BuildKit names the rules in any order.
_RULES = re.compile(r"(?<=^lint violation found for rules: ).*")


@dataclass
class Result:
    """What a builder made of a case: images by platform, or the message it failed with."""

    images: dict[str, Image] = field(default_factory=dict)
    message: str = ""
    excerpt: str = ""


class Difference(NamedTuple):
    """`subject` says what differs: `files /x mode`, `config Env`, `history 3`, `message`."""

    subject: str
    buildkit: str
    dockyard: str

    def __str__(self) -> str:
        return f"{self.subject}\n    buildkit: {self.buildkit}\n    dockyard: {self.dockyard}"


def differences(buildkit: Result, dockyard: Result, *, started: int) -> list[Difference]:
    """All of them; `started` (seconds since 1970) tells times that a build made from times that it copied."""
    return [*_differences(buildkit, dockyard, started)]


def read_failure(said: str) -> Result:
    """The result of a build that failed and said `said` on standard error."""
    message = re.findall(r"^ERROR: (.*)", said, re.MULTILINE | re.DOTALL)
    excerpt = re.search(r"^Dockerfile\S*:\d+\n-{20}\n.*?\n-{20}$", said, re.MULTILINE | re.DOTALL)
    last = message[-1].strip() if message else said.strip()
    for prefix in ("failed to build: ", "failed to solve: "):
        last = last.removeprefix(prefix)
    # What to do about it is on further lines.
    first = last.partition("\n")[0]
    first = _MOUNT.sub("", _REF.sub("of ref REF:", first))
    ordered = _RULES.sub(lambda rules: ", ".join(sorted(rules[0].split(", "))), first)
    return Result(message=ordered, excerpt=excerpt[0] if excerpt else "")


def _differences(buildkit: Result, dockyard: Result, started: int) -> Iterator[Difference]:
    if buildkit.message or dockyard.message:
        yield from _unequal("message", buildkit.message or "success", dockyard.message or "success")
        if buildkit.message and dockyard.message:
            yield from _unequal("excerpt", buildkit.excerpt, dockyard.excerpt)
        return
    yield from _unequal("platforms", sorted(buildkit.images), sorted(dockyard.images))
    for platform in sorted(buildkit.images.keys() & dockyard.images.keys()):
        theirs, ours = buildkit.images[platform], dockyard.images[platform]
        yield from _of_config(theirs.config, ours.config)
        yield from _unequal("media types", theirs.media_types, ours.media_types)
        yield from _unequal("annotations", theirs.annotations, ours.annotations)
        for number, pair in enumerate(zip(theirs.layers, ours.layers, strict=False)):
            yield from _of_paths(f"layer {number}", *pair)
        yield from _of_files(theirs, ours, started)


def _of_config(theirs: dict[str, Any], ours: dict[str, Any]) -> Iterator[Difference]:
    yield from _of_members("top", theirs, ours, without={"created", "config", "history", "rootfs"})
    yield from _of_members("config", theirs.get("config", {}), ours.get("config", {}), without=set())
    yield from _unequal(
        "layers", len(theirs["rootfs"]["diff_ids"] or ()), len(ours["rootfs"]["diff_ids"] or ())
    )
    histories = [[_timeless(entry) for entry in each.get("history") or ()] for each in (theirs, ours)]
    for number in range(max(map(len, histories))):
        pair = [each[number] if number < len(each) else _MISSING for each in histories]
        yield from _unequal(f"history {number}", *pair)


def _timeless(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in sorted(entry.items()) if key != "created"}


def _of_members(
    subject: str, theirs: dict[str, Any], ours: dict[str, Any], *, without: set[str]
) -> Iterator[Difference]:
    for key in sorted((theirs.keys() | ours.keys()) - without):
        yield from _unequal(f"{subject} {key}", theirs.get(key, _MISSING), ours.get(key, _MISSING))


def _of_paths(subject: str, theirs: list[str], ours: list[str]) -> Iterator[Difference]:
    for path in sorted(set(theirs) ^ set(ours)):
        pair = ["named" if path in side else _MISSING for side in (theirs, ours)]
        yield from _unequal(f"{subject} {path!a}", *pair)


def _of_files(theirs: Image, ours: Image, started: int) -> Iterator[Difference]:
    links = theirs.links(), ours.links()
    for path in sorted(theirs.files.keys() | ours.files.keys()):
        subject = f"files {path!a}"
        pair = [each.files.get(path) for each in (theirs, ours)]
        if pair[0] is None or pair[1] is None:
            yield from _unequal(subject, *(each.kind if each else _MISSING for each in pair))
            continue
        yield from _of_inodes(subject, pair[0], pair[1], started)
        yield from _unequal(f"{subject} links", *(each.get(path, []) for each in links))


def _of_inodes(subject: str, theirs: Inode, ours: Inode, started: int) -> Iterator[Difference]:
    for key in ("kind", "mode", "owner", "target", "device", "xattrs"):
        yield from _unequal(f"{subject} {key}", getattr(theirs, key), getattr(ours, key))
    # A directory that BuildKit changed has the time of that; dockyard changes no directory to make a layer.
    made = theirs.mtime >= started and (theirs.kind == "directory" or ours.mtime >= started)
    if not made:
        yield from _unequal(f"{subject} mtime", theirs.mtime, ours.mtime)
    if theirs.digest != ours.digest:
        lines = difflib.ndiff(theirs.text.splitlines(), ours.text.splitlines())
        changed = [line for line in lines if line[:1] in "-+?" and line[:1] != "?"]
        yield Difference(
            f"{subject} content",
            " | ".join(line[2:] for line in changed if line[0] == "-"),
            " | ".join(line[2:] for line in changed if line[0] == "+"),
        )


def _unequal(subject: str, theirs: object, ours: object) -> Iterator[Difference]:
    if theirs != ours:
        yield Difference(subject, str(theirs), str(ours))
