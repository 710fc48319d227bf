"""What `--call` answers, in text and in JSON, is what buildx answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from builders import Builders

pytestmark = pytest.mark.root

DOCKERFILES: Final = {
    "nothing-to-say": "FROM busybox\nRUN echo hi\n",
    "findings": "FROM busybox as b\nENV a b\nCMD echo hi\nMAINTAINER x\nRUN echo $X\nWORKDIR rel\nCOPY a $Y\n",
    "findings-of-two-stages": (
        "FROM busybox as b\nEXPOSE 80/TCP\nENV PASSWORD=x\nRUN a \\\n\n b\nFROM busybox as b\n"
        "ENTRYPOINT x\nENTRYPOINT y\n"
    ),
    "findings-skipped": "# check=skip=FromAsCasing\nFROM busybox as b\nENV a b\n",
    "findings-are-errors": "# check=error=true\nFROM busybox as b\n",
    "a-mistake": "FROM busybox\nENV a=b\nCOPY --chmod=9 x /\n",
    "arguments-secrets-and-agents": (
        "# base is the base\nFROM busybox AS base\n# V is the version\nARG V=1\nARG W\n"
        "RUN --mount=type=secret,id=tok --mount=type=ssh echo $V\n\n# dev is for developers\nFROM base AS dev\n"
        "RUN --mount=type=secret,id=two,required=true --mount=type=ssh,id=k,required x\nFROM base\n"
        'ARG Z="a b"\nRUN x\n'
    ),
    "global-arguments": "ARG B=busybox\nFROM --platform=$BUILDPLATFORM $B\nARG V\nRUN x\n",
    "a-stage-of-nothing": "FROM scratch\n",
}
QUESTIONS: Final = ("check", "outline", "targets")


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("name", DOCKERFILES)
def test_an_answer_in_text_is_that_of_buildx(name: str, question: str, builders: Builders) -> None:
    theirs, ours = builders.ask(question, DOCKERFILES[name], f"{name}-{question}")
    assert (ours.stdout, ours.returncode) == (theirs.stdout, theirs.returncode)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("name", DOCKERFILES)
def test_an_answer_in_json_is_that_of_buildx(name: str, question: str, builders: Builders) -> None:
    theirs, ours = builders.ask(f"{question},format=json", DOCKERFILES[name], f"{name}-{question}-json")
    assert (_read(ours.stdout), ours.returncode) == (_read(theirs.stdout), theirs.returncode)


def test_an_error_of_a_check_comes_before_its_lines(builders: Builders) -> None:
    theirs, ours = builders.ask("check", DOCKERFILES["a-mistake"], "a-mistake-shown")
    shown = [said.stderr[said.stderr.index("ERROR: ") :] for said in (ours, theirs)]
    assert shown[0].strip() == shown[1].strip()


def _read(document: str) -> object:
    """The document, without the graph that BuildKit read the text from: dockyard needs none."""
    if not document.strip():
        return None
    answer = json.loads(document)
    for source in answer.get("sources", ()):
        if isinstance(source, dict):
            del source["definition"]
    return answer
