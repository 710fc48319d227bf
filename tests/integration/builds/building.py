"""A project to build with the real command, and ways to look at what came out."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

COMMAND = Path(sys.executable).with_name("dockyard")


class Outcome:
    """What one run of the command did."""

    def __init__(self, completed: subprocess.CompletedProcess[bytes]) -> None:
        self.code = completed.returncode
        self.out = completed.stdout.decode(errors="replace")
        self.err = completed.stderr.decode(errors="replace")

    @property
    def names(self) -> dict[str, str]:
        """Names of the vertices by number, as the plain progress shows them."""
        return dict(re.findall(r"^#(\d+) (\[.*)$", self.err, re.MULTILINE))

    def steps(self, ending: str) -> list[str]:
        """Steps whose block ends with `ending` (CACHED, DONE), without the internal ones."""
        numbers = re.findall(rf"^#(\d+) {ending}", self.err, re.MULTILINE)
        names = (self.names[number] for number in numbers if number in self.names)
        return [name for name in names if "internal]" not in name and not name.startswith("[context ")]

    @property
    def executed(self) -> list[str]:
        """Steps that ran, without FROM."""
        return [name for name in self.steps("DONE") if "] FROM " not in name]

    @property
    def cached(self) -> list[str]:
        """Steps that were not needed, without FROM."""
        return [name for name in self.steps("CACHED") if "] FROM " not in name]


class Image:
    """One platform of an OCI archive, its layers applied one after the other."""

    def __init__(self, archive: Path, manifest: dict[str, Any], blobs: dict[str, bytes]) -> None:
        self.archive = archive
        self.manifest = manifest
        self.config: dict[str, Any] = json.loads(blobs[manifest["config"]["digest"]])
        self.layers = [blobs[layer["digest"]] for layer in manifest["layers"]]
        self.files: dict[str, tarfile.TarInfo] = {}
        self.content: dict[str, bytes] = {}
        for layer in self.layers:
            self._apply(layer)

    def _apply(self, layer: bytes) -> None:
        with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
            members = archive.getmembers()
            for member in members:
                directory, _, name = member.name.rpartition("/")
                if name == ".wh..wh..opq":
                    self._remove_below(directory)
                elif name.startswith(".wh."):
                    self._remove(f"{directory}/{name[4:]}".lstrip("/"))
            for member in members:
                if ".wh." not in member.name:
                    self._add(archive, member)

    def _add(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        if not member.isdir():
            self._remove(member.name)
        self.files[member.name] = member
        if member.isreg() or member.islnk():
            source = archive.extractfile(member)
            self.content[member.name] = source.read() if source else b""

    def _remove_below(self, path: str) -> None:
        for each in [each for each in self.files if each.startswith(path + "/")]:
            self.files.pop(each)

    def _remove(self, path: str) -> None:
        self.files.pop(path, None)
        self._remove_below(path)

    def text(self, path: str) -> str:
        return self.content[path].decode()


class Project:
    """A directory with a Dockerfile, a state root, and the command to build the one in the other."""

    def __init__(self, context: Path, root: Path, busybox: Path) -> None:
        self.context = context
        self.root = root
        self.busybox = busybox

    def write(self, path: str, content: str | bytes = "", *, mode: int = 0o644) -> Path:
        target = self.context / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        target.chmod(mode)
        return target

    def command(self, *arguments: str) -> list[str]:
        return [str(COMMAND), "--root", str(self.root), *arguments]

    def dockyard(
        self,
        *arguments: str,
        timeout: float = 240,
        stdin: bytes = b"",
        environment: dict[str, str] | None = None,
    ) -> Outcome:
        return Outcome(
            subprocess.run(
                self.command(*arguments),
                capture_output=True,
                timeout=timeout,
                check=False,
                input=stdin,
                env=None if environment is None else {**os.environ, **environment},
            )
        )

    def build_arguments(self, dockerfile: str | None, *options: str) -> list[str]:
        if dockerfile is not None:
            self.write("Dockerfile", dockerfile)
        base = ["--build-context", f"busybox=oci-layout://{self.busybox}", "--progress", "plain"]
        return ["build", *base, *options, str(self.context)]

    def build(self, dockerfile: str | None, *options: str) -> Outcome:
        return self.dockyard(*self.build_arguments(dockerfile, *options))

    def interrupted(self, *options: str) -> int:
        """The exit code of a build that gets an interrupt in the middle of a step."""
        text = "FROM busybox\nRUN echo started; sleep 60\n"
        command = self.command(*self.build_arguments(text, *options))
        with subprocess.Popen(command, stderr=subprocess.PIPE) as running:
            assert running.stderr is not None
            while b"started\n" not in running.stderr.readline():
                pass
            running.send_signal(signal.SIGINT)
            return running.wait(timeout=20)

    def built(self, dockerfile: str | None, *options: str) -> Outcome:
        """A build that must succeed; one that fails shows its output."""
        outcome = self.build(dockerfile, *options)
        assert outcome.code == 0, outcome.err
        return outcome

    def image(self, dockerfile: str | None, *options: str, platform: str = "") -> Image:
        """Builds to an OCI archive and reads it."""
        archive = self.context.parent / "image.tar"
        self.built(dockerfile, "-o", f"type=oci,dest={archive}", *options)
        return read_archive(archive, platform)


def read_archive(archive: Path, platform: str = "") -> Image:
    """The image for `platform` in an OCI archive; without a platform, the only one."""
    with tarfile.open(archive) as opened:
        names = {member.name for member in opened.getmembers() if member.isfile()}
        blobs = {
            "sha256:" + name.rpartition("/")[2]: opened.extractfile(name).read()  # type: ignore[union-attr]
            for name in names
            if name.startswith("blobs/")
        }
        index = json.loads(opened.extractfile("index.json").read())  # type: ignore[union-attr]
    document = json.loads(blobs[index["manifests"][0]["digest"]])
    if "manifests" in document:
        found = [
            each for each in document["manifests"] if _named(each["platform"]) == platform or not platform
        ]
        document = json.loads(blobs[found[0]["digest"]])
    return Image(archive, document, blobs)


def _named(platform: dict[str, str]) -> str:
    return "/".join(platform[key] for key in ("os", "architecture", "variant") if platform.get(key))


def processes_under(root: Path) -> list[str]:
    """Command lines of processes that name the state root."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                line = (
                    Path(f"/proc/{entry}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                )
            except OSError:
                continue
            if str(root) in line:
                found.append(line)
    return found
