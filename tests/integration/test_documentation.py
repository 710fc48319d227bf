"""The examples of the documents run, and print what the documents say that they print."""

from __future__ import annotations

import contextlib
import io
import re
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
