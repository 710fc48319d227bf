"""What steps leave in the image: paths, owners, modes, links, removed files."""

from __future__ import annotations

import io
import os
import tarfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from building import Project

pytestmark = pytest.mark.root


def layer_names(layer: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        return archive.getnames()


def test_a_step_that_changes_nothing_leaves_an_empty_layer(project: Project) -> None:
    image = project.image("FROM busybox\nRUN true\n")
    assert layer_names(image.layers[-1]) == []


def test_files_that_a_step_removes_are_gone_and_marked(project: Project) -> None:
    project.write("d/a")
    project.write("d/b")
    image = project.image("FROM busybox\nCOPY d /d\nRUN rm /d/a\n")
    assert "d/a" not in image.files and "d/b" in image.files
    assert ".wh.a" in "".join(layer_names(image.layers[-1]))


def test_a_directory_made_again_hides_what_was_in_it(project: Project) -> None:
    project.write("d/old")
    image = project.image("FROM busybox\nCOPY d /d\nRUN rm -r /d && mkdir /d && touch /d/new\n")
    assert "d/new" in image.files and "d/old" not in image.files


def test_owner_mode_and_links_made_by_a_step_are_exact(project: Project) -> None:
    image = project.image(
        "FROM busybox\nRUN mkdir /x && echo hi > /x/f && chown 33:44 /x/f && chmod 4751 /x/f"
        " && ln /x/f /x/hard && ln -s f /x/soft && mkfifo /x/fifo\n"
    )
    entry = image.files["x/f"]
    assert (entry.uid, entry.gid, entry.mode) == (33, 44, 0o4751)
    assert image.files["x/hard"].linkname == "x/f" and image.files["x/soft"].linkname == "f"
    assert image.files["x/fifo"].isfifo()


def test_files_of_the_context_belong_to_root_and_keep_their_mode(project: Project) -> None:
    os.chown(project.write("f", "x", mode=0o640), 1234, 1234)
    entry = project.image("FROM scratch\nCOPY f /\n").files["f"]
    assert (entry.uid, entry.gid, entry.mode) == (0, 0, 0o640)


def test_chown_by_name_asks_the_image_that_is_copied_into(project: Project) -> None:
    project.write("f")
    entry = project.image("FROM busybox\nCOPY --chown=www-data:www-data f /\n").files["f"]
    assert (entry.uid, entry.gid) == (33, 33)


def test_copy_between_stages_keeps_owners(project: Project) -> None:
    image = project.image(
        "FROM busybox AS a\nRUN touch /f && chown 5:6 /f\nFROM scratch\nCOPY --from=a /f /f\n"
    )
    assert (image.files["f"].uid, image.files["f"].gid) == (5, 6)


def test_copy_follows_a_link_that_the_base_has_in_the_destination(project: Project) -> None:
    project.write("f", "x")
    image = project.image("FROM busybox\nRUN mkdir /real && ln -s real /link\nCOPY f /link/\n")
    assert "real/f" in image.files and image.files["link"].issym()


def test_linked_copies_do_not_look_at_what_is_below(project: Project) -> None:
    project.write("f", "x")
    image = project.image("FROM busybox\nRUN mkdir /real && ln -s real /link\nCOPY --link f /link/\n")
    assert "link/f" in image.files


def test_add_unpacks_an_archive_of_the_context(project: Project) -> None:
    target = project.write("a.tar.gz")
    with tarfile.open(target, "w:gz") as archive:
        member = tarfile.TarInfo("inner/file")
        member.size, member.uid = 2, 7
        archive.addfile(member, io.BytesIO(b"hi"))
    image = project.image("FROM scratch\nADD a.tar.gz /out\n")
    assert image.text("out/inner/file") == "hi" and image.files["out/inner/file"].uid == 7


def test_a_step_sees_what_add_unpacked_before_it(project: Project) -> None:
    with tarfile.open(project.write("a.tar"), "w") as archive:
        member = tarfile.TarInfo("file")
        member.size = 2
        archive.addfile(member, io.BytesIO(b"hi"))
    image = project.image("FROM busybox\nADD a.tar /out\nRUN cat /out/file > /copy\n")
    assert image.text("copy") == "hi"


def test_ignored_files_are_not_in_the_context(project: Project) -> None:
    project.write(".dockerignore", "*.log\n!keep.log\n")
    for name in ("a.log", "keep.log", "b"):
        project.write(name)
    assert sorted(project.image("FROM scratch\nCOPY . /\n").files) == [
        ".dockerignore",
        "Dockerfile",
        "b",
        "keep.log",
    ]


def test_a_context_is_left_as_it_was(project: Project) -> None:
    project.write("f", "x")
    text = "FROM busybox\nCOPY . /src\nRUN echo y > /src/f\n"
    project.image(text)
    assert (project.context / "f").read_text() == "x"
    assert sorted(path.name for path in project.context.iterdir()) == ["Dockerfile", "f"]


def test_a_link_of_the_context_that_leads_outside_is_never_followed_there(project: Project) -> None:
    (project.context / "out").symlink_to("/etc/passwd")
    outcome = project.build("FROM scratch\nCOPY out /\n", "-t", "x")
    assert outcome.code == 1 and "not found" in outcome.err


def test_a_step_neither_keeps_hosts_nor_resolver_files(project: Project) -> None:
    image = project.image("FROM busybox\nRUN cat /etc/hosts /etc/resolv.conf > /seen && test -s /etc/hosts\n")
    assert sorted(layer_names(image.layers[-1])) == ["seen"]


def test_capabilities_of_files_survive_the_layer(project: Project, debian_layout: object) -> None:
    image = project.image(
        "FROM debian\nRUN perl -e 'my ($p, $n, $v) = (\"/usr/bin/env\", \"security.capability\","
        " pack(\"VVVVV\", 0x02000001, 0x400, 0, 0, 0)); syscall(188, $p, $n, $v, 20, 0) == 0 or die $!'\n",
        "--build-context", f"debian=oci-layout://{debian_layout}",
    )  # fmt: skip
    headers = image.files["usr/bin/env"].pax_headers
    assert "SCHILY.xattr.security.capability" in headers


def test_copy_between_stages_keeps_hard_links(project: Project) -> None:
    image = project.image(
        "FROM busybox AS a\nRUN mkdir /o && echo x > /o/a && ln /o/a /o/b\nFROM scratch\nCOPY --from=a /o /o\n"
    )
    assert image.files["o/b"].linkname == "o/a"
