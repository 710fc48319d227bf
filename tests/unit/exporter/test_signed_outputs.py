"""A build that is to be signed needs an output that can carry signatures, and says so before any work."""

from __future__ import annotations

import pytest

from builder.api.options import BuildOptions
from builder.api.outputs import chosen_outputs
from exporter.attest.signing.keyfiles import generate_private_key
from exporter.attest.signing.options import SigningOptions
from exporter.errors import InvalidOutput
from exporter.outputspec import parse_output

SIGNING = SigningOptions(signers=(generate_private_key(),))


def options(*outputs: str) -> BuildOptions:
    return BuildOptions(outputs=tuple(map(parse_output, outputs)), signing=SIGNING)


@pytest.mark.parametrize("output", ["type=local,dest=out", "type=tar,dest=out.tar", "type=cacheonly"])
def test_a_build_that_could_not_be_signed_is_refused(output: str) -> None:
    with pytest.raises(InvalidOutput, match="can carry signatures"):
        chosen_outputs(options(output))


@pytest.mark.parametrize(
    "output", ["type=image", "type=oci,dest=out.tar", "type=image,name=example.org/a,push=true"]
)
def test_stores_registries_and_archives_carry_signatures(output: str) -> None:
    assert chosen_outputs(options(output, "type=local,dest=out"))


def test_without_a_key_every_output_will_do() -> None:
    assert chosen_outputs(BuildOptions(outputs=(parse_output("type=cacheonly"),)))
