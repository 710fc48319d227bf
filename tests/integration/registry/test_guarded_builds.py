"""Policies on base images at a real registry: what is said of them and who signed is asked there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from peers import Served

    from tests.integration.conftest import RunDockyard  # type: ignore[import-not-found]

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="building needs root"),
]
POLICY = """\
[signatures]
keys = ["{key}.pub"]
signed = ["index", "statements"]

[provenance]
builders = ["{builder}"]
mode = "max"
"""
_NO_PASSPHRASE = {"COSIGN_PASSWORD": ""}
BOTH = "linux/amd64,linux/arm64"


@pytest.fixture
def base(plain: Served, dockyard: RunDockyard, tmp_path: Path) -> str:
    """A base image for two platforms at a registry, attested and signed, of which this machine has nothing."""
    context = tmp_path / "base"
    context.mkdir()
    (context / "file").write_text("content\n")
    (context / "Dockerfile").write_text("FROM scratch\nCOPY file /\n")
    for name in ("ours", "theirs"):
        words = ("generate-key-pair", "--output-key-prefix", name)
        _must(dockyard(*words, cwd=tmp_path, environment=_NO_PASSPHRASE))
    name = f"{plain.host}/base:1"
    provenance = "--provenance=mode=max,builder-id=https://ci.example.com/1"
    signing = ("--sign", f"key={tmp_path / 'ours.key'}")
    words = ("build", "--platform", BOTH, provenance, *signing, "--push", "-t", name, str(context))
    _must(dockyard(*words, environment=_NO_PASSPHRASE))
    _must(dockyard("rmi", name))
    _must(dockyard("store", "gc"))
    return name


@pytest.mark.parametrize(
    ("key", "builder", "refused"),
    [
        ("ours", "https://ci.example.com/*", ""),
        ("theirs", "https://ci.example.com/*", "[signatures.signed]"),
        ("ours", "https://elsewhere.example.com/*", "[provenance.builders]"),
    ],
)
def test_a_base_at_a_registry_is_judged_by_what_the_registry_has(
    dockyard: RunDockyard, base: str, tmp_path: Path, key: str, builder: str, refused: str
) -> None:
    (tmp_path / "policy.toml").write_text(POLICY.format(key=key, builder=builder))
    (tmp_path / "Dockerfile").write_text(f"FROM {base}\nLABEL a=b\n")
    words = ("build", "--platform", BOTH, "--policy", "policy.toml", "-o", "type=cacheonly", ".")
    done = dockyard(*words, cwd=tmp_path)
    if not refused:
        assert done.returncode == 0, done.stderr
        return
    assert done.returncode == 1
    assert refused in done.stderr
    assert f"   1 | >>> FROM {base}" in done.stderr
    assert "(linux/arm64)" in done.stderr or refused.startswith("[signatures")


def _must(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stderr
