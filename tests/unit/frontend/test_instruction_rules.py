"""What each instruction accepts, and what it says of the rest."""

from __future__ import annotations

import pytest
from dockerfiles import failure, last_run, message, target

from builder.system.errors import Unsupported
from frontend.dockerfile.errors import DockerfileErrors, NotSupported
from frontend.dockerfile.parse import parse
from frontend.dockerfile.tree import Add, Arg, Copy, Definition, Healthcheck, Instruction, Run

PREFIX = "dockerfile parse error on line 2: "


def node(text: str) -> Instruction:
    (found,) = parse("Dockerfile", f"FROM a\n{text}".encode()).stages[0].instructions
    return found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("RUUN x", "unknown instruction: RUUN (did you mean RUN?)"),
        ("Runn x", "unknown instruction: Runn (did you mean run?)"),
        ("FOO", "unknown instruction: FOO (did you mean FROM?)"),
        ("wat_is_this", "unknown instruction: wat_is_this"),
        ("FROM", "FROM requires either one or three arguments"),
        ("FROM a b", "FROM requires either one or three arguments"),
        ("FROM a is b", "FROM requires either one or three arguments"),
        ("FROM scratch # x", "FROM requires either one or three arguments"),
        (
            "FROM a AS 1x",
            'invalid name for build stage: "1x", name can\'t start with a number or contain symbols',
        ),
        (
            "FROM a AS x/y",
            'invalid name for build stage: "x/y", name can\'t start with a number or contain symbols',
        ),
        ("FROM --plat=x a", "unknown flag: --plat"),
        ("ENV", "ENV requires at least one argument"),
        ("LABEL", "LABEL requires at least one argument"),
        ("ARG", "ARG requires at least one argument"),
        ("EXPOSE", "EXPOSE requires at least one argument"),
        ("VOLUME", "VOLUME requires at least one argument"),
        ("VOLUME []", "VOLUME requires at least one argument"),
        ('VOLUME [""]', "VOLUME specified can not be an empty string"),
        ("ONBUILD", "ONBUILD requires at least one argument"),
        ("HEALTHCHECK", "HEALTHCHECK requires at least one argument"),
        ("SHELL", "SHELL requires at least one argument"),
        ("SHELL []", "SHELL requires at least one argument"),
        ("SHELL bash -c", "SHELL requires the arguments to be in JSON form"),
        ("WORKDIR", "WORKDIR requires exactly one argument"),
        ("USER", "USER requires exactly one argument"),
        ("STOPSIGNAL", "STOPSIGNAL requires exactly one argument"),
        ("MAINTAINER", "MAINTAINER requires exactly one argument"),
        (
            "COPY a",
            "COPY requires at least two arguments, but only one was provided. Destination could not be determined",
        ),
        (
            "ADD",
            "ADD requires at least two arguments, but only one was provided. Destination could not be determined",
        ),
        ("ENV =x", "ENV names can not be blank"),
        ("LABEL a=b =x", "LABEL names can not be blank"),
        ("ARG =x", "ARG names can not be blank"),
        ("COPY --form=x a b", "unknown flag: --form (did you mean from?)"),
        ("ADD --from=x a b", "unknown flag: --from"),
        ("COPY --from a b", "missing a value on flag: --from"),
        ("COPY --exclude a b", "missing a value on flag: --exclude"),
        ("COPY --link= a b", "missing a value on flag: --link"),
        ("COPY --link=yes a b", "expecting boolean value for flag --link, not: yes"),
        ("COPY --link --link a b", "duplicate flag specified: --link"),
        ("COPY --chown=1 --chown=2 a b", "duplicate flag specified: --chown"),
        ("CMD --x a", "unknown flag: --x"),
        ("RUN --network=x a", 'invalid network mode "x"'),
        ("RUN --security=x a", 'security "x" is not valid'),
        ("HEALTHCHECK FOO", 'Unknown type "FOO" in HEALTHCHECK (try CMD)'),
        ('HEALTHCHECK CMD["a"]', 'Unknown type "CMD[\\"A\\"]" in HEALTHCHECK (try CMD)'),
        ("HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"),
        ("HEALTHCHECK NONE x", "HEALTHCHECK NONE takes no arguments"),
        ("HEALTHCHECK --interval=x CMD a", 'time: invalid duration "x"'),
        ("HEALTHCHECK --timeout=5 CMD a", 'time: missing unit in duration "5"'),
        ("HEALTHCHECK --timeout=5y CMD a", 'time: unknown unit "y" in duration "5y"'),
        ("HEALTHCHECK --start-period=-1s CMD a", 'Interval "start-period" cannot be less than 1ms'),
        ("HEALTHCHECK --start-interval=1us CMD a", 'Interval "start-interval" cannot be less than 1ms'),
        ("HEALTHCHECK --retries=-1 CMD a", "--retries cannot be negative (-1)"),
        ("HEALTHCHECK --retries=x CMD a", 'strconv.ParseInt: parsing "x": invalid syntax'),
        (
            "HEALTHCHECK --retries=2147483648 CMD a",
            'strconv.ParseInt: parsing "2147483648": value out of range',
        ),
        ("ONBUILD ONBUILD RUN x", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
        ("ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"),
        ("ONBUILD maintainer x", "MAINTAINER isn't allowed as an ONBUILD trigger"),
        ("COPY a <<X\nX", "COPY cannot accept a heredoc as a destination"),
    ],
)
def test_a_broken_rule_is_a_parse_error_with_its_line(text: str, reason: str) -> None:
    error = failure(f"FROM busybox\n{text}")
    assert error.message == PREFIX + reason
    assert error.location is not None
    assert error.location.first == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ENV A", "ENV must have two arguments"),
        ("LABEL A", "LABEL must have two arguments"),
        ("ONBUILD ENV A", "ENV must have two arguments"),
        ("ENV A=1 B", 'Syntax error - can\'t find = in "B". Must be of the form: name=value'),
        ('CMD ["a", 1]', "when using JSON array syntax, arrays must be comprised of strings only"),
    ],
)
def test_arguments_of_the_wrong_style_have_no_prefix(text: str, reason: str) -> None:
    assert message(f"FROM busybox\n{text}") == reason


def test_all_mistakes_of_a_file_are_reported_together() -> None:
    error = failure("FROM busybox\nRUUN x\nRUN ok\nENV A\nCOPY a\nRUN <<X\n")
    assert isinstance(error, DockerfileErrors)
    assert [each.location and each.location.first for each in error.errors] == [2, 4, 5, 6]
    assert error.location == error.errors[0].location
    assert error.message.splitlines()[1] == "ENV must have two arguments"


def test_mistakes_between_stages_are_reported_with_those_of_lines() -> None:
    error = failure("FROM busybox\nRUUN x\nCOPY --from=7 a b\nFROM busybox:x:y\nCOPY --x a b\n")
    assert [location.first for location in error.locations] == [2, 3, 4, 5]


@pytest.mark.parametrize(
    "lost", ["FORM x AS y", "FROM x y", "COPY <<E /x\nFROM x"], ids=["misspelt", "wrong", "in a heredoc"]
)
def test_nothing_is_said_of_stages_when_one_of_them_may_be_missing(lost: str) -> None:
    assert len(failure(f"FROM busybox\n{lost}\nCOPY --from=1 a b").locations) == 1


@pytest.mark.parametrize("text", ["ARG --x A", "STOPSIGNAL --x 9", "HEALTHCHECK --x NONE"])
def test_three_instructions_drop_flags_without_a_look(text: str) -> None:
    assert node(text).keyword == text.split()[0]


def test_flags_are_read_whatever_their_order() -> None:
    copy = node("COPY --link=TRUE --exclude=a --chown=1:2 --exclude=b --from=X --parents a b c")
    assert isinstance(copy, Copy)
    assert (copy.link, copy.exclude, copy.chown) == (True, ("a", "b"), "1:2")
    assert (copy.source_stage, copy.parents, copy.sources, copy.destination) == ("X", True, ("a", "b"), "c")


def test_add_has_flags_of_its_own() -> None:
    add = node("ADD --checksum=sha256:x --keep-git-dir --unpack=false a b")
    assert isinstance(add, Add)
    assert (add.checksum, add.keep_git_dir, add.unpack) == ("sha256:x", True, False)


def test_plain_lists_know_neither_quotes_nor_escapes() -> None:
    copy = node("COPY a\\ b  c\td")
    assert isinstance(copy, Copy)
    assert (copy.sources, copy.destination) == (("a\\", "b", "c"), "d")


def test_argument_names_are_taken_as_they_stand() -> None:
    arg = node('ARG $X=1 "Q R"=2 Z')
    assert isinstance(arg, Arg)
    assert arg.definitions == (Definition("$X", "1"), Definition('"Q R"', "2"), Definition("Z"))


def test_a_health_check_is_read_with_its_times_in_nanoseconds() -> None:
    check = node('HEALTHCHECK --interval=5s --retries=2 cmd ["a"]')
    assert isinstance(check, Healthcheck)
    assert check.command is not None
    assert (check.command.words, check.command.shell) == (("a",), False)
    assert (check.interval, check.retries, check.timeout) == (5_000_000_000, 2, 0)


def test_a_run_keeps_its_mounts_for_later() -> None:
    run = node("RUN --mount=type=cache,target=/c --mount=type=tmpfs,target=/t --device=x y")
    assert isinstance(run, Run)
    assert run.mounts == ("type=cache,target=/c", "type=tmpfs,target=/t")


def test_what_is_not_supported_may_stand_where_nobody_needs_it() -> None:
    built = target("FROM busybox AS later\nRUN --device=x y\nRUN --mount=type=ssh x\nFROM busybox\nRUN y")
    assert built.vertex is not None


def test_the_security_of_a_step_is_that_of_its_flag() -> None:
    assert last_run(target("FROM busybox\nRUN --security=sandbox x")).security == "sandbox"
    assert last_run(target("FROM busybox\nRUN --security=insecure x")).security == "insecure"


def test_devices_are_refused_with_what_to_do_instead() -> None:
    error = failure("FROM busybox\nRUN --device=x y")
    assert isinstance(error, NotSupported) and isinstance(error, Unsupported)
    assert "device feature is only supported" in error.message
    assert error.hint is not None
