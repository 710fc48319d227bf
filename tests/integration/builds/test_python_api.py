"""The Python API: graphs without a Dockerfile, secrets, events, cancelling."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from builder import BuildOptions, build, find_base
from builder.graph import Description, Exec, SecretMount, Target, Vertex, vertex
from builder.oci.config import scratch_config
from builder.oci.digest import Digest
from builder.platforms import host_platform
from builder.progress.events import VertexLog
from builder.store.errors import DriverError
from builder.system.errors import Cancelled, DockyardError

if TYPE_CHECKING:
    from pathlib import Path

    from building import Project

    from builder.api import BuildResult
    from builder.progress.events import Event

pytestmark = pytest.mark.root
CANARY = b"canary-5d1a7c"


def busybox(project: Project) -> Vertex:
    loaded = project.dockyard("load", "-i", str(project.busybox))
    assert loaded.code == 0, loaded.err
    operation = find_base("busybox", root=project.root).operation
    return vertex(operation, description=Description(name="FROM busybox"))


def build_command(
    project: Project,
    command: str,
    *secrets: SecretMount,
    given: dict[str, object] | None = None,
    **more: object,
) -> tuple[BuildResult, bytes]:
    """Builds one command on busybox; gives the result and what the command wrote."""
    operation = Exec(base=0, args=("/bin/sh", "-c", command), platform=host_platform(), secrets=secrets)
    top = vertex(operation, busybox(project), description=Description(name="RUN"))
    target = Target(platform=host_platform(), vertex=top, config=scratch_config(host_platform()))
    written: list[bytes] = []

    def watch(event: Event) -> None:
        if isinstance(event, VertexLog):
            written.append(event.data)

    options = BuildOptions(definition=(target,), root=project.root, secrets=given or {})  # type: ignore[arg-type]
    return build(options, on_event=watch, **more), b"".join(written)  # type: ignore[arg-type]


def test_an_image_of_the_store_is_the_base_of_a_graph(project: Project) -> None:
    result, written = build_command(project, "echo hi")
    assert written == b"hi\n" and result.executed == 1


@pytest.mark.parametrize("secret", [CANARY, lambda: CANARY], ids=["bytes", "callable"])
def test_a_secret_is_a_file_that_only_the_command_sees(project: Project, secret: object) -> None:
    mount = SecretMount(id="token", target="/run/secrets/token")
    _, written = build_command(
        project, "cat /run/secrets/token | md5sum; ls -la /run/secrets/token", mount, given={"token": secret}
    )
    assert b"-r--------" in written


def test_a_secret_may_be_an_environment_variable(project: Project) -> None:
    mount = SecretMount(id="token", env="TOKEN")
    _, written = build_command(project, "echo ${#TOKEN}", mount, given={"token": CANARY})
    assert written == f"{len(CANARY)}\n".encode()


def test_no_file_of_the_state_root_holds_a_secret(project: Project) -> None:
    mount = SecretMount(id="token", target="/run/secrets/token", env="TOKEN")
    build_command(project, "test -s /run/secrets/token; touch /made", mount, given={"token": CANARY})
    files = [path for path in project.root.rglob("*") if path.is_file()]
    assert files and not [path for path in files if CANARY in path.read_bytes()]
    assert not list(project.root.rglob("secrets"))


def test_a_changed_secret_does_not_run_the_step_again(project: Project) -> None:
    mount = SecretMount(id="token", env="TOKEN")
    build_command(project, "true", mount, given={"token": CANARY})
    assert build_command(project, "true", mount, given={"token": b"other"})[0].executed == 0


def test_a_required_secret_that_is_missing_is_an_error(project: Project) -> None:
    with pytest.raises(DockyardError, match="secret token: not found"):
        build_command(project, "true", SecretMount(id="token", env="TOKEN", required=True))


def test_an_optional_secret_that_is_missing_is_an_empty_variable(project: Project) -> None:
    mount = SecretMount(id="token", target="/run/secrets/token", env="TOKEN")
    _, written = build_command(project, 'echo "<$TOKEN>"; test -e /run/secrets/token || echo none', mount)
    assert written == b"<>\nnone\n"


def test_a_build_that_is_cancelled_from_another_thread_ends_at_once(project: Project) -> None:
    cancel = threading.Event()
    timer = threading.Timer(1.0, cancel.set)
    timer.start()
    with pytest.raises(Cancelled):
        build_command(project, "sleep 60", cancel=cancel)
    timer.join()


def test_several_platforms_on_the_classic_store_are_refused_before_work(tmp_path: Path) -> None:
    options = BuildOptions(
        context=str(tmp_path),
        driver="docker",
        platforms=("linux/amd64", "linux/arm64"),
        root=tmp_path / "root",
    )
    with pytest.raises(DriverError, match="Multi-platform build is not supported"):
        build(options)


def test_a_result_names_the_manifest_and_config_of_each_platform(project: Project) -> None:
    result, _ = build_command(project, "true")
    (image,) = result.platforms
    assert (image.platform, result.digest) == (host_platform(), image.manifest.digest)
    assert isinstance(image.config.digest, Digest) and result.seconds > 0
