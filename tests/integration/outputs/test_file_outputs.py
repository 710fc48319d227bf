"""`-o type=local` and `type=tar`: the files of the result, in a directory and as an archive."""

from __future__ import annotations

import os
import stat
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Project

pytestmark = pytest.mark.root
TWO = ("--platform", "linux/amd64,linux/arm64")


def listed(archive: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(archive) as opened:
        return {member.name: member for member in opened}


def test_a_directory_gets_the_files_with_modes_and_links(project: Project) -> None:
    project.must_build("-o", "out", "--target", "files")
    out = project.folder / "out"
    assert (out / "bin" / "tool").read_text() == "tool\n"
    assert stat.S_IMODE((out / "bin" / "tool").stat().st_mode) == 0o755
    assert os.readlink(out / "link") == "bin/tool"


def test_names_of_one_file_are_one_file_in_the_directory(project: Project) -> None:
    project.must_build("-o", "out", "--target", "made")
    assert os.path.samefile(project.folder / "out/out/bin/tool", project.folder / "out/out/bin/alias")


def test_a_whole_image_is_written_as_its_layers_show_it(project: Project) -> None:
    project.must_build("-o", "type=local,dest=out", "--target", "image")
    out = project.folder / "out"
    assert ((out / "file").read_text(), (out / "made").read_text()) == ("content\n", "made\n")
    assert (out / "bin" / "busybox").stat().st_size > 1_000_000


def test_several_platforms_have_a_directory_each(project: Project) -> None:
    project.must_build("-o", "out", "--target", "files", *TWO)
    machines = {
        name: (project.folder / "out" / name / "machine").read_text()
        for name in os.listdir(project.folder / "out")
    }
    assert machines == {"linux_amd64": "x86_64\n", "linux_arm64": "aarch64\n"}


def test_platforms_that_are_not_split_must_not_collide(project: Project) -> None:
    done = project.build("-o", "type=local,dest=out,platform-split=false", "--target", "files", *TWO)
    assert done.returncode == 1
    assert "when split option is disabled" in done.stderr


def test_mode_delete_leaves_the_result_alone_in_the_directory(project: Project) -> None:
    (project.folder / "out").mkdir()
    (project.folder / "out" / "old").touch()
    project.must_build("-o", "type=local,dest=out,mode=delete", "--target", "files")
    assert sorted(os.listdir(project.folder / "out")) == ["bin", "link", "machine"]


def test_mode_delete_never_empties_the_context(project: Project) -> None:
    done = project.build("-o", "type=local,dest=.,mode=delete", "--target", "files")
    assert done.returncode == 2
    assert (project.context / "Dockerfile").exists()


def test_an_archive_on_standard_output_is_read_by_gnu_tar(project: Project) -> None:
    archive = project.folder / "x.tar"
    project.must_build("-o", f"type=tar,dest={archive}", "--target", "files")
    shown = subprocess.run(["tar", "tf", archive], capture_output=True, text=True, check=True).stdout
    assert shown.split() == ["bin/", "bin/alias", "bin/tool", "link", "machine"]


def test_a_dash_writes_the_archive_to_standard_output(project: Project) -> None:
    done = project.build("-o", "-", "--target", "files")
    assert done.returncode == 0
    assert done.stdout.startswith("bin/")


def test_an_archive_holds_several_platforms_in_order(project: Project) -> None:
    project.must_build("-o", "type=tar,dest=x.tar", "--target", "files", *TWO)
    names = list(listed(project.folder / "x.tar"))
    assert names == sorted(names) and {name.partition("/")[0] for name in names} == {
        "linux_amd64",
        "linux_arm64",
    }


def test_source_date_epoch_is_the_time_of_every_file(project: Project) -> None:
    project.must_build(
        "-o", "out", "-o", "type=tar,dest=x.tar", "--target", "files",
        environment={"SOURCE_DATE_EPOCH": "1000000000"},
    )  # fmt: skip
    assert {member.mtime for member in listed(project.folder / "x.tar").values()} == {1_000_000_000}
    assert (project.folder / "out" / "bin" / "tool").stat().st_mtime == 1_000_000_000


def test_archives_of_two_builds_with_an_epoch_are_equal(project: Project) -> None:
    epoch = {"SOURCE_DATE_EPOCH": "1000000000"}
    for name in ("one.tar", "two.tar"):
        project.must_build(
            "-o", f"type=tar,dest={name}", "--target", "files", "--no-cache", environment=epoch
        )
    assert (project.folder / "one.tar").read_bytes() == (project.folder / "two.tar").read_bytes()


def test_user_attributes_are_in_the_archive_and_not_in_layers(project: Project) -> None:
    try:
        os.setxattr(project.context / "file", "user.note", b"kept")
    except OSError:
        pytest.skip("this file system has no user attributes")
    (project.context / "Dockerfile").write_text("FROM scratch\nCOPY file /file\n")
    project.must_build("-o", "type=tar,dest=x.tar", "-o", "type=oci,dest=layout,tar=false")
    assert listed(project.folder / "x.tar")["file"].pax_headers == {"SCHILY.xattr.user.note": "kept"}
    layer = project.document("layout")["layers"][0]["digest"]
    assert listed(project.blob("layout", layer))["file"].pax_headers == {}


def test_result_files_say_nothing_of_an_image_that_is_not_there(project: Project) -> None:
    project.must_build("-o", "out", "--target", "files", "--iidfile", "iid", "--metadata-file", "metadata")
    assert (project.folder / "iid").read_text() == ""
    assert (project.folder / "metadata").read_text() == "{}"
