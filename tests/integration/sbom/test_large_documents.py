"""A document larger than the 40 MiB that others take: it is exported, and memory does not grow with it."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from test_scanner_images import make_scanner

if TYPE_CHECKING:
    from scanning import Laboratory

pytestmark = pytest.mark.root

FILES: Final = 110_000
# What a file takes in Syft's documents; the text is made by one awk, because a shell would take minutes.
SCRIPT: Final = r"""
awk 'BEGIN {
  printf "{\"predicateType\":\"https://spdx.dev/Document\",\"predicate\":{\"spdxVersion\":\"SPDX-2.3\","
  printf "\"creationInfo\":{\"created\":\"2020-01-01T00:00:00Z\",\"creators\":[]},\"files\":["
  for (i = 0; i < COUNT; i++) {
    printf "%s{\"fileName\":\"/made\",\"SPDXID\":\"SPDXRef-File-%d\",", (i ? "," : ""), i
    printf "\"licenseConcluded\":\"NOASSERTION\","
    printf "\"checksums\":[{\"algorithm\":\"SHA256\",\"checksumValue\":"
    printf "\"d59e8e5e6b3abc22f1143c316c5248f30bb4e15291eed6953a3b90b65dfda2c8\"}],"
    printf "\"licenseInfoInFiles\":[\"NOASSERTION\"],\"copyrightText\":\"NOASSERTION\","
    printf "\"licenseComments\":\"nothing is known of this file but what its name and its content say\"}"
  }
  printf "]}}"
}' > /run/out/sbom.spdx.json
"""


def high_water_mark(pid: int) -> int:
    """The most bytes that a process has had in memory so far; 0 when it is gone."""
    try:
        found = re.search(r"VmHWM:\s*(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) << 10 if found else 0


def test_a_document_beyond_40_mib_is_exported_in_little_memory(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    make_scanner(laboratory, SCRIPT.replace("COUNT", str(FILES)))
    laboratory.write("made", "it")
    laboratory.write("Dockerfile", "FROM scratch\nCOPY made /made\n")
    command = [Path(sys.executable).with_name("dockyard"), "--root", laboratory.root, "build"]
    options = [
        "--sbom=generator=toy:1",
        "--provenance=false",
        "-o",
        f"type=oci,tar=false,dest={tmp_path}/out",
    ]
    process = subprocess.Popen([*command, *options, laboratory.context], stderr=subprocess.DEVNULL)
    peak = 0
    # The kernel's account of a process begins before it becomes the command, with the memory of this one.
    while process.poll() is None:
        peak = max(peak, high_water_mark(process.pid))
        time.sleep(0.01)
    largest = max(path.stat().st_size for path in (tmp_path / "out/blobs/sha256").iterdir())
    assert (process.returncode, largest > 40 << 20) == (0, True)
    # The document is mapped twice, and its statement is in memory once.
    assert 0 < peak < (64 << 20) + 2.5 * largest
