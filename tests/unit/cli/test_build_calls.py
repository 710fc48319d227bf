"""`--call` and `--check`: questions about a Dockerfile, answered on standard output."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from builder.cli.call import Call, read_call
from builder.system.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from command import Command

pytestmark = pytest.mark.root


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text("# it All there is\nFROM scratch AS it\nARG V=1\nENV A $V\n")
    return folder


@pytest.mark.parametrize(
    ("word", "check", "expected"),
    [
        ("build", False, None),
        ("build", True, Call("check")),
        ("check", False, Call("check")),
        ("lint,format=json", False, Call("check", "json")),
        ("outline,format=text", False, Call("outline")),
        ("targets", False, Call("targets")),
    ],
)
def test_a_call_names_a_question_and_a_form(word: str, expected: Call | None, *, check: bool) -> None:
    assert read_call(word, check=check) == expected


@pytest.mark.parametrize("word", ["outlin", "check,format=xml", "check,x"])
def test_a_call_that_is_none_is_wrong_usage(word: str) -> None:
    with pytest.raises(UsageError, match="invalid call"):
        read_call(word, check=False)


def test_a_check_that_finds_something_ends_with_one(command: Command, context: Path) -> None:
    said = command("build", "--progress", "quiet", "--check", str(context))
    assert said.code == 1
    assert said.out.startswith("Check complete, 1 warning has been found!\n\nWARNING: LegacyKeyValueFormat")


def test_a_check_that_finds_nothing_ends_with_zero(command: Command, context: Path) -> None:
    (context / "Dockerfile").write_text("FROM scratch\n")
    said = command("build", "--progress", "quiet", "--call", "check", str(context))
    assert said == (0, "Check complete, no warnings found.\n", "")


def test_a_file_that_cannot_be_built_is_shown_below_the_findings(command: Command, context: Path) -> None:
    (context / "Dockerfile").write_text("FROM scratch AS A\nFROM nowhere\n")
    said = command("build", "--progress", "quiet", "--check", str(context))
    assert said.code == 1
    assert "StageNameCasing" in said.out
    assert "   2 | >>> FROM nowhere" in said.err
    assert "ERROR: nowhere: failed to resolve" in said.err


def test_programs_get_one_json_document(command: Command, context: Path) -> None:
    said = command("build", "--progress", "quiet", "--call", "check,format=json", str(context))
    assert said.code == 1
    assert json.loads(said.out)["warnings"][0]["ruleName"] == "LegacyKeyValueFormat"


def test_an_outline_and_the_targets_are_tables(command: Command, context: Path) -> None:
    outline = command("build", "--progress", "quiet", "--call", "outline", str(context))
    targets = command("build", "--progress", "quiet", "--call", "targets", str(context))
    assert outline.out == (
        "TARGET:      it\nDESCRIPTION: All there is\n\nBUILD ARG   VALUE   DESCRIPTION\nV           1       \n\n"
    )
    assert targets == (0, "TARGET       DESCRIPTION\nit (default) All there is\n", "")


def test_a_question_builds_nothing(command: Command, context: Path) -> None:
    command("build", "--progress", "quiet", "-t", "a", "--check", str(context))
    assert command("images", "-q").out == ""
