"""Why a step ran again: for every kind of input, the first step that missed and what had moved."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from building import Project

pytestmark = pytest.mark.root
TEXT = """\
FROM busybox AS build
ARG FLAVOUR=plain
COPY src /src
RUN cat /src/* > /result
FROM busybox
COPY --from=build /result /result
RUN ls /
"""


@pytest.fixture
def sources(project: Project) -> Project:
    project.write("src/a", "a")
    project.write("src/b", "b")
    return project


def why(project: Project, *arguments: str) -> dict[str, Any]:
    answer = project.dockyard("why", "--format", "json", *arguments)
    assert answer.code == 0, answer.err
    found: dict[str, Any] = json.loads(answer.out)
    return found


def instruction(step: str) -> str:
    return step.partition("] ")[2]


def moved(project: Project) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """The causes of the last build: instruction, reason, and for each change its field and what of it moved."""
    return [
        (
            instruction(cause["step"]),
            cause["reason"],
            [(change["field"], change["what"]) for change in cause["changes"]],
        )
        for cause in why(project)["causes"]
    ]


def test_a_changed_file_is_named_with_all_steps_that_it_dragged_along(sources: Project) -> None:
    sources.built(TEXT)
    sources.write("src/a", "changed")
    sources.built(TEXT)
    (cause,) = why(sources)["causes"]
    assert (instruction(cause["step"]), cause["line"], cause["reason"]) == ("COPY src /src", 3, "changed")
    assert [(each["field"], each["what"]) for each in cause["changes"]] == [("a", "content")]
    assert [instruction(step) for step in cause["dragged"]] == [
        "RUN cat /src/* > /result",
        "COPY --from=build /result /result",
        "RUN ls /",
    ]


def test_a_changed_mode_of_a_file_is_told_from_changed_content(sources: Project) -> None:
    sources.built(TEXT)
    sources.write("src/a", "a", mode=0o755)
    sources.built(TEXT)
    (change,) = why(sources)["causes"][0]["changes"]
    assert (change["field"], change["what"], change["before"], change["after"]) == (
        "a",
        "mode",
        "0644",
        "0755",
    )


def test_files_that_appear_and_go_are_named(sources: Project) -> None:
    sources.built(TEXT)
    (sources.context / "src" / "b").unlink()
    sources.write("src/c", "c")
    sources.built(TEXT)
    changes = why(sources)["causes"][0]["changes"]
    assert [(each["field"], each["before"], each["after"]) for each in changes] == [
        ("b", "removed", None),
        ("c", None, "added"),
    ]


def test_a_link_that_points_elsewhere_is_named(sources: Project) -> None:
    link = sources.context / "src" / "l"
    link.symlink_to("a")
    sources.built(TEXT)
    link.unlink()
    link.symlink_to("b")
    sources.built(TEXT)
    (change,) = why(sources)["causes"][0]["changes"]
    assert (change["field"], change["what"], change["before"], change["after"]) == ("l", "link", "a", "b")


@pytest.mark.parametrize(
    ("before", "after", "cause"),
    [
        ("RUN cat /src/* > /result", "RUN sort /src/* > /result", ("command", "")),
        ("COPY src /src", "COPY src /src/", ("destination", "")),
        ("COPY src /src", "COPY --chmod=600 src /src", ("mode", "")),
        ("COPY src /src", "COPY --chown=3 src /src", ("owner", "")),
    ],
    ids=["command", "destination", "mode", "owner"],
)
def test_an_edited_instruction_is_compared_with_the_one_that_stood_there(
    sources: Project, before: str, after: str, cause: tuple[str, str]
) -> None:
    sources.built(TEXT)
    sources.built(TEXT.replace(before, after))
    first = moved(sources)[0]
    assert first[:2] == (after, "changed") and cause in first[2]
    assert instruction(why(sources)["causes"][0]["compared_with"]) == before


@pytest.mark.parametrize(
    ("line", "field"),
    [("ENV NEW=1", "NEW"), ("WORKDIR /src", "working directory"), ("USER 3", "user")],
    ids=["variable", "working directory", "user"],
)
def test_metadata_in_front_of_a_command_is_what_moved_it(sources: Project, line: str, field: str) -> None:
    sources.built("FROM busybox\nRUN id\n")
    sources.built(f"FROM busybox\n{line}\nRUN id\n")
    causes = {name: [field for field, _ in changes] for name, _, changes in moved(sources)}
    assert field in causes["RUN id"]


def test_a_build_argument_is_named_with_both_values(sources: Project) -> None:
    sources.built(TEXT)
    sources.built(TEXT, "--build-arg", "FLAVOUR=rich")
    (change,) = why(sources)["causes"][0]["changes"]
    assert (change["kind"], change["field"], change["before"], change["after"]) == (
        "variable",
        "FLAVOUR",
        "plain",
        "rich",
    )


def test_another_base_image_is_named_by_its_digests(sources: Project) -> None:
    sources.built(TEXT)
    sources.built("FROM busybox\nRUN echo new > /base\n", "-t", "base:2")
    sources.built(TEXT.replace("FROM busybox AS", "FROM base:2 AS"))
    causes = why(sources)["causes"]
    digests = [each for each in causes[0]["changes"] if each["field"] == "digest"]
    assert causes[0]["step"].partition("] ")[2].startswith("FROM docker.io/library/base:2")
    assert digests[0]["before"] != digests[0]["after"]
    assert "COPY src /src" in [instruction(step) for step in causes[0]["dragged"]]


def test_another_platform_is_what_moved_a_command(sources: Project) -> None:
    sources.built(TEXT)
    sources.built(TEXT, "--platform", "linux/arm64")
    reasons = [field for _, _, changes in moved(sources) for field, _ in changes]
    assert "platform" in reasons


def test_a_step_that_no_build_had_is_new(sources: Project) -> None:
    sources.built(TEXT)
    sources.built(TEXT + "VOLUME /v\nRUN echo more\n")
    assert moved(sources) == [("RUN echo more", "new", [])]


def test_no_cache_is_the_reason_of_each_step_that_it_asks_for(sources: Project) -> None:
    sources.built(TEXT)
    sources.built(TEXT, "--no-cache-filter", "build")
    assert [(name, reason) for name, reason, _ in moved(sources)] == [
        ("COPY src /src", "ignored"),
        ("RUN cat /src/* > /result", "ignored"),
    ]


def test_the_first_build_has_nothing_to_be_compared_with(sources: Project) -> None:
    sources.built(TEXT)
    found = why(sources)
    assert (found["earlier"], {cause["reason"] for cause in found["causes"]}) == (None, {"first"})


def test_a_step_that_failed_the_last_time_is_said_to_be_unfinished(sources: Project) -> None:
    text = TEXT + "RUN test -e /proc/self && cat /missing\n"
    assert sources.build(text).code == 1
    assert sources.build(text).code == 1
    assert moved(sources) == [("RUN test -e /proc/self && cat /missing", "unfinished", [])]


def test_what_a_mount_shows_is_listed_like_what_a_copy_takes(sources: Project) -> None:
    text = "FROM busybox\nRUN --mount=target=/src,source=src cat /src/*\n"
    sources.built(text)
    sources.write("src/b", "changed")
    sources.built(text)
    assert moved(sources)[0][2] == [("b", "content")]


def test_a_build_in_which_nothing_moved_says_so(sources: Project) -> None:
    sources.built(TEXT)
    answer = sources.build(TEXT, "--explain")
    assert "0 steps ran" in answer.err and "nothing ran again" in answer.err


def test_builds_that_find_everything_take_one_number_together(sources: Project) -> None:
    sources.built(TEXT)
    sources.built(TEXT)
    sources.built(TEXT)
    assert why(sources)["build"] == 2


def test_explain_says_in_words_what_moved(sources: Project) -> None:
    sources.built(TEXT)
    sources.write("src/a", "changed")
    answer = sources.build(TEXT, "--explain")
    assert "COPY src /src (line 3)\n    file a: content changed\n    so this ran again:" in answer.err


def test_two_named_builds_can_be_compared(sources: Project) -> None:
    sources.built(TEXT)
    sources.built(TEXT, "--build-arg", "FLAVOUR=rich")
    sources.built(TEXT, "--build-arg", "FLAVOUR=poor")
    assert why(sources, "3", "--against", "1")["causes"][0]["changes"][0]["before"] == "plain"


def test_a_build_that_nobody_made_is_refused_with_a_way_out(sources: Project) -> None:
    answer = sources.dockyard("why", "7")
    assert (answer.code, "there is no build 7" in answer.err, "--list" in answer.err) == (1, True, True)


def test_secrets_are_in_no_table_that_explanations_are_made_of(sources: Project) -> None:
    token = sources.write("../token", "hush-hush-value")
    text = 'FROM busybox\nRUN --mount=type=secret,id=t,env=T test -n "$T"\n'
    sources.built(text, "--secret", f"id=t,src={token}")
    for file in sources.root.glob("dockyard.db*"):
        assert b"hush-hush-value" not in file.read_bytes()
