"""How commands run: environment, user, directory, network, isolation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from building import Project

pytestmark = pytest.mark.root


def run(project: Project, command: str, before: str = "", *options: str) -> str:
    image = project.image(f"FROM busybox\n{before}\nRUN {command} > /out 2>&1\n", *options)
    return image.text("out")


def test_arguments_and_environment_reach_the_command(project: Project) -> None:
    assert run(project, "echo $A-$B", "ENV A=1\nARG B=2") == "1-2\n"


def test_the_working_directory_is_made_and_used(project: Project) -> None:
    assert run(project, "pwd", "WORKDIR /a/b\nWORKDIR c") == "/a/b/c\n"


def test_a_user_of_the_image_runs_with_its_groups(project: Project) -> None:
    before = "RUN echo 'extra:x:99:www-data' >> /etc/group && chmod 777 /\nUSER www-data"
    assert run(project, "(id -u; id -G)", before) == "33\n33 99 100\n"


def test_a_user_beyond_the_range_of_ids_is_refused(project: Project) -> None:
    outcome = project.build("FROM busybox\nUSER 4294967296\nRUN id\n", "-t", "x")
    assert outcome.code == 1 and "4294967296" in outcome.err


def test_steps_have_the_capabilities_of_docker_and_no_more(project: Project) -> None:
    text = run(project, "grep Cap /proc/self/status")
    assert {line.split()[1] for line in text.splitlines() if line.startswith(("CapEff", "CapBnd"))} == {
        "00000000a80425fb"
    }
    assert "CapInh:\t0000000000000000" in text and "CapAmb:\t0000000000000000" in text


def test_no_descriptor_of_the_builder_is_open_in_a_step(project: Project) -> None:
    assert run(project, "ls /proc/self/fd | wc -l").strip() in {"3", "4"}


def test_a_step_without_network_has_loopback_only(project: Project) -> None:
    assert run(project, "ip -o link | wc -l", "", "--network", "none").strip() == "1"


def test_the_default_network_is_private_and_has_an_address(project: Project) -> None:
    assert "inet " in run(project, "ip -4 -o addr show scope global")


def test_the_network_of_the_host_must_be_allowed(project: Project) -> None:
    outcome = project.build("FROM busybox\nRUN --network=host true\n", "-t", "x")
    assert outcome.code == 1 and "network.host is not allowed" in outcome.err


def test_the_shell_of_the_dockerfile_runs_the_command(project: Project) -> None:
    assert run(project, "echo $0", 'SHELL ["/bin/busybox", "sh", "-ec"]') != ""


def test_a_build_argument_is_not_in_the_image(project: Project) -> None:
    image = project.image("FROM busybox\nARG S=secret\nRUN true\nENV A=b\n")
    assert [each for each in image.config["config"]["Env"] if each.startswith("S=")] == []


def test_twenty_steps_make_twenty_layers(project: Project) -> None:
    text = "FROM busybox\n" + "".join(f"RUN echo {number} > /f{number}\n" for number in range(20))
    image = project.image(text)
    assert [image.text(f"f{number}").strip() for number in range(20)] == [str(number) for number in range(20)]


def test_a_link_in_place_of_hosts_does_not_lead_to_the_host(project: Project, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("canary")
    before = f"RUN rm -f /etc/hosts && ln -s /proc/1/root{outside} /etc/hosts"
    outcome = project.build(f"FROM busybox\n{before}\nRUN cat /etc/hosts || true\n", "-t", "x")
    assert "canary" not in outcome.err and "internal error" not in outcome.err
    assert outside.read_text() == "canary"


def test_the_primary_group_is_among_the_supplementary_ones(project: Project) -> None:
    before = "RUN chmod 777 /\nUSER www-data"
    assert run(project, "grep ^Groups: /proc/self/status", before).split()[1:] == ["33", "100"]
