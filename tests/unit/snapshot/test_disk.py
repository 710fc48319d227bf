from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builder.snapshot.disk import Directory, DiskContent, InlineContent, identity_of, node_of, stamp_of
from builder.snapshot.errors import ContentChanged, PathNotFound, UnsafePath

if TYPE_CHECKING:
    from collections.abc import Callable

    from builder.snapshot.entry import Content, Node


def write(path: Path, content: bytes = b"content") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def listed(directory: Directory, path: str) -> Node:
    node = node_of(directory, path, directory.lstat(path))
    assert node is not None
    return node


def test_files_of_several_directories_are_read_in_any_order(tmp_path: Path) -> None:
    for name in ("a/1", "a/2", "b/c/3", "4"):
        write(tmp_path / name, name.encode())

    with Directory(tmp_path) as directory:
        for name in ("a/1", "b/c/3", "a/2", "4", "a/1"):
            with directory.open_file(name) as file:
                assert file.read() == name.encode()


def test_a_missing_file_is_named_with_its_directory(tmp_path: Path) -> None:
    with Directory(tmp_path) as directory, pytest.raises(PathNotFound, match="no 'a/b'"):
        directory.open_file("a/b")


@pytest.mark.parametrize("path", ["../secret", "a/../../secret", "..", ".", "a/.."])
def test_a_path_upwards_is_refused(tmp_path: Path, path: str) -> None:
    write(tmp_path / "secret")
    (tmp_path / "root/a").mkdir(parents=True)

    with Directory(tmp_path / "root") as directory, pytest.raises(UnsafePath):
        directory.open_file(path)


@pytest.mark.parametrize("target", ["/etc/passwd", "../secret", "inside"])
def test_a_link_is_never_followed_as_a_file_or_as_a_parent(tmp_path: Path, target: str) -> None:
    write(tmp_path / "secret")
    write(tmp_path / "root/inside/file")
    (tmp_path / "root/link").symlink_to(target)
    (tmp_path / "root/up").symlink_to("..")

    with Directory(tmp_path / "root") as directory:
        for path in ("link", "link/file", "up/secret"):
            with pytest.raises(UnsafePath):
                directory.open_file(path)


def test_a_fifo_is_refused_at_once_and_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with Directory(tmp_path) as directory, pytest.raises(UnsafePath, match="not a regular file"):
        directory.open_file("pipe")


def test_directories_and_sockets_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.fspath(tmp_path / "socket"))

    with listener, Directory(tmp_path) as directory:
        for path in ("dir", "socket"):
            with pytest.raises(UnsafePath):
                directory.open_file(path)


@pytest.mark.root
def test_devices_are_no_files(tmp_path: Path) -> None:
    os.mknod(tmp_path / "null", 0o20666, os.makedev(1, 3))

    with Directory(tmp_path) as directory, pytest.raises(UnsafePath):
        directory.open_file("null")


def test_content_is_that_of_the_file_which_was_listed(tmp_path: Path) -> None:
    write(tmp_path / "a/f", b"listed")

    with Directory(tmp_path) as directory:
        node = listed(directory, "a/f")
        assert node.content is not None
        with node.content.open() as stream:
            assert stream.read() == b"listed"


@pytest.mark.parametrize("read", [DiskContent.open, lambda content: content.read(100)], ids=["open", "read"])
@pytest.mark.parametrize("change", ["grown", "replaced", "removed", "linked", "pipe", "directory"])
def test_a_file_that_changed_since_it_was_listed_is_not_read(
    tmp_path: Path, change: str, read: Callable[[Content], object]
) -> None:
    path = write(tmp_path / "f", b"listed")
    with Directory(tmp_path) as directory:
        content = listed(directory, "f").content
        assert content is not None
        if change == "grown":
            write(path, b"listed and more")
        elif change == "replaced":
            write(tmp_path / "g", b"liste2").rename(path)
        else:
            path.unlink()
        if change == "linked":
            path.symlink_to("/etc/passwd")
        elif change == "pipe":
            os.mkfifo(path)
        elif change == "directory":
            path.mkdir()

        with pytest.raises(ContentChanged, match="not the file that was listed"):
            read(content)


def test_identity_tells_a_file_from_its_successor(tmp_path: Path) -> None:
    before = identity_of(write(tmp_path / "f", b"one").lstat())
    os.utime(tmp_path / "f", ns=(1, 1))

    assert identity_of((tmp_path / "f").lstat()) != before
    assert len(before) == 5


def test_inline_content_is_its_own_identity() -> None:
    content = InlineContent(b"made here")

    assert content.identity == (b"made here",)
    assert content.open().read() == b"made here"


def test_a_node_has_what_lstat_says(tmp_path: Path) -> None:
    path = write(tmp_path / "f", b"12345")
    path.chmod(0o4711)
    os.utime(path, ns=(5, 1_234_567_891_011))
    (tmp_path / "l").symlink_to("some/where")

    with Directory(tmp_path) as directory:
        file, link, root = (listed(directory, name).entry for name in ("f", "l", ""))

    assert (file.kind, file.mode, file.size, file.mtime_ns) == ("file", 0o4711, 5, 1_234_567_891_011)
    assert (file.uid, file.gid) == (os.getuid(), os.getgid())
    assert (link.kind, link.link, link.size) == ("symlink", "some/where", 0)
    assert (root.path, root.kind) == ("", "dir")


def test_sockets_have_no_node(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, Directory(tmp_path) as directory:
        listener.bind(os.fspath(tmp_path / "socket"))

        assert node_of(directory, "socket", directory.lstat("socket")) is None


@pytest.mark.root
def test_extended_attributes_of_the_machine_are_not_taken(tmp_path: Path) -> None:
    path = write(tmp_path / "f")
    os.setxattr(path, "user.note", b"mine")
    os.setxattr(path, "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))

    with Directory(tmp_path) as directory:
        node = node_of(directory, "f", directory.lstat("f"))

    assert node is not None
    assert node.entry.xattrs == ()


def test_names_that_are_not_utf8_survive(tmp_path: Path) -> None:
    write(tmp_path / os.fsdecode(b"\xff\xfe"))

    with Directory(tmp_path) as directory:
        (name,) = directory.names("")
        assert os.fsencode(name) == b"\xff\xfe"
        assert listed(directory, name).entry.path == name


def test_names_come_in_the_order_of_their_bytes(tmp_path: Path) -> None:
    for name in ("b", "a-b", "a", "B", "\u00e9", "a.b"):
        write(tmp_path / name)

    with Directory(tmp_path) as directory:
        assert directory.names("") == ["B", "a", "a-b", "a.b", "b", "\u00e9"]


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_the_directory_closes_when_nothing_refers_to_it(tmp_path: Path) -> None:
    write(tmp_path / "a/f")
    before = open_descriptors()
    directory = Directory(tmp_path)
    content: DiskContent | None = DiskContent(directory, "a/f", stamp_of((tmp_path / "a/f").lstat()))
    assert content is not None
    content.open().close()

    del directory, content

    assert open_descriptors() == before


def test_nothing_is_opened_below_a_closed_directory(tmp_path: Path) -> None:
    write(tmp_path / "f")
    directory = Directory(tmp_path)
    directory.close()
    directory.close()

    with pytest.raises(OSError, match="Bad file descriptor"):
        directory.lstat("f")
