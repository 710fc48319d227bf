"""`dockyard build --policy`: what a build may start from is looked at before its first step."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from builder import BuildOptions, find_base
from builder import build as build_image
from builder.api.guarding import InputsRefused
from builder.graph import Description, Exec, Target, vertex
from builder.platforms import Platform
from exporter.attest.policy.reading import parse_policy

if TYPE_CHECKING:
    from command import Command, Said

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="building needs root"),
]


PLATFORM = Platform("linux", "amd64")


class Build(Protocol):
    """Builds a Dockerfile under a policy."""

    def __call__(self, dockerfile: str, policy: str, *options: str) -> Said: ...


@pytest.fixture
def build(command: Command, tmp_path: Path) -> Build:
    """The store has `base:1`, without any attestation, and `made:1`, with provenance and a label."""
    context = tmp_path / "context"
    context.mkdir()
    (context / "file").write_text("content\n")
    command.make_image("docker.io/library/base:1")
    (context / "Dockerfile").write_text("FROM scratch\nLABEL team=shop\nCOPY file /\n")
    assert (
        command("build", "-t", "made:1", "--provenance", "mode=max,builder-id=https://ci", str(context)).code
        == 0
    )

    def run(dockerfile: str, policy: str, *options: str) -> Said:
        (context / "Dockerfile").write_text(dockerfile)
        (context / "policy.toml").write_text(policy)
        words = ("--progress", "plain", "--policy", str(context / "policy.toml"), *options, str(context))
        return command("build", *words)

    return run


def _refused(said: Said, line: str, *reasons: str) -> None:
    assert said.code == 1
    assert line in said.err
    for reason in reasons:
        assert reason in said.err
    assert "RUN" not in said.err.partition("------")[0]


def test_an_image_that_the_policy_does_not_name_is_refused_with_its_line(build: Build) -> None:
    said = build("FROM base:1\nRUN x\n", '[inputs]\nimages = ["docker.io/library/made:*"]\n')
    _refused(said, "   1 | >>> FROM base:1", "docker.io/library/base:1 is refused by", "[inputs.images]")
    assert "nothing was built" in said.err


@pytest.mark.parametrize(
    ("dockerfile", "line"),
    [
        ("FROM scratch\nCOPY --from=base:1 /x /\n", "   2 | >>> COPY --from=base:1 /x /"),
        ("FROM scratch AS one\nCOPY file /\nFROM base:1\nCOPY --from=one / /\n", "   3 | >>> FROM base:1"),
        ("FROM named\nRUN x\n", "   1 | >>> FROM named"),
    ],
)
def test_images_are_refused_wherever_a_dockerfile_names_them(
    build: Build, dockerfile: str, line: str
) -> None:
    policy = '[inputs]\nimages = ["docker.io/library/made:*"]\n'
    said = build(dockerfile, policy, "--build-context", "named=docker-image://base:1")
    _refused(said, line, "docker.io/library/base:1")


def test_a_base_without_attestations_is_refused_where_they_are_asked_for(build: Build) -> None:
    policy = '[attestations]\nrequired = ["provenance"]\n[provenance]\nbuilders = ["https://ci"]\n'
    said = build("FROM base:1\nRUN x\n", policy)
    _refused(said, ">>> FROM base:1", "[attestations.required] there is no provenance")
    assert build("FROM made:1\nLABEL a=b\n", policy).code == 0


def test_a_base_by_another_builder_or_without_a_label_is_refused_for_both(build: Build) -> None:
    said = build("FROM made:1\nRUN x\n", '[provenance]\nbuilders = ["https://x"]\n[labels]\nteam = "bank"\n')
    _refused(
        said, ">>> FROM made:1", "[provenance.builders] builder https://ci", "[labels.team] team is 'shop'"
    )


def test_a_base_must_be_signed_by_a_key_of_the_policy(
    build: Build, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COSIGN_PASSWORD", "")
    for name in ("ours", "theirs"):
        assert command("generate-key-pair", "--output-key-prefix", name).code == 0
        Path("context", f"{name}.pub").write_bytes(Path(f"{name}.pub").read_bytes())
    assert command("sign", "--key", "ours.key", "made:1").code == 0
    policy = '[signatures]\nkeys = ["{}.pub"]\n'
    assert build("FROM made:1\nLABEL a=b\n", policy.format("ours")).code == 0
    _refused(build("FROM made:1\nRUN x\n", policy.format("theirs")), ">>> FROM made:1", "[signatures.signed]")


def test_pins_are_recorded_and_a_name_that_moved_is_refused(
    build: Build, command: Command, tmp_path: Path
) -> None:
    metadata, pins = tmp_path / "metadata.json", tmp_path / "context/pins.toml"
    pins.write_text("[pins]\n")
    policy = '[inputs]\npins = "pins.toml"\n'
    assert build("FROM made:1\nLABEL a=b\n", policy, "--metadata-file", str(metadata)).code == 0
    found = json.loads(metadata.read_text())["dockyard.pins"]
    pins.write_text("[pins]\n" + "".join(f'"{name}" = "{digest}"\n' for name, digest in found.items()))
    assert build("FROM made:1\nLABEL a=b\n", policy).code == 0
    assert command("tag", "base:1", "made:1").code == 0
    _refused(
        build("FROM made:1\nRUN x\n", policy), ">>> FROM made:1", "[inputs.pins.docker.io/library/made:1]"
    )


def test_images_without_digest_are_refused_where_digests_are_asked_for(build: Build) -> None:
    said = build("FROM made:1\nRUN x\n", "[inputs]\ndigests = true\n")
    _refused(
        said, ">>> FROM made:1", "[inputs.digests] has no digest", "write docker.io/library/made:1@sha256:"
    )


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        ("https://example.invalid/x", "[inputs.checksums]"),
        ("https://example.invalid/repo.git", "[inputs.checksums]"),
        ("--checksum=sha256:" + "1" * 64 + " https://example.invalid/x", "[inputs.http]"),
        ("https://example.invalid/repo.git#" + "1" * 40, "[inputs.git]"),
    ],
)
def test_what_add_fetches_must_be_allowed_and_known(build: Build, source: str, rule: str) -> None:
    policy = '[inputs]\nchecksums = true\nhttp = ["https://files/*"]\ngit = ["https://git/*"]\n'
    _refused(build(f"FROM scratch\nADD {source} /\n", policy), f"   2 | >>> ADD {source} /", rule)


def test_a_context_that_is_not_allowed_is_not_fetched(command: Command, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[inputs]\ngit = ["https://git/*"]\n')
    said = command("build", "--policy", str(policy), "https://user:pass@example.invalid/repo.git")
    assert said.code == 1
    assert "[inputs.git]" in said.err
    assert "pass" not in said.err


def test_the_bases_of_a_graph_without_dockerfile_are_judged(build: Build, command: Command) -> None:
    base = find_base("base:1", root=command.root)
    bottom = vertex(base.operation, description=Description(name="the base"))
    step = vertex(
        Exec(base=0, args=("x",), platform=PLATFORM), bottom, description=Description(name="a step")
    )
    target = Target(platform=PLATFORM, vertex=step, config=base.config)
    policy = parse_policy('[attestations]\nrequired = ["sbom"]\n', origin="p.toml", read=lambda _: b"")
    with pytest.raises(InputsRefused, match=r"base:1 \(linux/amd64\) is refused by p.toml.*there is no sbom"):
        build_image(BuildOptions(definition=(target,), policies=(policy,), root=command.root))


def test_a_policy_that_cannot_be_read_is_wrong_usage(build: Build) -> None:
    said = build("FROM scratch\n", "[imputs]\n")
    assert said.code == 2
    assert "did you mean 'inputs'?" in said.err
