"""Answers to questions about a Dockerfile, for people and for programs."""

from __future__ import annotations

import base64
import json

import msgspec
import pytest
from dockerfiles import AMD64, ARM64, World

from frontend import Answer, Options
from frontend.dockerfile.errors import DockerfileError
from frontend.dockerfile.requests.lint import lint
from frontend.dockerfile.requests.outline import outline
from frontend.dockerfile.requests.targets import targets


def options(**chosen: object) -> Options:
    return msgspec.structs.replace(Options(build_platform=AMD64), **chosen)


def check(text: str, **chosen: object) -> Answer:
    return lint(text.encode(), options(**chosen), World())


def asked(text: str, **chosen: object) -> Answer:
    return outline(text.encode(), options(**chosen), World())


def line(number: int) -> dict[str, dict[str, int]]:
    return {"start": {"line": number}, "end": {"line": number}}


def test_a_file_without_findings_has_none_in_both_forms() -> None:
    answer = check("FROM busybox")
    assert answer.text == "Check complete, no warnings found.\n"
    assert json.loads(answer.document)["warnings"] is None
    assert not answer.failed


def test_a_finding_is_shown_with_its_page_and_its_lines() -> None:
    answer = check("FROM busybox\nENV A \\\n b")
    assert answer.text == (
        "Check complete, 1 warning has been found!\n\n"
        "WARNING: LegacyKeyValueFormat - https://docs.docker.com/go/dockerfile/rule/legacy-key-value-format/\n"
        '"ENV key=value" should be used instead of legacy "ENV key value" format\n'
        "Dockerfile:2\n--------------------\n"
        "   1 |     FROM busybox\n   2 | >>> ENV A \\\n   3 | >>>  b\n--------------------\n"
    )


def test_a_finding_has_the_members_that_programs_know() -> None:
    text = "FROM busybox\nENV A \\\n b"
    document = json.loads(check(text).document)
    assert document == {
        "warnings": [
            {
                "ruleName": "LegacyKeyValueFormat",
                "description": "Legacy key/value format with whitespace separator should not be used",
                "url": "https://docs.docker.com/go/dockerfile/rule/legacy-key-value-format/",
                "detail": '"ENV key=value" should be used instead of legacy "ENV key value" format',
                "location": {"ranges": [line(2), line(3)]},
            }
        ],
        "sources": [
            {
                "filename": "Dockerfile",
                "data": base64.b64encode(text.encode()).decode(),
                "definition": None,
                "language": "Dockerfile",
            }
        ],
    }


def test_a_file_that_cannot_be_built_is_an_answer_with_its_findings() -> None:
    answer = check("FROM busybox AS A\nFROM nowhere\nFROM busybox")
    document = json.loads(answer.document)
    assert [each["ruleName"] for each in document["warnings"]] == ["StageNameCasing"]
    assert document["buildError"]["location"] == {"ranges": [line(2)]}
    assert "nowhere" in document["buildError"]["message"]
    assert answer.failed and isinstance(answer.error, DockerfileError)


def test_a_file_that_cannot_be_read_is_an_answer_too() -> None:
    answer = check("RUUN x")
    assert answer.text == ""
    assert json.loads(answer.document)["buildError"]["message"].startswith("dockerfile parse error on line 1")


def test_all_stages_are_checked_unless_one_is_named() -> None:
    text = "FROM busybox AS a\nENV A b\nFROM busybox AS c\nENV A b"
    assert check(text).text.count("WARNING") == 2
    assert check(text, target="c", platforms=(AMD64, ARM64)).text.count("WARNING") == 1


def test_targets_are_listed_as_the_file_writes_them() -> None:
    text = "ARG B=busybox\n# tools What we need\n# b no\nFROM --platform=$X $B AS Tools\nFROM tools AS b"
    document = json.loads(targets(text.encode(), options()).document)
    assert document == {
        "targets": [
            {
                "name": "tools",
                "description": "What we need",
                "base": "$B",
                "platform": "$X",
                "location": {"ranges": [line(4)]},
            },
            {"name": "b", "default": True, "base": "tools", "location": {"ranges": [line(5)]}},
        ],
        "sources": [base64.b64encode(text.encode()).decode()],
    }


@pytest.mark.parametrize(
    ("last", "shown"), [("FROM b", "(default)"), ("FROM b AS long-name", "long-name (default)")]
)
def test_the_default_target_is_marked_in_the_table(last: str, shown: str) -> None:
    width = max(len("TARGET"), len(shown)) + 1
    table = targets(f"# b Base\nFROM a AS b\n{last}".encode(), options()).text
    assert table == f"{'TARGET':{width}}DESCRIPTION\n{'b':{width}}Base\n{shown:{width}}\n"


def test_an_outline_has_the_arguments_that_the_target_and_its_bases_declare() -> None:
    text = (
        "ARG VERSION=1\nARG BASE=busybox:${VERSION}\nARG UNUSED=x\nFROM ${BASE} AS a\n# G how to greet\n"
        "ARG G=hello\nARG H=silent\nRUN echo $G\nFROM busybox AS other\nARG O=1\nRUN echo $O\n"
        "# t the target\nFROM a AS t\n"
    )
    world = World("busybox:2")
    answer = outline(text.encode(), options(build_args={"VERSION": "2"}), world)
    document = json.loads(answer.document)
    assert (document["name"], document["description"]) == ("t", "the target")
    assert [(each["name"], each["value"]) for each in document["args"]] == [
        ("VERSION", "2"),
        ("BASE", "busybox:2"),
        ("G", "hello"),
        ("H", "silent"),
    ]
    assert document["args"][2]["description"] == "how to greet"
    assert document["args"][2]["location"] == {"ranges": [line(6)]}


def test_an_outline_has_the_secrets_and_agents_of_mounts() -> None:
    text = (
        "FROM busybox\nRUN --mount=type=secret,id=s x\nRUN --mount=type=secret,id=s,required x\n"
        "RUN --mount=type=secret,target=/run/t --mount=type=ssh --mount=type=cache,target=/c x\n"
    )
    document = json.loads(asked(text).document)
    assert document["secrets"] == [
        {"name": "s", "required": True, "location": {"ranges": [line(2)]}},
        {"name": "t", "location": {"ranges": [line(4)]}},
    ]
    assert document["ssh"] == [{"name": "default", "location": {"ranges": [line(4)]}}]


def test_an_outline_is_shown_as_tables() -> None:
    text = (
        "# t The target\nFROM busybox AS t\n# A first\nARG A=1\nRUN echo $A\n"
        "RUN --mount=type=secret,id=s,required x\n"
    )
    assert asked(text).text == (
        "TARGET:      t\nDESCRIPTION: The target\n\n"
        "BUILD ARG   VALUE   DESCRIPTION\nA           1       first\n\n"
        "SECRET   REQUIRED\ns        true\n\n"
    )


def test_an_outline_of_a_broken_file_is_an_error() -> None:
    with pytest.raises(DockerfileError):
        asked("FROM nowhere")


def test_what_the_whole_text_shows_is_found_also_where_it_cannot_be_built() -> None:
    answer = lint(b"FROM busybox AS Big\nFROM $NOTHING\n", options(), World())
    assert [each["ruleName"] for each in json.loads(answer.document)["warnings"]] == [
        "StageNameCasing",
        "InvalidDefaultArgInFrom",
        "UndefinedArgInFrom",
    ]
    assert answer.error is not None and answer.error.message == "base name ($NOTHING) should not be blank"


def test_mistakes_of_several_stages_are_found_together() -> None:
    answer = lint(b"FROM $A\nFROM --platform=$B busybox\nFROM x//y\nCOPY --from=9 a b\n", options(), World())
    assert answer.error is not None
    assert answer.error.message.split("\n") == [
        "base name ($A) should not be blank",
        "empty platform value from expression $B",
        "failed to parse stage name \"x//y\": invalid reference format: 'x//y'",
        "invalid stage index 9",
    ]
