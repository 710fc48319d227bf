"""Images that are made to be scanned badly: nothing of the host is read, and nothing waits for ever."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scanning import Laboratory

pytestmark = pytest.mark.root

ADDED = "FROM scratch\nADD hostile.tar /\n"


def hostile(laboratory: Laboratory, fill: Callable[[tarfile.TarFile], None]) -> None:
    """A context with the archive `hostile.tar`, which ADD unpacks."""
    with tarfile.open(laboratory.context / "hostile.tar", "w") as archive:
        fill(archive)


def add(archive: tarfile.TarFile, name: str, content: bytes = b"", **members: object) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in members.items():
        setattr(info, key, value)
    archive.addfile(info, io.BytesIO(content))


def test_links_out_of_the_image_lead_nowhere(laboratory: Laboratory, tmp_path: Path) -> None:
    secret = tmp_path / "canary" / "package.json"
    secret.parent.mkdir()
    secret.write_text(json.dumps({"name": "canary-7f3", "version": "9.9.9"}))

    def fill(archive: tarfile.TarFile) -> None:
        up = "../" * 12
        for number, target in enumerate((str(secret), up + str(secret)[1:], "/proc/self/root" + str(secret))):
            add(archive, f"node_modules/l{number}/package.json", type=tarfile.SYMTYPE, linkname=target)
        add(archive, "node_modules/d", type=tarfile.SYMTYPE, linkname=str(secret.parent))
        add(archive, "var/lib/dpkg/status", type=tarfile.SYMTYPE, linkname="/var/lib/dpkg/status")

    hostile(laboratory, fill)
    (document,) = laboratory.build(ADDED).documents()
    assert "canary-7f3" not in json.dumps(document)


def test_the_scanner_sees_no_file_of_its_own_container_in_the_image(laboratory: Laboratory) -> None:
    def fill(archive: tarfile.TarFile) -> None:
        add(archive, "bin/syft", type=tarfile.SYMTYPE, linkname="/syft")
        add(archive, "bin/other", type=tarfile.SYMTYPE, linkname="../../../../../syft")

    hostile(laboratory, fill)
    (document,) = laboratory.build(ADDED).documents()
    assert "github.com/anchore/syft" not in json.dumps(document)


def test_fifos_devices_and_sockets_are_passed_by(laboratory: Laboratory) -> None:
    def fill(archive: tarfile.TarFile) -> None:
        for folder in ("var/lib/dpkg/status", "lib/apk/db/installed", "node_modules/x/package.json"):
            add(archive, folder, type=tarfile.FIFOTYPE)
        add(archive, "usr/lib/os-release", type=tarfile.FIFOTYPE)
        add(archive, "opt/app.jar", type=tarfile.CHRTYPE, devmajor=1, devminor=5)

    hostile(laboratory, fill)
    (document,) = laboratory.build(ADDED).documents()
    assert document["name"] == "sbom"


def test_a_deep_tree_and_a_circle_of_links_come_to_an_end(laboratory: Laboratory) -> None:
    def fill(archive: tarfile.TarFile) -> None:
        add(archive, "d/" * 300 + "package.json", json.dumps({"name": "deep", "version": "1.0.0"}).encode())
        add(archive, "a", type=tarfile.SYMTYPE, linkname="b")
        add(archive, "b", type=tarfile.SYMTYPE, linkname="a")
        add(archive, "c/self", type=tarfile.SYMTYPE, linkname="../c")

    hostile(laboratory, fill)
    (document,) = laboratory.build(ADDED).documents()
    assert any(each["name"] == "deep" for each in document["packages"])


def test_an_archive_that_unpacks_to_more_than_there_is_room_for_ends(laboratory: Laboratory) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as jar:
        jar.writestr("META-INF/MANIFEST.MF", "Implementation-Title: bomb\nImplementation-Version: 1\n")
        with jar.open("inner.jar", "w", force_zip64=True) as inner:
            zeros = bytes(1 << 20)
            for _ in range(1500):
                inner.write(zeros)

    hostile(laboratory, lambda archive: add(archive, "app.jar", bomb.getvalue()))
    (document,) = laboratory.build(ADDED).documents()
    assert document["name"] == "sbom"


def test_a_configuration_in_the_image_is_not_the_scanner_s(laboratory: Laboratory) -> None:
    settings = b"output: [cyclonedx-json=/run/out/evil.json]\nselect-catalogers: [none]\n"

    def fill(archive: tarfile.TarFile) -> None:
        for name in (".syft.yaml", ".syft/config.yaml", "root/.syft.yaml", "tmp/.syft.yaml"):
            add(archive, name, settings)
        add(
            archive,
            "node_modules/x/package.json",
            json.dumps({"name": "left-pad", "version": "1.0.0"}).encode(),
        )

    hostile(laboratory, fill)
    (document,) = laboratory.build(ADDED).documents()
    assert any(each["name"] == "left-pad" for each in document["packages"])
