"""Build checks: each rule on what it is about, and how a file turns them off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from dockerfiles import AMD64, ARM64, World, message, read

from builder.oci.config import ContainerConfig
from frontend import CheckWarning, Options, ResolvedImage, convert
from frontend.dockerfile.checks import rules
from frontend.dockerfile.errors import DockerfileError

if TYPE_CHECKING:
    from builder.platforms import Platform


def found(text: str, world: World | None = None, **options: object) -> list[CheckWarning]:
    warnings: list[CheckWarning] = []
    chosen = msgspec.structs.replace(Options(build_platform=AMD64), **options)
    convert(text.encode(), chosen, world or World(), on_warning=warnings.append)
    return warnings


def lines(text: str, world: World | None = None, **options: object) -> list[str]:
    return [f"{each.location.first} {each.rule}: {each.message}" for each in found(text, world, **options)]


def test_a_usual_file_has_nothing_to_be_warned_about() -> None:
    text = '# A file.\nARG V=latest\nFROM busybox:$V AS a\nRUN x $U\nWORKDIR /a\nWORKDIR b\nCMD ["x"]\n'
    assert lines(text, World("busybox:latest")) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM busybox AS Ab", "1 StageNameCasing: Stage name 'Ab' should be lowercase"),
        ("FROM busybox as a", "1 FromAsCasing: 'as' and 'FROM' keywords' casing do not match"),
        ("FROM busybox\nRUN a \\\n\n b", "4 NoEmptyContinuation: Empty continuation line"),
        (
            "FROM busybox\ncopy a b\nRUN x",
            (
                "2 ConsistentInstructionCasing: Command 'copy' should match the case of the command majority "
                "(uppercase)"
            ),
        ),
        (
            "from busybox\nRun x",
            (
                "2 ConsistentInstructionCasing: Command 'Run' should match the case of the command majority "
                "(lowercase)"
            ),
        ),
        (
            "FROM busybox AS b\nFROM busybox AS b",
            '2 DuplicateStageName: Duplicate stage name "b", stage names should be unique',
        ),
        (
            "FROM busybox AS context",
            '1 ReservedStageName: Stage name should not use the same name as reserved stage "context"',
        ),
        (
            "FROM busybox\nMAINTAINER me",
            "2 MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label",
        ),
        (
            "FROM busybox${VARIANT:+-x}",
            "1 UndefinedArgInFrom: FROM argument 'VARIANT' is not declared",
        ),
        (
            "ARG TAGS=x\nFROM busybox${TAG}",
            "2 UndefinedArgInFrom: FROM argument 'TAG' is not declared (did you mean TAGS?)",
        ),
        (
            "FROM --platform=$TARGETPLATFORM busybox",
            (
                "1 RedundantTargetPlatform: Setting platform to predefined $TARGETPLATFORM in FROM is redundant as "
                "this is the default behavior"
            ),
        ),
        (
            "FROM --platform=linux/amd64 busybox",
            '1 FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant value "linux/amd64"',
        ),
        (
            "FROM busybox\nCMD a",
            (
                "2 JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior "
                "related to OS signals"
            ),
        ),
        (
            "FROM busybox\nWORKDIR app/\nWORKDIR b",
            '2 WorkdirRelativePath: Relative workdir "app/" can have unexpected results if the base image changes',
        ),
        (
            "FROM busybox\nENV NAME=1\nUSER $NAMES",
            "3 UndefinedVar: Usage of undefined variable '$NAMES' (did you mean $NAME?)",
        ),
        ("FROM busybox\nENV A=${X:-1}", "2 UndefinedVar: Usage of undefined variable '$X'"),
        ("FROM busybox\nCOPY <<E /x\n$X\nE", "2 UndefinedVar: Usage of undefined variable '$X'"),
        (
            'FROM busybox\nCMD ["a"]\nCMD ["b"]',
            (
                "2 MultipleInstructionsDisallowed: Multiple CMD instructions should not be used in the same stage "
                "because only the last one will be used"
            ),
        ),
        (
            "FROM busybox\nENV A b",
            '2 LegacyKeyValueFormat: "ENV key=value" should be used instead of legacy "ENV key value" format',
        ),
        (
            "FROM busybox\nARG My_Token=1",
            '2 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG "My_Token")',
        ),
        (
            "FROM busybox\nEXPOSE 80/TcP",
            "2 ExposeProtoCasing: Defined protocol '80/TcP' in EXPOSE instruction should be lowercase",
        ),
        (
            "FROM busybox\nEXPOSE 5000:5000",
            (
                "2 ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, "
                "found '5000:5000'"
            ),
        ),
    ],
)
def test_each_rule_finds_what_it_is_about(text: str, expected: str) -> None:
    assert lines(text) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "From busybox as a",
        "arg X\nFROM busybox\nRUN x",
        "FROM --platform=linux/amd64 busybox AS build-amd64",
        "FROM --platform=$BUILDPLATFORM busybox",
        "ARG X\nFROM busybox$X",
        'FROM busybox\nSHELL ["sh"]\nCMD a',
        "FROM busybox\nWORKDIR /a\nWORKDIR b",
        "FROM busybox AS a\nWORKDIR /a\nFROM a\nWORKDIR b",
        "FROM busybox\nARG X\nENV A=$X",
        "FROM busybox\nEXPOSE $X",
        "FROM busybox\nRUN $X",
        'FROM busybox AS a\nCMD ["a"]\nFROM a\nCMD ["b"]',
        "FROM busybox\nENV PUBLIC_KEY=1 KEYS=2 TOKEN_FILE=3",
        "FROM busybox AS unused\nENV A b\nFROM busybox",
    ],
)
def test_what_a_rule_is_not_about_is_left_alone(text: str) -> None:
    rule = lines(text)
    assert [each for each in rule if "ConsistentInstructionCasing" not in each] == []


def test_a_default_that_makes_no_image_name_is_found_even_if_the_build_has_a_value() -> None:
    text = "ARG V\nFROM busybox:$V"
    (line,) = lines(text, World("busybox:1"), build_args={"V": "1"})
    assert line == (
        "2 InvalidDefaultArgInFrom: Default value for ARG busybox:$V results in empty or invalid base image name"
    )


@pytest.mark.parametrize(
    ("exclude", "source", "is_found"),
    [
        (("a",), "a", True),
        (("a",), "/a/b", True),
        (("a",), "b", False),
        (("a", "!a/b"), "a", False),
        (("*",), ".", True),
        (("a",), ".", False),
    ],
)
def test_sources_that_the_ignore_file_excludes_are_found(
    exclude: tuple[str, ...], source: str, *, is_found: bool
) -> None:
    found = lines(f"FROM busybox\nADD {source} /x", context_exclude=exclude)
    shown = source.lstrip("/")
    expected = f'2 CopyIgnoredFile: Attempting to Add file "{shown}" that is excluded by .dockerignore'
    assert found == ([expected] if is_found else [])


def test_stages_are_not_filtered_by_the_ignore_file() -> None:
    assert lines("FROM busybox AS a\nFROM busybox\nCOPY --from=a /x /x", context_exclude=("x",)) == []


def test_a_base_image_of_another_platform_is_found() -> None:
    class Foreign(World):
        def image(self, reference: str, platform: Platform, **where: object) -> ResolvedImage:  # type: ignore[override]
            return super().image(reference, ARM64, **where)  # type: ignore[arg-type]

    (warning,) = found("FROM busybox", Foreign())
    assert warning.message == (
        'Base image busybox was pulled with platform "linux/arm64", expected "linux/amd64" for current build'
    )
    assert warning.url == ""


def test_a_description_is_checked_only_when_asked_for() -> None:
    body = "# about nothing\nARG A\nFROM busybox\n# b is it\nARG b c\n# x\nARG d e"
    assert lines("# syntax=docker/dockerfile:1\n" + body) == []
    assert lines("# check=experimental=all\n" + body) == [
        "3 InvalidDefinitionDescription: Comment for ARG should follow the format: `# A <description>`",
        "8 InvalidDefinitionDescription: Comment for ARG should follow the format: `# <arg_key> <description>`",
    ]


@pytest.mark.parametrize(
    ("top", "count"),
    [
        ("", 2),
        ("# check=skip=StageNameCasing\n", 1),
        ("# check=skip=StageNameCasing,LegacyKeyValueFormat;error=true\n", 0),
        ("# check=skip=all\n", 0),
        ("# check=skip=stagenamecasing,Unknown\n", 2),
        ("# check=error=false\n", 2),
    ],
)
def test_a_directive_says_which_rules_are_skipped(top: str, count: int) -> None:
    assert len(lines(f"{top}FROM busybox AS A\nENV A b")) == count


def test_the_build_argument_takes_the_place_of_the_directive() -> None:
    text = "# check=skip=all\nFROM busybox AS A"
    assert len(lines(text, build_args={"BUILDKIT_DOCKERFILE_CHECK": "error=false"})) == 1


def test_a_comment_skips_a_rule_for_one_instruction() -> None:
    text = (
        "FROM busybox\n# check=skip=LegacyKeyValueFormat // for a reason\nENV A b\nENV C d\n"
        "# check=skip=LegacyKeyValueFormat;zz\nENV E f"
    )
    assert [line.split()[0] for line in lines(text)] == ["4", "6"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("zz", 'invalid check option "zz"'),
        ("zz=1", 'invalid check option "zz"'),
        (
            "error=maybe",
            'failed to parse check option "error=maybe": strconv.ParseBool: parsing "maybe": invalid syntax',
        ),
    ],
)
def test_settings_that_cannot_be_read_are_errors(value: str, reason: str) -> None:
    assert message(f"# check={value}\nFROM busybox") == f"failed to parse check options: {reason}"
    given = {"BUILDKIT_DOCKERFILE_CHECK": value}
    prefix = "failed to parse build-arg:BUILDKIT_DOCKERFILE_CHECK"
    assert message("FROM busybox", build_args=given) == f"{prefix}: {reason}"


def test_findings_are_errors_where_the_file_says_so_and_still_reported() -> None:
    warnings: list[CheckWarning] = []
    text = b"# check=error=true\nFROM busybox AS A\nENV A b\nENV C d"
    with pytest.raises(DockerfileError) as caught:
        convert(text, Options(build_platform=AMD64), World(), on_warning=warnings.append)
    assert caught.value.message == ("lint violation found for rules: StageNameCasing, LegacyKeyValueFormat")
    assert len(warnings) == 3


def test_what_was_found_before_a_mistake_is_reported() -> None:
    warnings: list[CheckWarning] = []
    with pytest.raises(DockerfileError):
        convert(b"FROM nowhere AS A", Options(build_platform=AMD64), World(), on_warning=warnings.append)
    assert [each.rule for each in warnings] == ["StageNameCasing"]


def test_checks_look_at_the_lines_that_can_be_read() -> None:
    warnings: list[CheckWarning] = []
    with pytest.raises(DockerfileError):
        convert(
            b"FROM busybox AS A\nRUUN x", Options(build_platform=AMD64), World(), on_warning=warnings.append
        )
    assert [each.rule for each in warnings] == ["StageNameCasing"]


def test_several_platforms_are_warned_about_once() -> None:
    assert len(lines("FROM busybox AS A", platforms=(AMD64, ARM64))) == 1


def test_a_stage_that_nobody_needs_is_checked_when_all_are_wanted() -> None:
    text = "FROM busybox AS unused\nENV A b\nFROM busybox"
    assert [line.split()[0] for line in lines(text, all_stages=True)] == ["2"]


def test_a_trigger_is_checked_where_it_fires() -> None:
    world = World(base=ContainerConfig(on_build=("ENV A b",)))
    assert [line.split(":")[0] for line in lines("ARG X\nFROM base", world)] == ["2 LegacyKeyValueFormat"]


def test_a_rule_has_the_page_that_people_know() -> None:
    assert rules.JSON_ARGS_RECOMMENDED.url == (
        "https://docs.docker.com/go/dockerfile/rule/json-args-recommended/"
    )
    assert rules.FROM_PLATFORM_CONST.url.endswith("/from-platform-flag-const-disallowed/")


def test_a_flood_of_findings_ends_somewhere() -> None:
    text = "FROM busybox\n" + "".join(f"ENV A{number} b\n" for number in range(1200))
    assert len(found(text)) == 1000


def test_a_clean_build_may_want_findings_to_be_errors() -> None:
    assert len(read("# check=error=true\nFROM busybox").targets) == 1


def test_names_too_long_for_a_slip_cost_nothing_to_compare() -> None:
    name = "x" * 30_000
    (line,) = lines(f"FROM busybox\nENV {name}a=1\nUSER ${name}b")
    assert "did you mean" not in line
