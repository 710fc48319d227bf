"""A project whose result goes to every kind of output, by the real command."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.integration.conftest import RunDockyard

DOCKERFILE = """\
FROM busybox AS made
RUN mkdir /out /out/bin && echo tool >/out/bin/tool && chmod 755 /out/bin/tool \\
 && ln /out/bin/tool /out/bin/alias && ln -s bin/tool /out/link && echo $(uname -m) >/out/machine
FROM scratch AS files
COPY --from=made /out /
FROM busybox AS image
COPY file /file
RUN echo made >/made
"""


_NOTHING_ATTESTED: Final = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1", "BUILDX_METADATA_PROVENANCE": "disabled"}


class Project:
    """Builds one Dockerfile; outputs lie in `folder`. Nothing is attested that a test does not ask for."""

    def __init__(self, run: RunDockyard, folder: Path, busybox: Path) -> None:
        self._run = run
        self._busybox = busybox
        self.folder = folder
        self.context = folder / "context"
        self.context.mkdir()
        (self.context / "Dockerfile").write_text(DOCKERFILE)
        (self.context / "file").write_text("content\n")

    def build(
        self, *options: str, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Builds in `folder`; nobody has looked at the exit code yet."""
        base = f"busybox=oci-layout://{self._busybox}"
        return self._run(
            "build", "--progress", "plain", "--build-context", base, *options, "context",
            cwd=self.folder,
            environment={**_NOTHING_ATTESTED, **(environment or {})},
        )  # fmt: skip

    def must_build(self, *options: str, environment: dict[str, str] | None = None) -> str:
        """What the build said."""
        done = self.build(*options, environment=environment)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def dockyard(self, *arguments: str) -> str:
        """What another command answers."""
        done = self._run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def document(self, layout: str, digest: str | None = None) -> dict[str, Any]:
        """A document of the layout directory `layout`; without a digest, the root."""
        if digest is None:
            index = json.loads((self.folder / layout / "index.json").read_text())
            digest = index["manifests"][0]["digest"]
        found: dict[str, Any] = json.loads(self.blob(layout, digest).read_text())
        return found

    def blob(self, layout: str, digest: str) -> Path:
        return self.folder / layout / "blobs" / "sha256" / digest.partition(":")[2]


@pytest.fixture
def project(dockyard: RunDockyard, tmp_path: Path, busybox_layout: Path) -> Project:
    return Project(dockyard, tmp_path, busybox_layout)
