"""The same inputs and the same SOURCE_DATE_EPOCH give the same bytes, whoever builds, where, when and how."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from building import Project, read_archive

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.root
EPOCH = 1_600_000_000
DOCKERFILE = """FROM busybox AS one
RUN mkdir -p /made/deep && echo one > /made/deep/f && ln -s f /made/deep/l
FROM busybox AS two
WORKDIR /two/dir
RUN echo two > f
FROM busybox
COPY --from=one /made /made
COPY --from=two /two /two
COPY . /context
ADD a.tar /unpacked/
COPY --chmod=640 --chown=7:8 <<EOF /inline
text
EOF
ENV A=1
LABEL b=2 a=1
"""
PLATFORMS = "linux/amd64,linux/arm64"


def fill(context: Path, *, reverse: bool) -> None:
    """The same files, made in one order or in the other, at different times."""
    for name in sorted(("b", "a", "sub/c", "ü"), reverse=reverse):
        path = context / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        path.chmod(0o644)
        path.parent.chmod(0o755)
        os.utime(path, (EPOCH + 1000 + 5000 * reverse,) * 2)
    with tarfile.open(context / "a.tar", "w") as writer:
        writer.addfile(tarfile.TarInfo("member"))
    (context / "a.tar").chmod(0o644)
    (context / "Dockerfile").write_text(DOCKERFILE)
    (context / "Dockerfile").chmod(0o644)


def build(project: Project, archive: Path, *options: str, umask: int, **environment: str) -> None:
    words = ("-t", "example.org/r:1", "--platform", PLATFORMS, *options)
    output = f"type=oci,dest={archive},rewrite-timestamp=true"
    command = project.command(*project.build_arguments(None, *words, "-o", output))
    own = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH), **environment}
    done = subprocess.run(command, env=own, umask=umask, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def blobs(archive: Path) -> dict[str, str]:
    """Digests of all that an archive holds, by name."""
    with tarfile.open(archive) as opened:
        members = [member for member in opened.getmembers() if member.isfile()]
        return {each.name: sha256(opened.extractfile(each).read()).hexdigest() for each in members}  # type: ignore[union-attr]


def test_two_machines_make_the_same_index(project: Project, tmp_path: Path) -> None:
    other = Project(tmp_path / "elsewhere" / "context", tmp_path / "elsewhere" / "root", project.busybox)
    fill(project.context, reverse=False)
    fill(other.context, reverse=True)
    first, second = tmp_path / "first.tar", tmp_path / "second.tar"
    build(project, first, "--jobs", "1", umask=0o022, TZ="Asia/Tokyo", LC_ALL="C")
    try:
        build(
            other, second, "--jobs", "8", umask=0o077, TZ="America/Lima", LC_ALL="C.UTF-8", HOME=str(tmp_path)
        )
    finally:
        shutil.rmtree(other.root, ignore_errors=True)
    assert blobs(first) == blobs(second)
    assert first.read_bytes() == second.read_bytes()


def test_nothing_that_a_build_adds_to_its_base_is_later_than_the_epoch(
    project: Project, tmp_path: Path
) -> None:
    fill(project.context, reverse=False)
    build(project, tmp_path / "image.tar", umask=0o022)
    image = read_archive(tmp_path / "image.tar", "linux/amd64")
    assert image.config["created"] == "2020-09-13T12:26:40Z"
    assert {each["created"] for each in image.config["history"][-5:]} == {"2020-09-13T12:26:40Z"}
    own = [
        member
        for name, member in image.files.items()
        if name.startswith(("made", "work", "context", "inline"))
    ]
    assert own and max(member.mtime for member in own) <= EPOCH


@pytest.mark.parametrize("form", ["local", "tar"])
def test_files_that_a_build_writes_out_keep_to_the_epoch(project: Project, tmp_path: Path, form: str) -> None:
    project.write("f", "x")
    project.write("Dockerfile", "FROM scratch\nCOPY f /d/f\n")
    arguments = project.build_arguments(None, "-o", f"type={form},dest={tmp_path / 'out'}")
    outcome = project.dockyard(*arguments, environment={"SOURCE_DATE_EPOCH": str(EPOCH)})
    assert outcome.code == 0, outcome.err
    if form == "local":
        times = {int(path.stat().st_mtime) for path in (tmp_path / "out").rglob("*")}
    else:
        with tarfile.open(tmp_path / "out") as opened:
            times = {int(member.mtime) for member in opened.getmembers()}
    assert times == {EPOCH}


def test_the_epoch_of_the_environment_is_an_argument_of_the_build(project: Project, tmp_path: Path) -> None:
    project.write("Dockerfile", "FROM busybox\nARG SOURCE_DATE_EPOCH\nRUN echo $SOURCE_DATE_EPOCH > /out\n")
    arguments = project.build_arguments(None, "-o", f"type=oci,dest={tmp_path / 'i.tar'}")
    project.dockyard(*arguments, environment={"SOURCE_DATE_EPOCH": str(EPOCH)})
    image = read_archive(tmp_path / "i.tar")
    assert json.loads(image.text("out")) == EPOCH
