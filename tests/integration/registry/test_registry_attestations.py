"""Attestations at a registry, as the real client finds them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.errors import FixtureError
from fixtures.peers.buildx import buildx

if TYPE_CHECKING:
    from peers import Served

COMMAND = Path(sys.executable).with_name("dockyard")
PLATFORMS = ("linux/amd64", "linux/arm64")


def pushed(
    plain: Served, root: Path, context: Path, *options: str, text: str = "FROM scratch\nCOPY Dockerfile /\n"
) -> str:
    """The name of an image for two platforms that has been built and pushed."""
    context.mkdir(exist_ok=True)
    (context / "Dockerfile").write_text(text)
    name = f"{plain.host}/attested:1"
    built = subprocess.run(
        [
            COMMAND, "--root", root, "build", "--push", "-t", name, "--platform", ",".join(PLATFORMS), *options,
            context,
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    return name


def inspected(name: str, template: str) -> dict[str, Any]:
    try:
        shown = buildx("imagetools", "inspect", name, "--format", f"{{{{json {template}}}}}")
    except FixtureError as error:
        pytest.skip(f"buildx cannot be had here: {error}")
    assert shown.returncode == 0, shown.stderr
    return json.loads(shown.stdout)  # type: ignore[no-any-return]


@pytest.mark.root
@pytest.mark.parametrize("form", ["true", "false"])
def test_buildx_shows_the_provenance_of_each_platform_in_both_forms(
    plain: Served, dockyard_root: Path, tmp_path: Path, form: str
) -> None:
    output = f"type=registry,oci-artifact={form}"
    name = pushed(plain, dockyard_root, tmp_path / "context", "--provenance=max", "-o", output)
    found = inspected(name, ".Provenance")
    assert sorted(found) == list(PLATFORMS)
    definition = found["linux/arm64"]["SLSA"]["buildDefinition"]
    assert definition["externalParameters"]["configSource"] == {"path": "Dockerfile"}
    assert len(definition["internalParameters"]["buildConfig"]["llbDefinition"]) == 3


@pytest.mark.root
def test_buildx_finds_the_platforms_of_an_image_and_no_attestation_among_them(
    plain: Served, dockyard_root: Path, tmp_path: Path
) -> None:
    name = pushed(plain, dockyard_root, tmp_path / "context")
    assert sorted(inspected(name, ".Image")) == list(PLATFORMS)


@pytest.mark.root
def test_buildx_shows_the_sbom_of_each_platform_and_those_of_stages(
    plain: Served, dockyard_root: Path, tmp_path: Path
) -> None:
    context = tmp_path / "context"
    context.mkdir()
    package = {"name": "left-pad", "version": "1.3.0"}
    (context / "package.json").write_text(json.dumps(package))
    text = (
        "FROM scratch AS tools\nARG BUILDKIT_SBOM_SCAN_STAGE=true\nCOPY package.json /node_modules/left-pad/\n"
        "FROM scratch\nCOPY --from=tools /node_modules/left-pad/package.json /x\n"
    )
    name = pushed(plain, dockyard_root, context, "--sbom=true", text=text)
    found = inspected(name, ".SBOM")
    assert sorted(found) == list(PLATFORMS)
    core, (stage,) = found["linux/arm64"]["SPDX"], found["linux/arm64"]["AdditionalSPDXs"]
    assert (core["name"], stage["name"]) == ("sbom", "sbom-tools")
    assert "left-pad" in {each["name"] for each in stage["packages"]}


@pytest.mark.root
def test_buildx_shows_the_provenance_of_an_image_that_was_converted(
    plain: Served, dockyard_root: Path, tmp_path: Path
) -> None:
    name = pushed(plain, dockyard_root, tmp_path / "context", "--provenance=max")
    other = name.replace("attested:1", "attested:legacy")
    before = inspected(name, ".Provenance")
    for words in (("attest", "convert", "--to", "legacy", "-t", other, name), ("push", other)):
        done = subprocess.run(
            [COMMAND, "--root", dockyard_root, *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert inspected(other, ".Provenance") == before
    assert inspected(other, ".Manifest")["digest"] != inspected(name, ".Manifest")["digest"]
