"""Scanners: how they are run, and when two scans are the same work."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from builder.graph import Exec
from builder.oci.digest import Digest
from builder.platforms import Platform, host_platform
from builder.scanner.scanner import CORE, image_scanner, prepared, scan_key
from builder.scanner.syft import Program, find_syft, syft
from builder.system.errors import UsageError

PROGRAM = Program(path=Path("/opt/syft"), version="1.0")
IMAGE = Digest.of(b"image")


def test_syft_is_the_program_of_the_package_that_is_installed() -> None:
    program = find_syft()
    told = subprocess.run([program.path, "version"], capture_output=True, text=True, check=True).stdout
    assert f"Version:    {program.version}" in told


def test_syft_runs_on_this_machine_without_a_network_whatever_it_scans() -> None:
    operation = syft(PROGRAM, {}).operation
    assert (operation.platform, operation.network) == (host_platform(), "none")


def test_what_is_installed_counts_in_images_and_what_is_declared_in_contexts() -> None:
    chosen = [
        scanner.operation.args[scanner.operation.args.index("--override-default-catalogers") + 1]
        for scanner in (
            syft(PROGRAM, {}),
            syft(PROGRAM, {}, name="sbom-x"),
            syft(PROGRAM, {}, name="sbom-context"),
        )
    ]
    assert chosen == ["image", "image", "directory"]


@pytest.mark.parametrize("parameters", [{"COLOUR": "red"}, {"FILE_METADATA": "some"}])
def test_syft_refuses_parameters_that_it_does_not_know(parameters: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=next(iter(parameters))):
        syft(PROGRAM, parameters)


def test_a_scanner_image_is_told_the_places_and_its_parameters() -> None:
    own = Exec(base=None, args=("/scan",), env=(("PATH", "/bin"),), platform=Platform("linux", "s390x"))
    scanner = image_scanner("x", IMAGE, own, (), [("LEVEL", "9")])
    assert prepared(scanner, has_extras=True).env == (
        ("PATH", "/bin"),
        ("BUILDKIT_SCAN_LEVEL", "9"),
        ("BUILDKIT_SCAN_DESTINATION", "/run/out/"),
        ("BUILDKIT_SCAN_SOURCE", "/run/src/core/sbom"),
        ("BUILDKIT_SCAN_SOURCE_EXTRAS", "/run/src/extras"),
    )


def test_a_scanner_that_has_nothing_extra_hears_of_no_extras() -> None:
    scanner = image_scanner("x", IMAGE, Exec(base=None, args=("x",), platform=host_platform()), (), [])
    assert "BUILDKIT_SCAN_SOURCE_EXTRAS" not in dict(prepared(scanner, has_extras=False).env)


def test_the_same_scan_has_the_same_key() -> None:
    again = syft(Program(path=Path("/elsewhere/syft"), version="1.0"), {})
    assert scan_key(syft(PROGRAM, {}), [(CORE, ["a"])]) == scan_key(again, [(CORE, ["a"])])


def test_another_version_parameter_layer_or_name_is_another_scan() -> None:
    newer = Program(path=PROGRAM.path, version="1.1")
    keys = [
        scan_key(syft(PROGRAM, {}), [(CORE, ["a"])]),
        scan_key(syft(newer, {}), [(CORE, ["a"])]),
        scan_key(syft(PROGRAM, {"FILE_METADATA": "none"}), [(CORE, ["a"])]),
        scan_key(syft(PROGRAM, {}), [(CORE, ["a", "b"])]),
        scan_key(syft(PROGRAM, {}, name="sbom-context"), [("sbom-context", ["a"])]),
        scan_key(
            image_scanner("x", IMAGE, Exec(base=None, args=(), platform=host_platform()), (), []),
            [(CORE, ["a"])],
        ),
    ]
    assert len(set(keys)) == len(keys)
