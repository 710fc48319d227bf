"""Image configs, names and the store that holds them."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from building import Project

pytestmark = pytest.mark.root
TEXT = """\
FROM busybox
ARG A=1
ENV PATH=/x:$PATH
LABEL a=b
WORKDIR /w
RUN echo hi
EXPOSE 80 53/udp
VOLUME /data
USER 1000
STOPSIGNAL SIGINT
ENTRYPOINT ["/bin/sh"]
CMD ["-c", "echo $PWD"]
"""


def test_the_config_holds_what_the_instructions_say(project: Project) -> None:
    config = project.image(TEXT).config["config"]
    assert config["ExposedPorts"] == {"53/udp": {}, "80/tcp": {}} and config["Volumes"] == {"/data": {}}
    assert (config["User"], config["WorkingDir"], config["StopSignal"]) == ("1000", "/w", "SIGINT")
    assert (config["Entrypoint"], config["Cmd"]) == (["/bin/sh"], ["-c", "echo $PWD"])
    assert config["Labels"] == {"a": "b"} and config["ArgsEscaped"] is True


def test_history_has_one_entry_for_each_instruction_in_the_words_of_buildkit(project: Project) -> None:
    history = [
        each
        for each in project.image(TEXT).config["history"]
        if each.get("comment") == "buildkit.dockerfile.v0"
    ]
    assert [each["created_by"] for each in history] == [
        "ARG A=1",
        "ENV PATH=/x:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LABEL a=b",
        "WORKDIR /w",
        "RUN |1 A=1 /bin/sh -c echo hi # buildkit",
        "EXPOSE [53/udp 80/tcp]",
        "VOLUME [/data]",
        "USER 1000",
        "STOPSIGNAL SIGINT",
        'ENTRYPOINT ["/bin/sh"]',
        'CMD ["-c" "echo $PWD"]',
    ]


def test_layers_and_history_without_empty_entries_are_equal_in_number(project: Project) -> None:
    config = project.image(TEXT).config
    filled = [each for each in config["history"] if not each.get("empty_layer")]
    assert len(filled) == len(config["rootfs"]["diff_ids"])


def test_the_same_inputs_and_epoch_make_the_same_bytes_on_two_roots(project: Project, tmp_path: Path) -> None:
    project.write("d/f", "x")
    text = "FROM busybox\nCOPY d /d\nWORKDIR /w\n"
    digests = []
    for name in ("one", "two"):
        project.root = tmp_path / name
        project.built(
            text, "--build-arg", "SOURCE_DATE_EPOCH=1", "-t", "x", "--platform", "linux/amd64,linux/arm64"
        )
        digests.append(
            json.loads(project.dockyard("inspect", "--format", "json", "x").out)["descriptor"]["digest"]
        )
    assert digests[0] == digests[1]


def test_tags_are_normalised_as_docker_does(project: Project) -> None:
    project.built("FROM busybox\n", "-t", "app", "-t", "example.org/app:2")
    listed = [json.loads(line) for line in project.dockyard("images", "--format", "json").out.splitlines()]
    assert [(each["name"], each["tag"]) for each in listed] == [("app", "latest"), ("example.org/app", "2")]


def test_save_and_load_carry_an_image_to_another_root(project: Project, tmp_path: Path) -> None:
    project.built("FROM busybox\nRUN echo hi > /hi\nCMD cat /hi\n", "-t", "app:1")
    assert project.dockyard("save", "-o", str(tmp_path / "app.tar"), "app:1").code == 0
    project.root = tmp_path / "other"
    assert project.dockyard("load", "-i", str(tmp_path / "app.tar")).code == 0
    assert project.dockyard("run", "app:1").out == "hi\n"


def test_a_loaded_image_is_a_base_without_a_build_context(project: Project) -> None:
    loaded = project.dockyard("load", "-i", str(project.busybox))
    assert loaded.code == 0, loaded.err
    project.write("Dockerfile", "FROM busybox\nRUN true\n")
    built = project.dockyard("build", "-t", "x", str(project.context))
    assert built.code == 0, built.err


def test_a_removed_image_is_collected_and_the_store_stays_sound(project: Project) -> None:
    project.built("FROM busybox\nRUN true\n", "-t", "app:1")
    assert project.dockyard("rmi", "app:1").code == 0
    assert project.dockyard("store", "gc").code == 0
    checked = project.dockyard("store", "gc", "--check")
    assert checked.code == 0 and project.dockyard("images", "-q").out == ""


def test_what_is_written_is_accepted_by_umoci(project: Project, tmp_path: Path) -> None:
    text = "FROM busybox\nRUN rm /etc/group && echo new > /etc/motd\n"
    outcome = project.build(text, "-o", f"type=oci,dest={tmp_path / 'layout'},tar=false", "-t", "app:1")
    assert outcome.code == 0, outcome.err
    subprocess.run(
        ["umoci", "unpack", "--image", f"{tmp_path / 'layout'}:1", tmp_path / "bundle"], check=True
    )
    assert (tmp_path / "bundle/rootfs/etc/motd").read_text() == "new\n"
    assert not (tmp_path / "bundle/rootfs/etc/group").exists()


REFUSED = """\
[+] Building 0.0s (0/0)
ERROR: Multi-platform build is not supported for the docker driver.
Switch to a different driver, or turn on the containerd image store, and try again.
Learn more at https://docs.docker.com/go/build-multi-platform/
"""


def test_several_platforms_are_refused_by_the_classic_store_before_any_work(project: Project) -> None:
    outcome = project.build(
        "FROM nothing\n", "--driver", "docker", "--platform", "linux/amd64,linux/arm64", "-t", "x"
    )
    assert (outcome.code, outcome.err, outcome.out) == (1, REFUSED, "")


def test_images_of_the_inactive_store_are_hidden_and_come_back(project: Project) -> None:
    project.built("FROM busybox\n", "-t", "app:1")
    project.dockyard("store", "use", "docker")
    hidden = project.dockyard("images", "-q").out
    project.dockyard("store", "use", "containerd")
    assert hidden == "" and project.dockyard("images", "-q").out != ""


def test_the_classic_store_takes_an_image_of_one_platform(project: Project) -> None:
    built = project.build(
        "FROM busybox\nRUN echo hi > /hi\nCMD cat /hi\n", "--driver", "docker", "-t", "app:1"
    )
    assert built.code == 0, built.err
    project.dockyard("store", "use", "docker")
    assert project.dockyard("run", "app:1").out == "hi\n"
