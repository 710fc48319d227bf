"""The contract of the command: exit codes, what goes to which stream, and what is refused in words."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from builder import __version__
from builder.cli.main import cli, run

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = [sys.executable, "-c", "from builder.cli.main import main; main()"]
HEAVY = "lark rich requests docker zstandard isal sqlite3 subprocess ctypes msgspec hashlib socket".split()


def test_the_version_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["version"]) == 0
    assert capsys.readouterr().out == f"dockyard {__version__}\n"


def test_showing_the_version_loads_nothing_that_takes_time() -> None:
    shown = subprocess.run(
        [sys.executable, "-X", "importtime", *PROGRAM[1:], "--version"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    loaded = {line.rpartition("|")[2].strip() for line in shown.stderr.splitlines()}
    assert shown.stdout == f"dockyard, version {__version__}\n"
    assert not loaded & set(HEAVY)


@pytest.mark.parametrize("name", cli.list_commands(click.Context(cli)))
def test_every_command_has_a_page_of_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    assert f"dockyard {name}" in capsys.readouterr().out


def test_help_lists_every_command_of_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    names = "build images tag rmi inspect push pull save load run verify store doctor version".split()
    assert all(f"  {name} " in shown for name in names)


@pytest.mark.parametrize(
    "words",
    [
        ["no-such-command"],
        ["--no-such-flag"],
        ["build"],
        ["build", "--no-such-flag", "."],
        ["build", "--jobs", "0", "."],
        ["build", "--driver", "podman", "."],
        ["build", "--network", "bridge", "."],
        ["build", "--progress", "fancy", "."],
        ["build", "-q", "--progress", "plain", "."],
        ["build", "-f", "-", "-"],
        ["run"],
        ["tag", "one"],
    ],
)
def test_wrong_usage_ends_with_2_and_a_word_on_standard_error(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err != ""


def test_turning_attestations_off_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = str(tmp_path / "missing")

    assert run(["build", "--provenance=false", "--sbom=false", "--call=build", missing]) == 1
    assert capsys.readouterr().err == (
        f'ERROR: failed to build: unable to prepare context: path "{missing}" not found\n'
    )


def test_a_context_that_is_a_file_is_named_in_the_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file"
    path.touch()

    assert run(["build", str(path)]) == 1
    assert f'path "{path}" is not a directory' in capsys.readouterr().err


def test_a_reader_who_leaves_early_hears_no_complaint() -> None:
    program = subprocess.Popen([*PROGRAM, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert program.stdout is not None
    assert program.stderr is not None
    program.stdout.close()

    with program.stderr as errors:
        assert errors.read() == b""
    program.wait()
