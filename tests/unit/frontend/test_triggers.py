"""ONBUILD: what is kept for later, and what happens when it fires."""

from __future__ import annotations

import pytest
from dockerfiles import AMD64, World, failure, history, image, message, names, operations, read, target

from builder.graph import Exec
from builder.oci.config import ContainerConfig
from frontend import ImageContext, LocalContext


def world(*triggers: str) -> World:
    return World(base=ContainerConfig(on_build=triggers))


def commands(text: str, known: World | None = None) -> list[str]:
    return [each.args[-1] for each in operations(target(text, known)) if isinstance(each, Exec)]


def test_a_trigger_is_kept_as_written_and_does_nothing_yet() -> None:
    built = target("FROM busybox\nOnBuild   Run a  \\\n  $B\nONBUILD COPY <<E /x\n$y\nE\nONBUILD env A=1")
    assert built.config.config.on_build == ("Run a    $B", "COPY <<E /x\n$y\nE", "env A=1")
    assert history(built) == []
    assert len(operations(built)) == 1


def test_triggers_of_a_base_image_fire_first_and_are_gone() -> None:
    built = target("FROM base\nRUN own", world("RUN one", "ENV A=1", "RUN two"))
    assert history(built) == [
        "RUN /bin/sh -c one # buildkit",
        "ENV A=1",
        "RUN /bin/sh -c two # buildkit",
        "RUN /bin/sh -c own # buildkit",
    ]
    assert built.config.config.on_build is None


def test_triggers_of_an_earlier_stage_fire_once() -> None:
    text = "FROM busybox AS a\nONBUILD RUN o\nRUN a\nFROM a AS b\nRUN b\nFROM b\nRUN c"
    assert commands(text) == ["a", "o", "b", "c"]


def test_a_trigger_with_a_heredoc_fires_whole() -> None:
    assert commands("FROM busybox AS a\nONBUILD RUN <<E\nx\nE\nFROM a") == ["x\n"]


def test_progress_numbers_triggers_of_all_kinds() -> None:
    text = "FROM busybox AS b\nONBUILD RUN o\nONBUILD ENV Z=1\nRUN own\nFROM b AS c\nRUN cc"
    assert names(target(text))[1:] == ["[b 2/2] RUN own", "[c 1/3] ONBUILD RUN o", "[c 2/3] RUN cc"]


def test_from_is_numbered_before_triggers_are_known() -> None:
    shown = names(target("FROM base\nRUN own", world("RUN one", "ENV A=1")))
    assert [name.split("]")[0] for name in shown] == ["[1/2", "[2/4", "[3/4"]


def test_both_vertices_of_a_linked_trigger_say_so() -> None:
    shown = names(target("FROM base", world("COPY --link a /a")))
    assert shown[-2:] == ["[2/2] ONBUILD COPY --link a /a", "[2/2] ONBUILD LINK COPY --link a /a"]


def test_a_trigger_may_need_a_stage_that_nothing_else_needs() -> None:
    text = "FROM busybox AS tools\nRUN make\nFROM base\nRUN own"
    assert commands(text, world("COPY --from=tools /t /t")) == ["make", "own"]


def test_stages_that_triggers_need_bring_their_own_triggers() -> None:
    text = "FROM busybox AS deep\nRUN deep\nFROM inner AS tools\nFROM base\n"
    known = world("COPY --from=tools /t /t")
    known.images["inner"] = ContainerConfig(on_build=("COPY --from=deep /d /d",))
    assert commands(text, known) == ["deep"]


def test_a_trigger_cannot_copy_from_a_later_stage() -> None:
    text = "FROM base AS a\nFROM busybox AS late\nFROM a"
    reason = 'cannot copy from stage "late", it needs to be defined before current stage "a"'
    assert message(text, world("COPY --from=late /t /t")) == reason


@pytest.mark.parametrize(
    ("trigger", "reason"),
    [
        ("RUUN x", "unknown instruction: RUUN (did you mean RUN?)"),
        ("CMD --x a", "unknown flag: --x"),
        ("ENV A", "ENV must have two arguments"),
        ("RUN <<X", "unterminated heredoc"),
        ("RUN a\nRUN b", "onbuild trigger should be a single expression"),
        ("# x", "onbuild trigger should be a single expression"),
        ("FROM busybox", "FROM isn't allowed as an ONBUILD trigger"),
        ("STOPSIGNAL nope", "invalid signal: nope"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_trigger_is_said_at_the_from_line(trigger: str, reason: str) -> None:
    error = failure("ARG A\nFROM base\nRUN x", world(trigger))
    assert error.message == reason
    assert error.location is not None
    assert (error.location.source.name, error.location.first) == ("Dockerfile", 2)


def test_steps_of_triggers_stand_at_the_from_line() -> None:
    (built,) = read("ARG A\nFROM base", world("RUN x")).targets
    assert built.vertex is not None and built.vertex.description.location is not None
    assert built.vertex.description.location.first == 2


def test_an_unknown_instruction_is_found_when_it_fires() -> None:
    text = "FROM busybox AS a\nONBUILD RUUN x\n"
    assert target(text).config.config.on_build == ("RUUN x",)
    assert "unknown instruction: RUUN" in message(text + "FROM a")


def test_a_command_in_a_trigger_counts_as_one_of_the_stage() -> None:
    built = target('FROM base\nENTRYPOINT ["e"]', world('CMD ["c"]'))
    assert built.config.config.cmd == ("c",)


def test_triggers_of_a_context_that_takes_the_place_of_the_base_fire() -> None:
    known = World()
    known.contexts["busybox"] = ImageContext(image("other", AMD64, ContainerConfig(on_build=("RUN x",))))
    assert commands("FROM busybox\nRUN y", known) == ["x", "y"]


def test_triggers_of_a_context_that_replaces_a_stage_fire_in_what_is_built_on_it() -> None:
    known = World()
    known.contexts["a"] = ImageContext(image("other", AMD64, ContainerConfig(on_build=("RUN x",))))
    text = "FROM busybox AS a\nONBUILD RUN never\nFROM a\nRUN y"
    assert commands(text, known) == ["x", "y"]


def test_a_replaced_stage_without_config_leaves_no_triggers() -> None:
    known = World()
    known.contexts["a"] = LocalContext("a")
    assert commands("FROM busybox AS a\nONBUILD RUN never\nFROM a\nRUN y", known) == ["y"]


def test_triggers_that_multiply_beyond_measure_are_refused() -> None:
    text = "FROM base\n" + "".join(f"FROM base\nCOPY --from={number} a a\n" for number in range(10))
    assert message(text, world(*["RUN x"] * 1000)) == "more than 10000 ONBUILD triggers fire in one build"
