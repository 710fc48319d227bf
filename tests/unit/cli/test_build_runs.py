"""`dockyard build` from words to files: a real build of an image without steps."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from command import Command

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="building needs root"),
]
BOTH = "linux/amd64,linux/arm64"
REFUSAL = """\
[+] Building 0.0s (0/0)
ERROR: Multi-platform build is not supported for the docker driver.
Switch to a different driver, or turn on the containerd image store, and try again.
Learn more at https://docs.docker.com/go/build-multi-platform/
"""


@pytest.fixture
def context(tmp_path: Path) -> str:
    path = tmp_path / "context"
    path.mkdir()
    (path / "Dockerfile").write_text("FROM scratch\nCOPY file /\n")
    (path / "file").write_text("content\n")
    return str(path)


def test_quiet_prints_the_digest_alone_and_the_image_is_found_by_it(command: Command, context: str) -> None:
    said = command("build", "-q", "-t", "hello:1", "--platform", BOTH, context)

    assert (said.code, said.err) == (0, "")
    assert command("images", "-q", "--no-trunc").out == said.out


def test_progress_goes_to_standard_error_and_nothing_to_standard_output(
    command: Command, context: str
) -> None:
    said = command("build", "--progress", "plain", context)

    assert (said.code, said.out) == (0, "")
    assert "#1 [internal] load build definition from Dockerfile\n#1 DONE 0.0s\n" in said.err
    assert "[1/1] COPY file /\n" in said.err


def test_result_files_tell_other_programs_what_was_built(
    command: Command, context: str, tmp_path: Path
) -> None:
    iidfile, metadata = tmp_path / "iid", tmp_path / "metadata.json"

    command("build", "-t", "a", "--iidfile", str(iidfile), "--metadata-file", str(metadata), context)

    members = json.loads(metadata.read_text())
    assert members["containerimage.digest"] == iidfile.read_text()
    assert members["image.name"] == "docker.io/library/a:latest"


def test_several_platforms_on_the_classic_store_are_refused_before_any_work(
    command: Command, context: str
) -> None:
    said = command("build", "--driver", "docker", "--progress", "plain", "--platform", BOTH, context)

    assert said == (1, "", REFUSAL)


def test_a_missing_source_fails_the_build_with_its_line(command: Command, context: str) -> None:
    dockerfile = Path(context, "broken")
    dockerfile.write_text("FROM scratch\nCOPY nope /\n")

    said = command("build", "--progress", "plain", "-f", str(dockerfile), context)

    assert said.code == 1
    assert "   2 | >>> COPY nope /\n" in said.err
    assert said.err.splitlines()[-1].startswith("ERROR: failed to build: failed to solve: ")
    assert said.err.endswith('"/nope": not found\n')


def test_raw_json_is_one_object_a_line(command: Command, context: str) -> None:
    said = command("build", "--progress", "rawjson", context)

    statuses = [json.loads(line) for line in said.err.splitlines()]
    names = {vertex["name"] for status in statuses for vertex in status.get("vertexes", ())}
    assert "[1/1] COPY file /" in names
