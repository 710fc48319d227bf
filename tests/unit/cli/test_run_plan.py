"""What `dockyard run` starts."""

from __future__ import annotations

import pytest

from builder.api.run_plan import NothingToRun, RunWishes, environment_words, plan_run
from builder.oci.config import ContainerConfig, ImageConfig


def image(**defaults: object) -> ImageConfig:
    return ImageConfig(architecture="arm64", os="linux", config=ContainerConfig(**defaults))  # type: ignore[arg-type]


BOTH = image(entrypoint=("/entry", "-x"), cmd=("default",))


@pytest.mark.parametrize(
    ("wishes", "args"),
    [
        (RunWishes(), ("/entry", "-x", "default")),
        (RunWishes(args=("other", "-v")), ("/entry", "-x", "other", "-v")),
        (RunWishes(entrypoint="/bin/sh"), ("/bin/sh",)),
        (RunWishes(entrypoint="/bin/sh", args=("-c", "id")), ("/bin/sh", "-c", "id")),
        (RunWishes(entrypoint="", args=("id",)), ("id",)),
    ],
)
def test_arguments_replace_cmd_and_an_entrypoint_replaces_both(
    wishes: RunWishes, args: tuple[str, ...]
) -> None:
    assert plan_run(BOTH, wishes).args == args


def test_an_image_without_a_program_is_refused_with_what_to_do() -> None:
    with pytest.raises(NothingToRun, match="no command specified"):
        plan_run(image(), RunWishes())


def test_variables_of_the_command_line_win_over_those_of_the_image() -> None:
    planned = plan_run(image(cmd=("env",), env=("A=1", "B=x=y")), RunWishes(env=(("A", "2"),)))

    assert dict(planned.env) == {"PATH": dict(planned.env)["PATH"], "A": "2", "B": "x=y"}


def test_the_image_names_user_directory_and_platform() -> None:
    planned = plan_run(image(cmd=("id",), user="app", working_dir="/srv"), RunWishes())

    assert (planned.user, planned.cwd, str(planned.platform)) == ("app", "/srv", "linux/arm64")


def test_user_and_directory_of_the_command_line_win() -> None:
    planned = plan_run(image(cmd=("id",), user="app", working_dir="/srv"), RunWishes(user="0", cwd="/tmp"))

    assert (planned.user, planned.cwd) == ("0", "/tmp")


def test_a_variable_without_value_is_taken_from_outside_or_left_out() -> None:
    assert environment_words(["A=1", "B", "C"], {"B": "b"}) == (("A", "1"), ("B", "b"))
