"""What an OCI archive says about its images, in a form in which two of them can be compared."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Final

import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass(eq=False)
class Inode:
    """One file, whatever the number of its names."""

    kind: str
    mode: str
    owner: tuple[int, int]
    mtime: int
    target: str = ""
    device: tuple[int, int] = (0, 0)
    digest: str = ""
    text: str = ""
    xattrs: dict[str, str] = field(default_factory=dict)


@dataclass
class Image:
    """One platform's image: `files` is what its layers come to, `layers` the paths that each of them names."""

    config: dict[str, Any]
    media_types: list[str]
    annotations: dict[str, str]
    files: dict[str, Inode]
    layers: list[list[str]]

    def links(self) -> dict[str, list[str]]:
        """All names of each file that has several, by each of them."""
        names: dict[int, list[str]] = {}
        for path, inode in self.files.items():
            names.setdefault(id(inode), []).append(path)
        return {path: sorted(group) for group in names.values() if len(group) > 1 for path in group}


_KINDS: Final = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.CHRTYPE: "character device",
    tarfile.BLKTYPE: "block device",
    tarfile.FIFOTYPE: "fifo",
}
_XATTR: Final = "SCHILY.xattr."
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"


def read_images(archive: Path) -> dict[str, Image]:
    """The images in an OCI archive, by platform; attestations are left out."""
    with tarfile.open(archive) as opened:
        members = {member.name: member for member in opened.getmembers() if member.isfile()}

        def read(name: str) -> bytes:
            found = opened.extractfile(members[name])
            assert found is not None
            return found.read()

        return dict(_images(read))


def _images(read: Callable[[str], bytes]) -> Iterator[tuple[str, Image]]:
    def blob(digest: str) -> bytes:
        return read("blobs/" + digest.replace(":", "/"))

    pending = json.loads(read("index.json"))["manifests"]
    while pending:
        descriptor = pending.pop(0)
        found = json.loads(blob(descriptor["digest"]))
        if "manifests" in found:
            pending += found["manifests"]
            continue
        config = json.loads(blob(found["config"]["digest"]))
        platform = "/".join(config[key] for key in ("os", "architecture", "variant") if config.get(key))
        # Written as null by BuildKit, when there are none.
        layers = found["layers"] or []
        yield (
            platform,
            Image(
                config,
                [each["mediaType"] for each in (found, found["config"], *layers)],
                found.get("annotations", {}),
                *flatten([blob(each["digest"]) for each in layers]),
            ),
        )


def flatten(layers: list[bytes]) -> tuple[dict[str, Inode], list[list[str]]]:
    """Applies tar layers, lowest first."""
    files: dict[str, Inode] = {}
    paths = []
    for layer in layers:
        with tarfile.open(fileobj=_opened(layer), encoding="utf-8", errors="surrogateescape") as opened:
            members = opened.getmembers()
            for member in members:
                member.name = member.name.removeprefix("./").rstrip("/")
            _remove_what_it_hides(files, members)
            for member in members:
                if ".wh." not in member.name:
                    _apply(files, member, opened)
            paths.append(sorted(member.name for member in members))
    return files, paths


def _opened(layer: bytes) -> IO[bytes]:
    return io.BytesIO(_zstd(layer) if layer.startswith(_ZSTD_MAGIC) else layer)


def _zstd(layer: bytes) -> bytes:
    with zstandard.ZstdDecompressor().stream_reader(layer) as reader:
        return reader.read()


def _remove_what_it_hides(files: dict[str, Inode], members: list[tarfile.TarInfo]) -> None:
    for member in members:
        folder, _, name = member.name.rpartition("/")
        if name == ".wh..wh..opq":
            _remove(files, folder, itself=False)
        elif name.startswith(".wh."):
            _remove(files, f"{folder}/{name[4:]}".lstrip("/"))


def _apply(files: dict[str, Inode], member: tarfile.TarInfo, opened: tarfile.TarFile) -> None:
    if member.islnk():
        linked = files[member.linkname.strip("/").removeprefix("./")]
        _remove(files, member.name)
        files[member.name] = linked
        return
    # A directory may be named again, for its metadata: what is in it stays.
    if not (member.isdir() and member.name in files and files[member.name].kind == "directory"):
        _remove(files, member.name)
    files[member.name] = _inode(member, opened)


def _inode(member: tarfile.TarInfo, opened: tarfile.TarFile) -> Inode:
    content = opened.extractfile(member).read() if member.isreg() else b""  # type: ignore[union-attr]
    return Inode(
        kind=_KINDS[member.type],
        mode=f"{member.mode & 0o7777:04o}",
        owner=(member.uid, member.gid),
        mtime=int(member.mtime),
        target=member.linkname if member.issym() else "",
        device=(member.devmajor, member.devminor) if member.isdev() and not member.isfifo() else (0, 0),
        digest=hashlib.sha256(content).hexdigest()[:16],
        text=content[:4000].decode("utf-8", "backslashreplace"),
        xattrs={
            key.removeprefix(_XATTR): ascii(value)
            for key, value in member.pax_headers.items()
            if key.startswith(_XATTR)
        },
    )


def _remove(files: dict[str, Inode], path: str, *, itself: bool = True) -> None:
    gone = [each for each in files if each.startswith(path + "/") or not path]
    for each in [*gone, path] if itself else gone:
        files.pop(each, None)
