"""Several outputs at once: one that fails does not stop the others, and it is said which did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project

pytestmark = pytest.mark.root
FILES = ("--target", "files")


@pytest.fixture
def blocked(project: Project) -> Project:
    """A project that cannot write to `out`: a directory stands where a file must go."""
    (project.folder / "out" / "machine").mkdir(parents=True)
    return project


def test_the_others_are_delivered_and_the_failure_decides_the_exit_code(blocked: Project) -> None:
    done = blocked.build("-o", "out", "-o", "type=tar,dest=x.tar", *FILES)
    assert done.returncode == 1
    assert (blocked.folder / "x.tar").exists()


def test_the_summary_says_which_failed_and_which_did_not(blocked: Project) -> None:
    said = blocked.build("-o", "out", "-o", "type=tar,dest=x.tar", *FILES).stderr
    assert "1 of 2 outputs failed" in said
    assert "type=local,dest=out: cannot write out/machine: a directory is in the way" in said
    assert "delivered: type=tar,dest=x.tar" in said


def test_an_optional_output_may_fail(blocked: Project) -> None:
    said = blocked.must_build("-o", "type=local,dest=out,optional=true", "-o", "type=tar,dest=x.tar", *FILES)
    assert "the optional output type=local,dest=out failed" in said


def test_an_optional_output_that_is_the_only_one_may_fail(blocked: Project) -> None:
    assert "failed" in blocked.must_build("-o", "type=local,dest=out,optional=true", *FILES)


def test_the_only_output_fails_with_its_own_words(blocked: Project) -> None:
    said = blocked.build("-o", "out", *FILES).stderr
    assert "outputs failed" not in said and "a directory is in the way" in said


def test_a_registry_that_is_not_there_is_noticed_before_any_work(project: Project) -> None:
    done = project.build("--push", "-t", "127.0.0.1:1/a", *FILES)
    assert done.returncode == 1 and "127.0.0.1:1" in done.stderr
    assert "[made" not in done.stderr


def test_a_push_without_a_name_is_wrong_usage(project: Project) -> None:
    done = project.build("--push", *FILES)
    assert (done.returncode, "tag is needed when pushing to registry" in done.stderr) == (2, True)
