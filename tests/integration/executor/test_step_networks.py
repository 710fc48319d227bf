"""The networks that steps can be on, and what they cannot reach."""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builder.executor import ExecutorError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from laboratory import Laboratory

pytestmark = pytest.mark.root


@pytest.fixture
def host_port() -> Iterator[int]:
    """A web server on the host's loopback."""
    with http.server.HTTPServer(("127.0.0.1", 0), _Greeting) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


class _Greeting(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"host")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing."""


def test_without_a_network_there_is_loopback_only(lab: Laboratory) -> None:
    lab.sh("ip -o link | wc -l; ping -c 1 -W 1 127.0.0.1 > /dev/null && echo up; cat /etc/resolv.conf")
    assert lab.text.split() == ["1", "up"]


def test_the_default_network_is_private_and_shared_by_all_steps(lab: Laboratory) -> None:
    seen = set()
    for _ in range(2):
        lab.sh("readlink /proc/self/ns/net", network="default")
        seen.add(lab.text.strip())
    assert len(seen) == 1 and os.readlink("/proc/self/ns/net") not in seen


def test_the_default_network_has_an_address_and_a_nameserver(lab: Laboratory) -> None:
    lab.sh("ip -4 -o addr show scope global | wc -l; grep -c ^nameserver /etc/resolv.conf", network="default")
    assert all(int(number) >= 1 for number in lab.text.split())


def test_what_listens_on_the_hosts_loopback_cannot_be_reached(lab: Laboratory, host_port: int) -> None:
    gateway = "$(ip route | awk '/^default/ {print $3}')"
    for address in ("127.0.0.1", gateway):
        step = lab.step("sh", "-c", f"wget -q -T 2 -O - http://{address}:{host_port}/", network="default")
        assert lab.run(step) != 0 and "host" not in lab.text


def test_a_step_on_the_hosts_network_reaches_the_hosts_loopback(lab: Laboratory, host_port: int) -> None:
    lab.sh(f"wget -q -O - http://127.0.0.1:{host_port}/; readlink /proc/self/ns/net", network="host")
    assert lab.text == f"host{os.readlink('/proc/self/ns/net')}\n"


def test_many_first_steps_at_once_make_one_network(lab: Laboratory) -> None:
    steps = [lab.step("readlink", "/proc/self/ns/net", network="default") for _ in range(6)]
    said: list[bytes] = []

    def run(number: int) -> int:
        return lab.executor.run(
            steps[number], on_output=lambda _, chunk: said.append(chunk), cancelled=threading.Event()
        )

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(run, range(6))) == [0] * 6
    assert len(set(said)) == 1


def test_a_machine_without_pasta_is_told_what_to_do(
    lab: Laboratory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for program in ("crun", "mount"):
        found = next(
            path for path in ("/usr/bin", "/bin", "/usr/sbin") if os.access(f"{path}/{program}", os.X_OK)
        )
        (tmp_path / program).symlink_to(f"{found}/{program}")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ExecutorError, match="needs pasta") as caught:
        lab.run(lab.step("true", network="default"))
    assert "--network=none" in (caught.value.hint or "")


def test_a_network_that_cannot_be_made_is_an_error_with_pastas_words(
    lab: Laboratory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "pasta"
    broken.write_text("#!/bin/sh\necho no tap device >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(ExecutorError, match="network could not be set up: no tap device"):
        lab.run(lab.step("true", network="default"))


def test_on_a_machine_without_a_way_out_steps_still_have_loopback(lab: Laboratory) -> None:
    program = (
        "import sys, threading; from pathlib import Path; from laboratory import Laboratory\n"
        "lab = Laboratory(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "with lab.executor: lab.sh('ip -o link | wc -l', network='default')\n"
        "print(lab.text, end='')"
    )
    command = ["unshare", "-n", sys.executable, "-c", program, str(lab.folder), str(lab.trees)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    said = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (said.returncode, said.stdout, said.stderr) == (0, "1\n", "")
