"""A registry on the loopback address of the builders' own network namespace."""

from __future__ import annotations

import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ADDRESS: Final = "127.0.0.1:5000"
_CONFIG: Final = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {data}}}, delete: {{enabled: true}}}}
http: {{addr: {address}}}
"""
_READY_WITHIN: Final = 10.0


class Registry:
    """The real docker-registry with its blobs below `folder`; `inside` enters the network namespace."""

    def __init__(self, folder: Path, inside: Sequence[str]) -> None:
        self._data = folder / "registry"
        self._config = folder / "registry.yml"
        self._inside = inside
        self._server: subprocess.Popen[bytes] | None = None
        self._config.write_text(_CONFIG.format(data=self._data, address=ADDRESS))

    def start(self, *, empty: bool) -> None:
        """Starts it anew. Raises: OSError when it does not answer."""
        self.stop()
        if empty:
            shutil.rmtree(self._data, ignore_errors=True)
        self._server = subprocess.Popen(
            [*self._inside, "docker-registry", "serve", str(self._config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        host, port = ADDRESS.split(":")
        ask = ["python3", "-c", f"import socket; socket.create_connection(({host!r}, {port})).close()"]
        deadline = time.monotonic() + _READY_WITHIN
        while subprocess.run([*self._inside, *ask], capture_output=True, check=False).returncode != 0:
            if time.monotonic() > deadline:
                raise OSError("the registry does not answer")
            time.sleep(0.05)

    def stop(self) -> None:
        """Ends it; what it holds stays."""
        if self._server is not None:
            self._server.terminate()
            self._server.wait()
            self._server = None
