"""Policy files: read strictly, with every mistake named by its line."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from builder.oci.digest import Digest
from exporter.attest.policy.lines import key_lines, written
from exporter.attest.policy.policy import Policy
from exporter.attest.policy.reading import load_policy, parse_policy
from exporter.attest.policy.table import InvalidPolicy
from exporter.attest.signing.keyfiles import generate_private_key

if TYPE_CHECKING:
    from pathlib import Path

KEY = generate_private_key().public
DIGEST = "sha256:" + "1" * 64


def _read(name: str) -> bytes:
    if name == "pins.toml":
        return f'[pins]\n"debian:12" = "{DIGEST}"\n'.encode()
    if name != "key.pub":
        raise ValueError(f"{name}: No such file or directory")
    return KEY.pem


def parse(text: str) -> Policy:
    return parse_policy(text, origin="policy.toml", read=_read)


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidPolicy) as caught:
        parse(text)
    return caught.value.message.split("\n")


def test_an_empty_policy_asks_for_nothing() -> None:
    assert parse("") == Policy(origin="policy.toml")


def test_values_are_typed_and_files_are_read_where_they_are_named() -> None:
    policy = parse('[signatures]\nkeys = ["key.pub"]\n[age]\nsbom = "30d"\n[inputs]\npins = "pins.toml"\n')
    assert policy.signatures.keys == (KEY,)
    assert policy.age.sbom == timedelta(days=30)
    assert policy.inputs.pins == {"docker.io/library/debian:12": Digest(DIGEST)}


def test_all_mistakes_are_reported_at_once_by_line_and_key() -> None:
    text = """\
require_complete = true
platforms = ["linux/amd64", 7]
[provenance]
bilders = ["x"]
mode = "maximal"
[[packages.forbidden]]
name = "a"
version = "=>3"
[[packages.forbidden]]
[signatures]
keys = ["other.pub"]
"""
    assert problems(text) == [
        "policy.toml:1: require_complete: no such key; did you mean 'require-complete'?",
        "policy.toml:2: platforms[1]: must be a string",
        "policy.toml:4: provenance.bilders: no such key; did you mean 'builders'?",
        "policy.toml:5: provenance.mode: 'maximal' is unknown; did you mean 'max'?",
        "policy.toml:8: packages.forbidden[0].version: '=>3' is no range of versions, as '>=3.0, <3.0.2' is",
        "policy.toml:9: packages.forbidden[1].name: the rule must say which package, by name or by purl",
        "policy.toml:10: signatures.threshold: 0 different keys can never be 1",
        "policy.toml:11: signatures.keys[0]: other.pub: No such file or directory",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version = 2", "knows version 1"),
        ("labels = 1", "must be a table"),
        ('[attestations]\nrequired = ["sbon"]', "no predicate type"),
        ('[materials.pins]\n"x" = "1"', "no digest"),
        ('[bases]\ndigests = ["sha256:1"]', "sha256:1"),
        ('[age]\nsbom = "1 month"', "no length of time"),
        ("[packages]\nforbidden = [1]", "must be a table"),
        ('[signatures]\nkeys = ["key.pub", "key.pub"]\nthreshold = 2', "1 different keys"),
        ("a = [", "no TOML"),
    ],
)
def test_a_mistake_is_named(text: str, message: str) -> None:
    assert message in problems(text)[0]


def test_a_mistake_shows_its_line() -> None:
    with pytest.raises(InvalidPolicy) as caught:
        parse("[labels]\n\n\nx = 1\n")
    assert [location.first for location in caught.value.locations] == [4]


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_bytes(b"\xff")
    with pytest.raises(InvalidPolicy, match="UTF-8"):
        load_policy(tmp_path / "policy.toml")


def test_keys_are_found_on_their_lines_in_arrays_tables_and_strings() -> None:
    text = 'a = [\n "b",\n]\n[[c.d]]\ne = """\n[x]\n"""\n[[c.d]]\n"f.g".h = 1\n'
    lines = {written(path): line for path, line in key_lines(text).items()}
    assert (lines["a[0]"], lines["c.d[0].e"], lines["c.d[1]"], lines["c.d[1].f.g.h"]) == (1, 5, 8, 9)
    assert "x" not in lines
