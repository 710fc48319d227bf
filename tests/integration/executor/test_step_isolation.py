"""What the program of a step sees and may do."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builder.executor import ExecutorError

if TYPE_CHECKING:
    from laboratory import Laboratory

pytestmark = pytest.mark.root


def test_the_exit_code_is_the_programs(lab: Laboratory) -> None:
    assert lab.run(lab.step("sh", "-c", "exit 42")) == 42


def test_a_program_that_a_signal_ended_has_the_shells_exit_code(lab: Laboratory) -> None:
    assert lab.run(lab.step("sh", "-c", "sh -c 'kill -9 $$'; exit $?")) == 137


def test_output_and_errors_come_apart(lab: Laboratory) -> None:
    lab.sh("echo out; echo err >&2")
    assert lab.output == {1: b"out\n", 2: b"err\n"}


def test_much_output_arrives_whole(lab: Laboratory) -> None:
    lab.sh("head -c 3000000 /dev/zero")
    assert len(lab.output[1]) == 3_000_000


def test_input_is_at_its_end_at_once(lab: Laboratory) -> None:
    lab.sh("cat; echo done")
    assert lab.text == "done\n"


@pytest.mark.parametrize(("program", "code"), [("nosuch", 127), ("/bin/nosuch", 127), ("/etc", 126)])
def test_a_program_that_cannot_be_run_is_the_steps_failure(lab: Laboratory, program: str, code: int) -> None:
    assert lab.run(lab.step(program)) == code
    assert lab.output[2]


def test_capabilities_are_exactly_dockers(lab: Laboratory) -> None:
    lab.sh("grep ^Cap /proc/self/status")
    assert lab.text.split() == [
        *("CapInh:", "0000000000000000", "CapPrm:", "00000000a80425fb", "CapEff:", "00000000a80425fb"),
        *("CapBnd:", "00000000a80425fb", "CapAmb:", "0000000000000000"),
    ]


def test_a_user_of_the_image_has_no_capability(lab: Laboratory) -> None:
    lab.sh("grep ^CapEff /proc/self/status", user="www-data")
    assert lab.text.split()[1] == "0000000000000000"


def test_dangerous_system_calls_are_filtered(lab: Laboratory) -> None:
    lab.sh("grep ^Seccomp: /proc/self/status")
    assert lab.text.split() == ["Seccomp:", "2"]
    assert lab.run(lab.step("unshare", "-U", "true")) != 0


def test_kernel_settings_cannot_be_changed(lab: Laboratory) -> None:
    for path in ("/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/sys/kernel/profiling"):
        assert lab.run(lab.step("sh", "-c", f"echo x > {path}")) != 0


def test_a_step_is_alone_among_processes(lab: Laboratory) -> None:
    lab.sh("echo $$; ls -d /proc/[0-9]* | wc -l")
    assert lab.text.split()[0] == "1" and int(lab.text.split()[1]) <= 3


def test_no_descriptor_leaks_into_a_step(lab: Laboratory) -> None:
    lab.sh("ls /proc/self/fd")
    # The last one is the directory that ls reads.
    assert lab.text.split() == ["0", "1", "2", "3"]


@pytest.mark.parametrize("number", [3, 5, 7, 8, 12])
def test_a_working_directory_among_descriptors_shows_nothing_of_the_host(
    lab: Laboratory, number: int
) -> None:
    marker = lab.folder / "marker"
    marker.write_text("host")
    step = lab.step("cat", f"../../../../../../..{marker}", cwd=f"/proc/self/fd/{number}")
    try:
        assert lab.run(step) != 0
    except ExecutorError:
        return
    assert b"host" not in lab.output[1]


def test_signals_and_umask_are_those_of_a_fresh_program(lab: Laboratory) -> None:
    lab.sh("grep -E '^Sig(Ign|Blk)' /proc/self/status; umask")
    _, blocked, _, ignored, umask = lab.text.split()
    # Signals 32 and 33 are the C library's own: `make` leaves them ignored, and no program can change that.
    assert (int(blocked, 16), int(ignored, 16) & ~0x180000000, umask) == (0, 0, "0022")


def test_no_way_of_making_a_device_node_opens_a_device(lab: Laboratory) -> None:
    script = "mknod /n c 1 3; mknod /dev/n c 1 3; mknod /dev/shm/n c 1 3; mknod /tmp/n c 1 3; "
    lab.sh(script + "for n in /n /dev/n /dev/shm/n /tmp/n; do ! cat $n; done")
    assert lab.text.count("Permission denied") == 4


def test_a_device_node_of_the_image_cannot_be_opened(lab: Laboratory) -> None:
    name, tree = lab.tree("devices")
    os.mknod(tree / "disk", stat.S_IFBLK | 0o666, os.stat("/").st_dev)
    assert lab.run(lab.step("head", "-c", "1", "/disk", lower=(name, "amd64"))) != 0
    assert "Permission denied" in lab.text


def test_the_usual_devices_work(lab: Laboratory) -> None:
    lab.sh(
        "echo x > /dev/null; head -c 3 /dev/urandom | wc -c; head -c 2 /dev/zero | wc -c; ls /dev/pts /dev/fd/0"
    )
    assert lab.text.split()[:2] == ["3", "2"]


def test_a_user_may_write_to_the_streams_by_name(lab: Laboratory) -> None:
    lab.sh("echo out > /dev/stdout; echo err > /dev/stderr", user="www-data")
    assert lab.output == {1: b"out\n", 2: b"err\n"}


def test_the_devices_of_the_host_keep_their_owner_and_mode(lab: Laboratory) -> None:
    def state() -> list[tuple[int, int]]:
        found = [Path(f"/dev/{name}").stat() for name in ("null", "zero", "urandom", "tty")]
        return [(status.st_uid, status.st_mode) for status in found]

    before = state()
    lab.sh("true", user="www-data")
    lab.sh(
        "chown 33 /dev/null /dev/zero /dev/urandom /dev/tty; chmod 600 /dev/null; chown 33 /proc/keys || true"
    )
    assert state() == before


@pytest.mark.parametrize(
    ("user", "said"), [("", "0 0"), ("www-data", "33 33"), ("1234", "1234 0"), ("1234:55", "1234 55")]
)
def test_a_step_runs_as_the_user_that_was_asked_for(lab: Laboratory, user: str, said: str) -> None:
    lab.sh("echo $(id -u) $(id -g)", user=user)
    assert lab.text == f"{said}\n"


def test_groups_of_a_named_user_come_from_the_image(lab: Laboratory) -> None:
    name, tree = lab.tree("groups")
    (tree / "etc").mkdir()
    (tree / "etc/passwd").write_text("me:x:50:51::/home/me:/bin/sh\n")
    (tree / "etc/group").write_text("a:x:60:me\nb:x:61:you\nc:x:62:you,me\n")
    lab.sh("id -G; echo $HOME", user="me", lower=(name, "amd64"))
    assert lab.text == "51 60 62\n/home/me\n"
    lab.sh("id -G", user="me:b", lower=(name, "amd64"))
    assert lab.text == "61\n"


def test_an_unknown_user_is_an_error_that_names_it(lab: Laboratory) -> None:
    with pytest.raises(ExecutorError, match="unable to find user ghost"):
        lab.run(lab.step("true", user="ghost"))


def test_the_home_directory_of_the_step_wins_over_the_images(lab: Laboratory) -> None:
    lab.sh("echo $HOME", env=(("HOME", "/mine"),))
    assert lab.text == "/mine\n"


@pytest.mark.parametrize("target", ["/etc", "etc"])
def test_an_image_whose_device_directory_is_a_link_is_refused(lab: Laboratory, target: str) -> None:
    name, tree = lab.tree("link")
    (tree / "dev").symlink_to(target)
    with pytest.raises(ExecutorError, match="the image's /dev is not a directory"):
        lab.run(lab.step("true", lower=(name, "amd64")))


def test_a_device_node_among_the_images_own_devices_is_covered(lab: Laboratory) -> None:
    name, tree = lab.tree("null")
    (tree / "dev").mkdir()
    (tree / "dev/null").symlink_to("/etc/passwd")
    lab.sh("echo overwritten > /dev/null; grep -c overwritten /etc/passwd || true", lower=(name, "amd64"))
    assert lab.text == "0\n"


def test_limits_shared_memory_hosts_and_hostname_are_as_asked_for(lab: Laboratory) -> None:
    lab.sh(
        "ulimit -n; df -k /dev/shm | tail -1 | awk '{print $2}'; grep -c 192.0.2.9 /etc/hosts; hostname",
        ulimits=(("nofile", 321, 4321),),
        shm_size=1 << 20,
        extra_hosts=(("db", "192.0.2.9"),),
        hostname="forge",
    )
    assert lab.text.split() == ["321", "1024", "1", "forge"]


def test_no_control_group_of_the_host_can_be_reached(lab: Laboratory) -> None:
    lab.sh("ls -A /sys/fs/cgroup | wc -l; cut -d: -f3 /proc/self/cgroup | sort -u")
    assert lab.text.split() == ["0", "/"]
