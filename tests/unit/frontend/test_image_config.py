"""Image config and history: what an image says of itself."""

from __future__ import annotations

import pytest
from dockerfiles import AMD64, ARMV7, World, failure, history, image, message, target

from builder.oci.config import DEFAULT_PATH, ContainerConfig
from builder.platforms import Platform


@pytest.mark.parametrize(
    ("text", "created_by", "is_empty"),
    [
        ("RUN echo hi", "RUN /bin/sh -c echo hi # buildkit", False),
        ("ARG A=1\nARG B\nRUN echo hi", "RUN |2 A=1 B= /bin/sh -c echo hi # buildkit", False),
        ("ARG A=1 B=2\nENV A=e\nARG A\nRUN x", "RUN |2 A=e B=2 /bin/sh -c x # buildkit", False),
        ('RUN ["a","b c"]', "RUN a b c # buildkit", False),
        ("RUN", "RUN /bin/sh -c  # buildkit", False),
        ("RUN a \\\n # c\n b", "RUN /bin/sh -c a  b # buildkit", False),
        (
            "COPY --from=busybox --link --chown=1:2 --chmod=644 a b /x/",
            "COPY --chown=1:2 --chmod=644 a b /x/ # buildkit",
            False,
        ),
        ("ARG D=d\nADD ${D}1 '$D' x", "ADD d1 $D x # buildkit", False),
        ("WORKDIR /w\nWORKDIR v", "WORKDIR /w/v", False),
        ("WORKDIR /a/../b//c/", "WORKDIR /a/../b//c/", False),
        ("WORKDIR /", "WORKDIR /", True),
        ('ENV x=1 y="a b"', "ENV x=1 y=a b", True),
        ("ENV x 1 2", "ENV x=1 2", True),
        ('LABEL a=b c="d e"', "LABEL a=b c=d e", True),
        ("ARG a=1 b", "ARG a=1 b", True),
        ("CMD echo hi", 'CMD ["/bin/sh" "-c" "echo hi"]', True),
        ("CMD", 'CMD ["/bin/sh" "-c" ""]', True),
        ("CMD []", "CMD []", True),
        ('ENTRYPOINT ["a","b \\"c\\" \\u0001é"]', 'ENTRYPOINT ["a" "b \\"c\\" \\x01é"]', True),
        ("EXPOSE 80 53/udp", "EXPOSE [53/udp 80/tcp]", True),
        ("EXPOSE 80/tcp 80", "EXPOSE [80/tcp 80/tcp]", True),
        ("VOLUME /a /b", "VOLUME [/a /b]", True),
        ('SHELL ["/bin/bash","-c"]', "SHELL [/bin/bash -c]", True),
        ("STOPSIGNAL SIGKILL", "STOPSIGNAL SIGKILL", True),
        ("ENV U=me\nUSER $U", "USER me", True),
        ("MAINTAINER $me  too", "MAINTAINER $me  too", True),
    ],
)
def test_each_instruction_leaves_its_entry_in_the_history(text: str, created_by: str, is_empty: bool) -> None:
    entry = target(f"FROM busybox\n{text}").config.history[-1]
    assert (entry.created_by, entry.empty_layer) == (created_by, is_empty)
    assert (entry.comment, entry.created) == ("buildkit.dockerfile.v0", None)


def test_the_arguments_shown_are_those_of_parent_stages_too() -> None:
    text = "FROM busybox AS a\nARG A=1\nFROM a\nARG B=2\nRUN x"
    assert history(target(text))[-1] == "RUN |2 A=1 B=2 /bin/sh -c x # buildkit"


def test_the_history_of_the_base_stays_in_front() -> None:
    text = "FROM busybox AS a\nENV A=1\nFROM a AS b\nENV B=1\nFROM b\nENV C=1"
    assert history(target(text)) == ["ENV A=1", "ENV B=1", "ENV C=1"]


def test_a_history_that_no_reader_would_take_is_refused() -> None:
    text = "FROM scratch\n" + "EXPOSE 0-65535\n" * 20
    error = failure(text)
    assert "the history of the image is larger than the limit" in error.message
    assert error.location is not None


def test_an_instruction_that_names_more_ports_than_there_are_is_refused() -> None:
    error = failure("FROM scratch\nEXPOSE" + " 0-65535" * 7)
    assert "more than 393216 ports" in error.message


def test_the_config_of_the_base_image_is_the_starting_point() -> None:
    base = ContainerConfig(user="u", labels={"z": "1"}, working_dir="/w", stop_signal="9", cmd=("a",))
    config = target("FROM base\nLABEL a=2", World(base=base)).config
    assert (config.config.user, config.config.working_dir, config.config.cmd) == ("u", "/w", ("a",))
    assert config.config.labels is not None
    assert list(config.config.labels.items()) == [("a", "2"), ("z", "1")]


def test_platform_and_layers_are_the_targets_and_the_time_is_left_out() -> None:
    config = target("FROM --platform=linux/amd64 busybox", platforms=(ARMV7,)).config
    assert (config.os, config.architecture, config.variant) == ("linux", "arm", "v7")
    assert config.rootfs.diff_ids == image("busybox", AMD64).config.diff_ids
    assert config.created is None


def test_scratch_starts_with_a_path_and_the_root_directory() -> None:
    config = target("FROM scratch").config.config
    assert (config.env, config.working_dir) == ((f"PATH={DEFAULT_PATH}",), "/")


def test_windows_gets_no_path_and_its_own_shell() -> None:
    built = target("FROM scratch\nCMD x", platforms=(Platform("windows", "amd64"),))
    assert (built.config.config.env, built.config.config.cmd) == (None, ("cmd", "/S", "/C", "x"))


@pytest.mark.parametrize(
    ("text", "entrypoint", "cmd"),
    [
        ('CMD ["c"]\nENTRYPOINT ["e"]', ("e",), ("c",)),
        ('ENTRYPOINT ["e"]\nCMD ["c"]', ("e",), ("c",)),
        ('ENTRYPOINT ["e"]', ("e",), None),
        ("CMD x", None, ("/bin/sh", "-c", "x")),
        ("CMD []", None, None),
        ("CMD ['x']", None, ("/bin/sh", "-c", "['x']")),
        ('SHELL ["s"]\nENTRYPOINT x', ("s", "x"), None),
    ],
)
def test_entrypoint_drops_a_command_that_is_not_of_its_stage(
    text: str, entrypoint: tuple[str, ...] | None, cmd: tuple[str, ...] | None
) -> None:
    # The command of the base is replaced, or dropped by an ENTRYPOINT.
    config = target(f"FROM base\n{text}", World(base=ContainerConfig())).config.config
    assert (config.entrypoint, config.cmd) == (entrypoint, cmd)


def test_a_command_of_the_base_or_a_parent_stage_is_dropped() -> None:
    world = World(base=ContainerConfig(cmd=("c",)))
    assert target('FROM base\nENTRYPOINT ["e"]', world).config.config.cmd is None
    assert target('FROM busybox AS a\nCMD ["c"]\nFROM a\nENTRYPOINT ["e"]').config.config.cmd is None


def test_every_command_marks_its_arguments_as_escaped() -> None:
    assert target("FROM busybox\nCMD x").config.config.args_escaped
    assert not target("FROM busybox\nENTRYPOINT x").config.config.args_escaped


def test_the_shell_is_inherited_and_used_by_run() -> None:
    text = 'FROM busybox AS a\nSHELL ["/s", "-x"]\nFROM a\nRUN y'
    assert history(target(text))[-1] == "RUN /s -x y # buildkit"


def test_labels_of_the_caller_come_last_and_sorted() -> None:
    config = target("FROM busybox\nLABEL b=1 c=1", labels={"a": "2", "b": "2"}).config.config
    assert config.labels is not None
    assert list(config.labels.items()) == [("a", "2"), ("b", "2"), ("c", "1")]


def test_labels_expand_in_name_and_value() -> None:
    assert target("FROM busybox\nENV A=x\nLABEL l.$A='$A' m=\"$A\"").config.config.labels == {
        "l.x": "$A",
        "m": "x",
    }


@pytest.mark.parametrize(
    ("word", "ports"),
    [
        ("80", ["80/tcp"]),
        ("80/UDP", ["80/udp"]),
        ("9-11/sctp", ["10/sctp", "11/sctp", "9/sctp"]),
        ("127.0.0.1:90:80", ["80/tcp"]),
        ("[::1]:90:80", ["80/tcp"]),
        ("90-91:80-81", ["80/tcp", "81/tcp"]),
        ("90-91:80", ["80/tcp"]),
        ("$P", ["1/tcp", "2/udp"]),
        ("$U", []),
    ],
)
def test_a_port_is_exposed_with_its_protocol(word: str, ports: list[str]) -> None:
    config = target(f'FROM busybox\nENV P="1 2/udp"\nEXPOSE {word}').config.config
    assert list(config.exposed_ports or {}) == ports


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("80/foo", 'invalid port: "80/foo": invalid proto: foo'),
        ("/tcp", 'invalid port: "/tcp": no port specified'),
        ("65536", "invalid containerPort: 65536"),
        ("9-8", "invalid containerPort: 9-8"),
        ("٣", "invalid containerPort: ٣"),
        ("x:80", "invalid hostPort: x"),
        ("x:1:80", "invalid IP address: x"),
        ("80:90-91", "invalid ranges specified for container and host Ports: 90-91 and 80"),
    ],
)
def test_a_word_that_names_no_port_is_refused(word: str, reason: str) -> None:
    assert message(f"FROM busybox\nEXPOSE {word}") == reason


@pytest.mark.parametrize("signal", ["9", "99", "-3", "KILL", "sigterm", "RTMIN+15", "SIGRTMAX-14", "RTMAX"])
def test_a_signal_is_stored_as_typed(signal: str) -> None:
    assert target(f"FROM busybox\nSTOPSIGNAL {signal}").config.config.stop_signal == signal


@pytest.mark.parametrize("signal", ["0", "FOO", "RTMIN+16", "RTMAX-15", "SIGSIGKILL", "9 9", "$U"])
def test_a_word_that_names_no_signal_is_refused(signal: str) -> None:
    shown = "" if signal == "$U" else signal
    assert message(f"FROM busybox\nSTOPSIGNAL {signal}") == f"invalid signal: {shown}"


def test_volumes_and_author_are_in_the_config() -> None:
    config = target('FROM busybox\nVOLUME ["/b c", "$A"] \nMAINTAINER me'.replace("$A", "/a")).config
    assert list(config.config.volumes or {}) == ["/a", "/b c"]
    assert config.author == "me"


def test_a_volume_that_expands_to_nothing_is_refused() -> None:
    assert message("FROM busybox\nVOLUME $U") == "VOLUME specified can not be an empty string"


@pytest.mark.parametrize(
    ("text", "directory"),
    [
        ("WORKDIR a\nWORKDIR b/../c", "/a/c"),
        ("WORKDIR /a/../b/", "/a/../b/"),
        ("WORKDIR /a\nWORKDIR $U", "/a"),
        ('WORKDIR "/a b"', "/a b"),
        ("WORKDIR /path/$U", "/path/"),
    ],
)
def test_the_working_directory_is_kept_as_typed_when_absolute(text: str, directory: str) -> None:
    assert target(f"FROM busybox\n{text}").config.config.working_dir == directory


def test_an_error_in_a_stage_has_the_lines_of_its_instruction() -> None:
    error = failure("FROM busybox\n\nENV A=1 \\\n B=${A^}\n")
    assert error.message == 'failed to process "${A^}": unsupported modifier (^) in substitution'
    assert error.location is not None
    assert (error.location.first, error.location.last) == (3, 4)
