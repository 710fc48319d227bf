"""Which emulator runs which platform, and what the kernel is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.executor import emulation
from builder.executor.errors import ExecutorError
from builder.platforms import Platform, parse_platform

if TYPE_CHECKING:
    from pathlib import Path

AARCH64 = (
    rb":qemu-aarch64:M::\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
    rb":\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/usr/bin/true:OPF"
)
S390X = (
    rb":qemu-s390x:M::\x7f\x45\x4c\x46\x02\x02\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x16"
    rb":\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff:/usr/bin/true:OPF"
)
REGISTERED = """\
enabled
interpreter /usr/bin/qemu-aarch64-static
flags: POCF
offset 0
magic 7f454c460201010000000000000000000200b700
mask ffffffffffffff00fffffffffffffffffeffffff
"""


def header(architecture: str) -> bytes:
    return emulation._ELF[architecture].header()


def registration(line: bytes) -> emulation.Registration:
    found = emulation.parse_line(line)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("line", "matching", "other"), [(AARCH64, "arm64", "s390x"), (S390X, "s390x", "ppc64")]
)
def test_a_rule_is_chosen_by_the_programs_that_it_matches(line: bytes, matching: str, other: str) -> None:
    found = registration(line)
    assert found.matches(header(matching)) and not found.matches(header(other))


def test_the_registered_line_always_has_the_flags_for_containers() -> None:
    assert registration(AARCH64).line().endswith(":/usr/bin/true:CFOP")


def test_parsing_and_printing_a_rule_are_inverse() -> None:
    found = registration(AARCH64)
    again = registration(found.line().encode())
    assert again._replace(flags="") == found._replace(flags="")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"# comment",
        b":ext:E::jar::/usr/bin/jar:",
        b":short:M::\\x7f",
        b":o:M:4:\\x7f:\\xff:/x:",
        b":m:M::ab:c:/x:",
    ],
)
def test_other_lines_of_binfmt_files_are_left_out(line: bytes) -> None:
    assert emulation.parse_line(line) is None


@given(st.binary(max_size=80))
def test_no_line_makes_the_parser_fail(line: bytes) -> None:
    found = emulation.parse_line(line)
    assert found is None or len(found.magic) == len(found.mask)


def test_a_rule_without_a_mask_compares_every_byte() -> None:
    found = registration(rb":x:M::\x7f\x45::/usr/bin/true:F")
    assert found.mask == b"\xff\xff"


def test_a_registration_of_the_host_is_read_as_the_kernel_shows_it() -> None:
    found = emulation.parse_registered("qemu-aarch64", REGISTERED)
    assert found is not None and found.flags == "POCF" and found.matches(header("arm64"))


def test_a_disabled_registration_of_the_host_does_not_count() -> None:
    assert emulation.parse_registered("x", REGISTERED.replace("enabled", "disabled")) is None


def test_registrations_of_the_host_are_read_from_its_directory(tmp_path: Path) -> None:
    for name, text in (("qemu-aarch64", REGISTERED), ("register", ""), ("status", "enabled\n")):
        (tmp_path / name).write_text(text)
    assert [each.name for each in emulation.host_registrations(tmp_path)] == ["qemu-aarch64"]


def test_what_an_administrator_wrote_comes_first(tmp_path: Path) -> None:
    for name in ("etc", "lib"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "q.conf").write_bytes(AARCH64.replace(b"qemu-aarch64", name.encode()) + b"\n")
    rules = emulation.packaged_registrations((tmp_path / "etc", tmp_path / "lib"))
    found = emulation.find_registration(header("arm64"), rules)
    assert found is not None and found.name == "etc"


def test_a_rule_whose_emulator_is_not_installed_is_passed_over() -> None:
    missing = registration(AARCH64.replace(b"/usr/bin/true", b"/nonexistent/qemu"))
    assert emulation.find_registration(header("arm64"), [missing]) is None


@pytest.mark.parametrize(
    ("host", "platform"), [("amd64", "amd64"), ("amd64", "386"), ("amd64", "amd64/v3"), ("arm", "arm/v5")]
)
def test_platforms_of_the_same_family_need_no_emulator(host: str, platform: str) -> None:
    assert emulation.runs_natively(parse_platform(f"linux/{platform}"), Platform("linux", host))


@pytest.mark.parametrize(("host", "platform"), [("amd64", "arm64"), ("386", "amd64"), ("arm64", "amd64")])
def test_platforms_of_other_families_need_one(host: str, platform: str) -> None:
    assert not emulation.runs_natively(Platform("linux", platform), Platform("linux", host))


def test_a_platform_without_any_emulator_is_refused_by_name() -> None:
    with pytest.raises(ExecutorError, match="no emulator is known for linux/wasm"):
        emulation.find_emulation(Platform("linux", "wasm"))
