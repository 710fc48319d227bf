"""What an SBOM covers besides the image."""

from __future__ import annotations

import pytest
from dockerfiles import World, read, target

from builder.graph import File, Local
from frontend import LocalContext

STAGES = """FROM busybox AS base
{base}
RUN x
FROM busybox AS other
{other}
FROM scratch
{last}
COPY --from=base /a /
"""


def extras(text: str, world: World | None = None, **options: object) -> list[str]:
    return [extra.name for extra in target(text, world, **options).extras]


def in_stages(head: str = "", *, base: str = "", other: str = "", last: str = "") -> str:
    return head + STAGES.format(base=base, other=other, last=last)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(in_stages(), [], id="nothing unless asked"),
        pytest.param(in_stages("ARG BUILDKIT_SBOM_SCAN_STAGE=true\n"), ["base"], id="only what is reachable"),
        pytest.param(in_stages("ARG BUILDKIT_SBOM_SCAN_STAGE=x,base\n"), ["base"], id="stages by name"),
        pytest.param(
            in_stages("ARG BUILDKIT_SBOM_SCAN_STAGE=other\n"), [], id="a stage that is not reachable"
        ),
        pytest.param(in_stages(base="ARG BUILDKIT_SBOM_SCAN_STAGE=1"), ["base"], id="in the stage"),
        pytest.param(
            in_stages("ARG BUILDKIT_SBOM_SCAN_STAGE=true\n", base="ARG BUILDKIT_SBOM_SCAN_STAGE=false"),
            [],
            id="the stage wins over the file",
        ),
        pytest.param(in_stages(last="ARG BUILDKIT_SBOM_SCAN_STAGE=true"), [], id="the target is no extra"),
        pytest.param(in_stages("ARG BUILDKIT_SBOM_SCAN_CONTEXT=true\n"), ["context"], id="the context"),
        pytest.param(in_stages(last="ARG BUILDKIT_SBOM_SCAN_CONTEXT=true"), ["context"], id="by the target"),
        pytest.param(in_stages(base="ARG BUILDKIT_SBOM_SCAN_CONTEXT=true"), [], id="not by other stages"),
        pytest.param(
            "FROM busybox AS a\nARG BUILDKIT_SBOM_SCAN_STAGE=1\nFROM a\nFROM scratch\nCOPY --from=1 / /\n",
            ["a", "stage-1"],
            id="a child stage inherits, and one without a name has its position",
        ),
    ],
)
def test_arguments_say_what_is_scanned(text: str, expected: list[str]) -> None:
    assert extras(text) == expected


def test_the_command_line_speaks_of_declared_arguments_only() -> None:
    arguments = {"BUILDKIT_SBOM_SCAN_STAGE": "true"}
    declared = "ARG BUILDKIT_SBOM_SCAN_STAGE\n"
    assert (extras(in_stages(), build_args=arguments), extras(in_stages(declared), build_args=arguments)) == (
        [],
        ["base"],
    )


def test_the_context_is_scanned_without_what_it_ignores() -> None:
    (extra,) = target(in_stages("ARG BUILDKIT_SBOM_SCAN_CONTEXT=1\n"), context_exclude=("secret",)).extras
    assert extra.vertex is not None and isinstance(extra.vertex.operation, File)
    (context,) = extra.vertex.inputs
    assert context.operation == Local(name="context", exclude=("secret",))


def test_a_stage_that_a_context_replaces_is_not_scanned() -> None:
    world = World()
    world.contexts["base"] = LocalContext("base", ())
    assert extras(in_stages("ARG BUILDKIT_SBOM_SCAN_STAGE=true\n"), world) == []


def test_extras_leave_the_image_as_it_is() -> None:
    text = in_stages("ARG BUILDKIT_SBOM_SCAN_STAGE=true\nARG BUILDKIT_SBOM_SCAN_CONTEXT=true\n")
    (with_extras,) = read(text).targets
    (without,) = read(in_stages()).targets
    assert with_extras.vertex is not None and without.vertex is not None
    assert with_extras.vertex.digest == without.vertex.digest
