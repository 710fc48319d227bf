"""Real Docker Engines: Debian's with the classic image store, and a newer one with containerd's."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from fixtures.errors import FixtureError
from fixtures.peers.engine import running_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.conftest import RunDockyard

_READY_WITHIN: Final = 60.0
_NAMESPACES: Final = "--mount --pid --net --ipc --uts --propagation=private --fork --kill-child=KILL".split()
_NO_NETWORK: Final = (
    "--bridge=none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false".split()
)


class Peer(NamedTuple):
    """An engine that listens at `host`, and its own client, which sees the folder `shared` as we do."""

    host: str
    client: Callable[..., subprocess.CompletedProcess[str]]
    shared: Path
    has_containerd_store: bool
    network: int
    """A process in the engine's own network."""

    def docker(self, *arguments: str) -> str:
        """What the client answers."""
        done = self.client(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout.strip()

    def images(self) -> dict[str, str]:
        """IDs of the engine's images by name."""
        lines = self.docker(
            "images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"
        ).splitlines()
        return dict(line.split() for line in lines)


class Project:
    """Builds one Dockerfile; `engine` is the one that its builds see."""

    def __init__(self, run: RunDockyard, folder: Path, busybox: Path) -> None:
        self._run = run
        self._busybox = busybox
        self.folder = folder
        (folder / "Dockerfile").write_text('FROM busybox\nRUN echo made >/made\nCMD ["cat", "/made"]\n')

    def build(self, host: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Builds with DOCKER_HOST set; nobody has looked at the exit code yet."""
        base = f"busybox=oci-layout://{self._busybox}"
        return self._run(
            "build", "--progress", "plain", "--build-context", base, *options, ".",
            cwd=self.folder,
            environment={"DOCKER_HOST": host} if host else {},
        )  # fmt: skip

    def must_build(self, peer: Peer, *options: str) -> str:
        """Builds, and returns what `--iidfile` got."""
        done = self.build(peer.host, "--iidfile", "iid", *options)
        assert done.returncode == 0, done.stderr
        return (self.folder / "iid").read_text()


@pytest.fixture
def project(dockyard: RunDockyard, tmp_path: Path, busybox_layout: Path) -> Project:
    return Project(dockyard, tmp_path, busybox_layout)


@pytest.fixture(scope="session")
def classic(state_folder: Path) -> Iterator[Peer]:
    """The engine of the machine's own distribution."""
    if shutil.which("dockerd") is None:
        pytest.skip("dockerd is not installed (Debian's package docker.io)")
    with _classic_engine(state_folder) as peer:
        if peer.has_containerd_store:
            pytest.skip("this machine's dockerd has no classic image store")
        yield peer


@pytest.fixture(scope="session")
def containerd(state_folder: Path) -> Iterator[Peer]:
    """An engine with the containerd image store."""
    try:
        with running_engine(state_folder) as engine:
            yield Peer(
                f"unix://{engine.shared}/docker.sock",
                engine.docker,
                engine.shared,
                has_containerd_store=True,
                network=engine.pid,
            )
    except FixtureError as error:
        pytest.skip(f"no Docker Engine with the containerd image store: {error}")


@pytest.fixture(params=["classic", "containerd"])
def peer(request: pytest.FixtureRequest) -> Peer:
    """Each of the two engines."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Peer)
    return found


@contextmanager
def _classic_engine(state: Path) -> Iterator[Peer]:
    # A socket's path may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="engine-", dir=state, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        host = f"unix://{folder}/s"
        places = (
            "--data-root",
            f"{folder}/data",
            "--exec-root",
            "/run/docker",
            "--pidfile",
            f"{folder}/pid",
        )
        prepare = 'ip link set lo up; mount -t tmpfs tmpfs /run; exec dockerd "$@"'
        daemon = ("sh", "-c", prepare, "sh", *places, "--host", host, *_NO_NETWORK)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                ["unshare", *_NAMESPACES, "--mount-proc", *daemon],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            yield _answering(folder, host, process)
        finally:
            # The first process of its namespace dies with it, and everything below that.
            process.kill()
            process.wait()


def _answering(folder: Path, host: str, process: subprocess.Popen[bytes]) -> Peer:
    def client(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", "--host", host, *arguments],
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    deadline = time.monotonic() + _READY_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        status = client("info", "--format", "{{.DriverStatus}}")
        if status.returncode == 0:
            (inside,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            return Peer(
                host,
                client,
                folder,
                has_containerd_store="io.containerd.snapshotter" in status.stdout,
                network=int(inside),
            )
        time.sleep(0.1)
    last = (folder / "log").read_text(errors="replace").splitlines()[-1:]
    pytest.skip(f"the Docker Engine did not start: {last}")
