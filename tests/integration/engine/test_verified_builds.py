"""What the real client and BuildKit attest, verified and shown."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Peer

    from tests.integration.conftest import RunDockyard

TWO = "linux/amd64,linux/arm64"


@pytest.mark.root
@pytest.mark.parametrize("form", ["artifact", "legacy"])
def test_what_buildkit_attested_verifies_and_is_shown_in_both_forms(
    containerd: Peer, dockyard: RunDockyard, form: str
) -> None:
    folder = Path(tempfile.mkdtemp(dir=containerd.shared))
    (folder / "Dockerfile").write_text("FROM scratch\nARG V\nCOPY Dockerfile /\n")
    artifact = "true" if form == "artifact" else "false"
    archive = folder / "app.tar"
    containerd.docker(
        "buildx", "build", "--platform", TWO, "--provenance=mode=max", "--build-arg", "V=1",
        "-t", "app:1", "-o", f"type=oci,dest={archive},oci-artifact={artifact}", str(folder),
    )  # fmt: skip
    verified = dockyard("verify", "--platform", TWO, "--format", "json", str(archive))
    assert verified.returncode == 0, verified.stdout
    report = json.loads(verified.stdout)
    held = {each["check"] for each in report["findings"] if each["state"] == "held"}
    assert {"diff-id", "statement-subject", "predicate", "attested"} <= held
    shown = json.loads(dockyard("attest", "show", "--format", "json", str(archive)).stdout)
    assert [each["platform"] for each in shown["platforms"]] == TWO.split(",")
    for platform in shown["platforms"]:
        assert platform["form"] == form
        assert platform["provenance"][0]["parameters"]["build-arg:V"] == "1"
        assert platform["provenance"][0]["steps"] >= 2
