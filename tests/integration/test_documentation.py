"""The examples of the documents run, and print what the documents say that they print."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.root
def test_every_example_of_the_python_document_prints_what_it_promises(
    dockyard_root: Path, busybox_layout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(REPOSITORY)
    text = (REPOSITORY / "docs/python.md").read_text()
    names: dict[str, object] = {"root": dockyard_root, "busybox": busybox_layout}
    for example in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(example, "docs/python.md", "exec"), names)
        promised = re.findall(r"^# -> (.*)$", example, re.MULTILINE)
        assert printed.getvalue().splitlines() == promised


_DIGEST = re.compile(r"sha256:[0-9a-f]{8,64}")
_NEXT = "~~~ next command ~~~"


def _session(text: str) -> list[tuple[str, str]]:
    """Each command of a document's console examples, with the output that stands below it."""
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    found: list[tuple[str, list[str]]] = []
    for line in (line for block in blocks for line in block.splitlines()):
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return [(command, "\n".join(output)) for command, output in found]


def _masked(text: str) -> str:
    """Without what is another in every build or every day: digests, ages, and how many lines were green."""
    return re.sub(r"\d+ (held|days)", r"N \1", _DIGEST.sub("sha256:...", text.strip("\n")))


@pytest.mark.root
def test_every_attack_of_the_readme_turns_red_what_it_says(tmp_path: Path, busybox_layout: Path) -> None:
    (tmp_path / "build").mkdir()
    programs = Path(sys.executable).parent
    (tmp_path / ".venv").symlink_to(programs.parent)
    # As `make demo` builds it.
    environment = {
        **os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "COSIGN_PASSWORD": "demo",
        "PYTHONPATH": str(REPOSITORY), "DOCKYARD_ROOT": "build/demo",
    }  # fmt: skip
    for arguments in (
        ["generate-key-pair", "--output-key-prefix", "build/hello"],
        ["build", "--build-context", f"busybox=oci-layout://{busybox_layout}",
         "--platform", "linux/amd64,linux/arm64", "--sbom=true", "--provenance=mode=max",
         "--sign", "key=build/hello.key", "--tag", "hello:demo", str(REPOSITORY / "fixtures/hello")],
    ):  # fmt: skip
        subprocess.run(
            ["dockyard", *arguments], cwd=tmp_path, env=environment, check=True, capture_output=True
        )
    session = _session((REPOSITORY / "README.md").read_text())
    script = "".join(f"{command}\necho '{_NEXT}'\n" for command, _ in session)
    shell = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    printed = shell.stdout.split(f"{_NEXT}\n")[:-1]
    assert [(command, _masked(output)) for (command, _), output in zip(session, printed, strict=True)] == [
        (command, _masked(output)) for command, output in session
    ]
