"""Outputs as values: how they are called, and destinations that cannot be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.errors import InvalidOutput
from exporter.outputs import (
    CacheOnlyOutput,
    DockerOutput,
    ImageOutput,
    LoadOutput,
    LocalOutput,
    OciOutput,
    Output,
    TarOutput,
    describe_output,
    require_writable,
)


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (ImageOutput(), "type=image"),
        (ImageOutput(push=True), "type=image,push=true"),
        (LoadOutput(), "type=docker"),
        (DockerOutput(dest=Path("x.tar")), "type=docker,dest=x.tar"),
        (LocalOutput(dest=Path("out")), "type=local,dest=out"),
        (TarOutput(), "type=tar,dest=-"),
        (CacheOnlyOutput(), "type=cacheonly"),
    ],
)
def test_an_output_is_called_in_the_words_that_ask_for_it(output: Output, text: str) -> None:
    assert describe_output(output) == text


def require(*outputs: Output, terminal: bool = False) -> None:
    require_writable(outputs, stdout_is_terminal=terminal)


def test_only_one_output_may_go_to_standard_output() -> None:
    require(OciOutput())
    with pytest.raises(InvalidOutput, match="multiple outputs configured to write to stdout"):
        require(OciOutput(), TarOutput())


def test_an_archive_is_not_written_to_a_terminal() -> None:
    for output in (OciOutput(), DockerOutput(), TarOutput()):
        with pytest.raises(InvalidOutput, match="refusing to write to console"):
            require(output, terminal=True)


def test_a_directory_is_no_place_for_an_archive(tmp_path: Path) -> None:
    with pytest.raises(InvalidOutput, match=f"destination file {tmp_path} is a directory"):
        require(OciOutput(dest=tmp_path))


def test_a_file_is_no_place_for_a_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidOutput, match=r"destination directory .*/file is a file"):
        require(OciOutput(dest=tmp_path / "file", tar=False))


@pytest.mark.parametrize("tar", [True, False], ids=["archive", "directory"])
def test_the_directory_of_a_destination_must_exist(tmp_path: Path, tar: bool) -> None:
    with pytest.raises(InvalidOutput, match=f"directory {tmp_path}/no does not exist"):
        require(OciOutput(dest=tmp_path / "no" / "x", tar=tar))


def test_good_destinations_are_left_untouched(tmp_path: Path) -> None:
    require(
        OciOutput(dest=tmp_path / "x.tar"),
        OciOutput(dest=tmp_path / "new", tar=False),
        OciOutput(dest=tmp_path, tar=False),
        LocalOutput(dest=tmp_path / "a" / "b"),
        ImageOutput(),
        CacheOnlyOutput(),
    )
    assert list(tmp_path.iterdir()) == []


def test_files_are_not_written_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidOutput, match="file is a file"):
        require(LocalOutput(dest=tmp_path / "file" / "out"))
