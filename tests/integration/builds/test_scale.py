"""Large builds within small means: files that may be open, threads, memory, layers of one stack."""

from __future__ import annotations

import io
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from building import Project

pytestmark = pytest.mark.root


def run_limited(project: Project, limit: str, *arguments: str) -> None:
    command = ["prlimit", limit, *project.command(*arguments)]
    done = subprocess.run(command, capture_output=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]


def archive_of(name: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo(f"unpacked/{name}")
        member.size = len(name)
        archive.addfile(member, io.BytesIO(name.encode()))
    return buffer.getvalue()


def test_two_hundred_trees_need_no_more_than_256_open_files(project: Project) -> None:
    for number in range(200):
        project.write(f"a{number}.tar", archive_of(f"n{number}"))
    stages = "".join(f"FROM scratch AS s{n}\nADD a{n}.tar /\n" for n in range(200))
    copies = "".join(f"COPY --from=s{n} /unpacked /all{n}\n" for n in range(200))
    arguments = project.build_arguments(f"{stages}FROM scratch\n{copies}", "-t", "x")
    run_limited(project, "--nofile=256:256", *arguments)


def test_commands_side_by_side_need_no_more_than_256_open_files(project: Project) -> None:
    stages = "".join(f"FROM busybox AS s{n}\nRUN sleep 1; echo {n} > /o\n" for n in range(64))
    copies = "".join(f"COPY --from=s{n} /o /o{n}\n" for n in range(64))
    arguments = project.build_arguments(f"{stages}FROM scratch\n{copies}", "-t", "x", "--jobs", "64")
    run_limited(project, "--nofile=256:256", *arguments)


def test_a_command_sees_files_of_two_hundred_and_sixty_layers(project: Project) -> None:
    project.write("file", "x")
    layers = "".join(f"COPY file /f{number}\n" for number in range(260))
    image = project.image(f"FROM busybox\n{layers}RUN ls / | grep -c ^f > /count\n")
    assert image.text("count") == "260\n"
