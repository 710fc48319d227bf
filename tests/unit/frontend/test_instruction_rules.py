"""What each instruction accepts, and what it says of the rest."""

from __future__ import annotations

import pytest
from dockerfiles import failure, message, target

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


def test_a_health_check_is_read_even_if_it_is_not_built_yet() -> None:
    check = node('HEALTHCHECK --interval=5s --retries=2 cmd ["a"]')
    assert isinstance(check, Healthcheck)
    assert check.command is not None
    assert (check.command.words, check.command.shell) == (("a",), False)
    assert (check.interval, check.retries, check.timeout) == ("5s", "2", "")


def test_a_run_keeps_its_mounts_for_later() -> None:
    run = node("RUN --mount=type=cache,target=/c --mount=type=tmpfs,target=/t --device=x y")
    assert isinstance(run, Run)
    assert run.mounts == ("type=cache,target=/c", "type=tmpfs,target=/t")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("HEALTHCHECK NONE", "HEALTHCHECK"),
        ("ONBUILD RUN x", "ONBUILD"),
        ("RUN --mount=type=tmpfs,target=/t x", "RUN --mount"),
        ("RUN --device=x y", "RUN --device"),
        ("RUN --security=insecure x", "RUN --security=insecure"),
        ("RUN <<E\nE", "RUN with a heredoc"),
        ("COPY <<E /e\nE", "COPY with a heredoc"),
        ("ADD <<E /e\nE", "ADD with a heredoc"),
        ("COPY --parents a b", "COPY --parents"),
        ("COPY --exclude=x a b", "COPY --exclude"),
        ("ADD --exclude=x a b", "ADD --exclude"),
        ("ADD --checksum=sha256:x a b", "ADD --checksum"),
        ("ADD --keep-git-dir=false a b", "ADD --keep-git-dir"),
        ("ADD --unpack=false a b", "ADD --unpack"),
        ("ADD https://example.test/x /x", "ADD of a URL"),
        ("ADD https://example.test/x.git /x", "ADD of a git repository"),
        ("ADD git@example.test:x /x", "ADD of a git repository"),
    ],
)
def test_what_is_not_built_yet_is_refused_with_its_line(text: str, what: str) -> None:
    error = failure(f"FROM busybox\n{text}")
    assert isinstance(error, NotSupported)
    assert isinstance(error, Unsupported)
    assert error.message == f"{what} is not supported yet"
    assert error.location is not None
    assert error.location.first == 2


def test_what_is_not_built_yet_may_stand_where_nobody_needs_it() -> None:
    built = target("FROM busybox AS later\nHEALTHCHECK NONE\nRUN --mount=type=ssh x\nFROM busybox\nRUN y")
    assert built.vertex is not None


def test_the_default_security_needs_nothing_special() -> None:
    assert target("FROM busybox\nRUN --security=sandbox x").vertex is not None
