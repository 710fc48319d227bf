"""How errors are printed, and the exit codes that go with them."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from builder.cli.report import print_error, print_system_error, unexpected
from builder.graph.location import LocatedError, Location, SourceFile
from builder.oci.digest import Digest
from builder.system.errors import Cancelled, DockyardError, Unsupported, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DockyardError("x"), 1),
        (Unsupported("x"), 1),
        (UsageError("x"), 2),
        (Cancelled(), 130),
    ],
)
def test_the_class_of_an_error_decides_the_exit_code(error: DockyardError, code: int) -> None:
    assert print_error(error) == code


def test_an_error_with_a_place_shows_the_lines_first(capsys: pytest.CaptureFixture[str]) -> None:
    source = SourceFile("Dockerfile", "FROM a\nRUUN x")

    print_error(LocatedError("unknown instruction: RUUN", location=Location(source, 2, 2)), prefix="failed: ")

    assert capsys.readouterr().err == (
        "Dockerfile:2\n"
        "--------------------\n"
        "   1 |     FROM a\n"
        "   2 | >>> RUUN x\n"
        "--------------------\n"
        "ERROR: failed: unknown instruction: RUUN\n"
    )


def test_a_hint_stands_on_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(DockyardError("no pasta", hint="install passt"))

    assert capsys.readouterr().err == "ERROR: no pasta\ninstall passt\n"


def test_foreign_text_in_an_error_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(DockyardError("bad name: \x1b]0;owned\x07x"))

    assert capsys.readouterr().err == "ERROR: bad name: x\n"


def test_debug_shows_where_an_error_was_raised(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DockyardError) as raised:
        Digest.parse("x")

    print_error(raised.value, debug=True)

    assert "Traceback" in capsys.readouterr().err


def test_what_the_system_refused_is_told_with_its_path(capsys: pytest.CaptureFixture[str]) -> None:
    assert print_system_error(OSError(28, "No space left on device", "/state/blob")) == 1
    assert capsys.readouterr().err == "ERROR: /state/blob: No space left on device\n"


def test_a_fault_of_our_own_is_called_so_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    unexpected(KeyError, KeyError("x"), None)

    assert capsys.readouterr().err.startswith("ERROR: internal error: KeyError: 'x'\n")


HANGING = """
import signal, sys, time
from builder.cli.interrupts import Interrupts
Interrupts().install()
{body}
"""
POLITE = """
try:
    print("ready", flush=True); time.sleep(60)
except KeyboardInterrupt:
    sys.exit(130)
"""
STUBBORN = """
try:
    print("ready", flush=True); time.sleep(60)
except KeyboardInterrupt:
    print("cleaning", flush=True)
    time.sleep(60)
"""


def _start(body: str) -> subprocess.Popen[bytes]:
    program = subprocess.Popen([sys.executable, "-c", HANGING.format(body=body)], stdout=subprocess.PIPE)
    assert program.stdout is not None
    assert program.stdout.readline() == b"ready\n"
    return program


@pytest.mark.parametrize("stop", [lambda p: p.send_signal(2), lambda p: p.terminate()])
def test_ctrl_c_and_termination_both_interrupt(stop: Callable[[subprocess.Popen[bytes]], None]) -> None:
    with _start(POLITE) as program:
        stop(program)
        assert program.wait() == 130


def test_the_third_signal_ends_a_cleaning_up_that_hangs() -> None:
    with _start(STUBBORN) as program:
        assert program.stdout is not None
        program.terminate()
        assert program.stdout.readline() == b"cleaning\n"
        while program.poll() is None:
            program.terminate()

        assert program.returncode == 130
