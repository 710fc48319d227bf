"""The runtime spec: what a step's container looks like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from builder.executor.errors import ExecutorError
from builder.executor.runtimes import Runtime
from builder.executor.spec import runtime_spec
from builder.graph import Exec
from builder.platforms import host_platform
from builder.system.errors import Unsupported

if TYPE_CHECKING:
    from builder.executor.spec import Mount, Spec

CRUN = Runtime("crun", "/usr/bin/crun", "/usr/bin/mount")
RUNC = Runtime("runc", "/usr/sbin/runc", "/usr/bin/mount")
TRUE = Exec(base=None, args=("true",), platform=host_platform())


def spec(runtime: Runtime = CRUN, **changes: object) -> Spec:
    return runtime_spec(msgspec.structs.replace(TRUE, **changes), run_dir="/run/d", runtime=runtime)


def mounted(where: str, document: Spec) -> Mount:
    (found,) = (each for each in document["mounts"] if each["destination"] == where)
    return found


def test_capabilities_are_dockers_and_neither_inheritable_nor_ambient() -> None:
    capabilities = spec()["process"]["capabilities"]
    assert set(capabilities) == {"bounding", "effective", "permitted"}
    assert len(set(map(tuple, capabilities.values()))) == 1 and len(capabilities["bounding"]) == 14
    assert "CAP_SYS_ADMIN" not in capabilities["bounding"]


def test_an_insecure_step_is_given_all_capabilities_and_sees_everything() -> None:
    document = spec(security="insecure")
    assert "CAP_SYS_ADMIN" in document["process"]["capabilities"]["bounding"]
    assert not {"maskedPaths", "readonlyPaths", "seccomp"} & document["linux"].keys()


def test_every_namespace_but_the_network_is_the_runtimes_to_make() -> None:
    assert spec()["linux"]["namespaces"] == [
        {"type": each} for each in ("cgroup", "ipc", "mount", "pid", "uts")
    ]


def test_kernel_settings_are_read_only_and_memory_is_masked() -> None:
    linux = spec()["linux"]
    assert "/proc/kcore" in linux["maskedPaths"] and "/proc/sys" in linux["readonlyPaths"]  # type: ignore[operator]


def test_the_environment_gets_a_path_and_proxies_only_where_it_lacks_them() -> None:
    process = spec(
        env=(("A", "1"), ("http_proxy", "own")), proxy_env=(("http_proxy", "x"), ("no_proxy", "y"))
    )["process"]
    assert process["env"] == [
        "A=1",
        "http_proxy=own",
        "no_proxy=y",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ]


def test_the_last_of_two_equal_variables_wins() -> None:
    assert "A=2" in spec(env=(("A", "1"), ("A", "2")))["process"]["env"]


def test_the_hostname_is_buildkits_unless_another_is_asked_for() -> None:
    assert (spec()["hostname"], spec(hostname="forge")["hostname"]) == ("buildkitsandbox", "forge")


def test_shared_memory_has_dockers_size_unless_another_is_asked_for() -> None:
    assert "size=67108864" in mounted("/dev/shm", spec())["options"]
    assert "size=1024" in mounted("/dev/shm", spec(shm_size=1024))["options"]


def test_limits_are_passed_on_with_minus_one_for_unlimited() -> None:
    assert spec(ulimits=(("nofile", 10, 20), ("core", -1, -1)))["process"]["rlimits"] == [
        {"type": "RLIMIT_NOFILE", "soft": 10, "hard": 20},
        {"type": "RLIMIT_CORE", "soft": 2**64 - 1, "hard": 2**64 - 1},
    ]


def test_a_soft_limit_above_the_hard_one_is_refused() -> None:
    with pytest.raises(ExecutorError, match="soft limit must be less than or equal to hard limit: 2 > 1"):
        spec(ulimits=(("nofile", 2, 1),))


def test_an_unknown_limit_is_refused_by_name() -> None:
    with pytest.raises(ExecutorError, match="invalid ulimit type: wishes"):
        spec(ulimits=(("wishes", 1, 1),))


@pytest.mark.parametrize("text", ["a\0b", "\udc80"])
def test_text_that_no_program_can_be_given_is_refused(text: str) -> None:
    for change in ({"args": ("x", text)}, {"env": (("A", text),)}, {"cwd": f"/{text}"}):
        with pytest.raises(ExecutorError):
            spec(**change)


def test_a_step_without_a_program_is_refused() -> None:
    with pytest.raises(ExecutorError, match="needs a program"):
        spec(args=())


def test_a_control_group_is_refused_instead_of_ignored() -> None:
    with pytest.raises(Unsupported, match="--cgroup-parent is not supported"):
        spec(cgroup_parent="/builds")


def test_devices_come_from_a_tree_where_no_other_can_be_opened() -> None:
    assert mounted("/dev", spec()) == {
        "destination": "/dev",
        "type": "bind",
        "source": "/run/d/step/dev",
        "options": ["rbind", "nosuid", "noexec", "nodev"],
    }


def test_crun_is_made_to_keep_device_nodes_of_the_image_closed() -> None:
    hooks: Any = spec(CRUN)["hooks"]
    (hook,) = hooks["createContainer"]
    assert hook["path"] == "/bin/sh" and hook["args"][-2:] == ["/usr/bin/mount", "/run/d/step/rootfs"]
    assert "remount,bind,nodev" in hook["args"][2]
    assert "hooks" not in spec(RUNC)


def test_nothing_that_an_image_says_reaches_the_runtime_as_an_annotation() -> None:
    assert "annotations" not in spec()
