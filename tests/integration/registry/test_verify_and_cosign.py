"""`dockyard verify` on images that the real cosign signed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from peers import Served

    from fixtures.peers.cosign import Cosign

COMMAND = Path(sys.executable).with_name("dockyard")


def dockyard(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, "--root", root, *words], capture_output=True, text=True, check=False)


@pytest.mark.root
def test_verify_accepts_the_key_of_cosign_and_no_other(
    cosign: Cosign, plain: Served, dockyard_root: Path, tmp_path: Path
) -> None:
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    name = f"{plain.host}/team/signed:1"
    built = dockyard(
        dockyard_root, "build", "--platform", "linux/amd64,linux/arm64", "--provenance=max", "--push", "-q",
        "-t", name, str(context),
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    for pair in ("mine", "other"):
        made = cosign("generate-key-pair", "--output-key-prefix", pair, passphrase="x")
        assert made.returncode == 0, made.stderr
    offline = ["--tlog-upload=false", "--allow-http-registry", "--yes"]
    if cosign.suite == "sid":
        offline.append("--use-signing-config=false")
    image = f"{name.rpartition(':')[0]}@{built.stdout.strip()}"
    signed = cosign("sign", *offline, "--key", "mine.key", image, passphrase="x")
    assert signed.returncode == 0, signed.stderr
    pulled = dockyard(dockyard_root, "pull", "--platform", "all", "--signatures", name)
    assert pulled.returncode == 0, pulled.stderr
    mine, other = (tmp_path / "cosign" / f"{pair}.pub" for pair in ("mine", "other"))
    verified = dockyard(dockyard_root, "verify", "--key", str(mine), name)
    assert (verified.returncode, "FAIL" in verified.stdout) == (0, False), verified.stdout
    refused = dockyard(dockyard_root, "verify", "--key", str(other), name)
    assert (refused.returncode, "no given key made this signature" in refused.stdout) == (1, True)
