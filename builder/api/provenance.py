"""The provenance of one build, from what its witness, its graph and its solution say.

With a source date epoch nothing in it depends on when, or how often, the build ran: the times are the epoch, and
the invocation's id follows from what was asked for and from the graph.
"""

from __future__ import annotations

import os
import time
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec

from builder.api.request import dockerfile_source, frontend_request
from builder.oci.digest import Digest, encode_json
from builder.platforms import host_platform
from builder.source.vcs import local_directories
from exporter.attest.options import ProvenanceOptions
from exporter.attest.provenance.chains import layer_chains
from exporter.attest.provenance.definition import definition_digest
from exporter.attest.provenance.facts import BuildFacts, ResultFacts
from exporter.attest.provenance.make import encode_predicate, provenance, provenance_attestation
from exporter.attest.provenance.materials import materials_of
from exporter.attest.provenance.predicate import convert
from exporter.times import format_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.api.inputs import Inputs
    from builder.api.options import BuildOptions
    from builder.api.witness import Witness
    from builder.graph import Target
    from builder.solver.solve import Solution
    from exporter.assemble import Layer
    from exporter.attest.options import Mode
    from exporter.attest.statement import Attestation

_BILLION: Final = 1_000_000_000
_ID_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_ID_LENGTH: Final = 25


class Account:
    """How the results of one build came about. Ask it when the targets have been solved."""

    def __init__(
        self,
        options: BuildOptions,
        witness: Witness,
        targets: Sequence[Target],
        solution: Solution,
        *,
        inputs: Inputs,
        epoch: int | None,
    ) -> None:
        """`epoch` in seconds, if the build has one."""
        self._options = options
        self._witness = witness
        self._targets = targets
        self._solution = solution
        self._inputs = inputs
        self._epoch = epoch

    @cached_property
    def build(self) -> BuildFacts:
        """What holds for all platforms; made once, because all of them were built at one time."""
        request = frontend_request(self._options, self._targets, self._solution.remotes)
        started, finished = self._witness.started_ns, time.time_ns()
        seed = os.urandom(32)
        if self._epoch is not None:
            started = finished = self._epoch * _BILLION
            steps = [definition_digest(each.vertex) for each in self._targets]
            seed = encode_json([request, steps, self._epoch])
        return BuildFacts(
            request=request,
            builder_platform=host_platform(),
            dockerfile_version=_version(),
            invocation_id=_identifier(seed),
            started=format_time(started),
            finished=format_time(finished),
            vcs=self._vcs(),
            dockerfile_source=dockerfile_source(self._options),
        )

    def result(self, target: int, layers: Sequence[Layer] | None) -> ResultFacts:
        """What holds for one of the targets, whose `layers` have been exported, if any."""
        chosen = self._targets[target]
        materials = materials_of(
            chosen, self._targets, meanings=self._inputs.meanings, remotes=self._solution.remotes
        )
        chains = layer_chains(chosen.vertex, [each.descriptor for each in layers or ()])
        return ResultFacts(vertex=chosen.vertex, materials=materials, chains=chains)

    def described(self, mode: Mode) -> dict[str, msgspec.Raw]:
        """The provenance of each platform for the caller, in the words of v0.2; `min` leaves steps and times out.

        Source: buildx's `--metadata-file`.
        """
        asked = self._options.provenance
        options = ProvenanceOptions(builder_id=asked.builder_id if asked else "")
        found = {}
        for number, target in enumerate(self._targets):
            made = convert(provenance(self.build, self.result(number, None), options))
            if mode == "min":
                made = msgspec.structs.replace(made, build_config=None, metadata=None)
            found[str(target.platform)] = encode_predicate(made)
        return found

    def _vcs(self) -> dict[str, str]:
        checkout = self._witness.checkout()
        if checkout is None or not self._options.vcs.info:
            return {}
        directories = local_directories(checkout, self._inputs.directories)
        facts = {"revision": checkout.revision, "source": checkout.source}
        facts |= {f"localdir:{name}": path for name, path in directories.items()}
        return {name: facts[name] for name in sorted(facts) if facts[name]}


class ProvenanceSource:
    """Attests how a build was made (`exporter.attest.source.AttestationSource`)."""

    def __init__(self, options: ProvenanceOptions, account: Account) -> None:
        self._options = options
        self._account = account

    def attestations(self, target: int, layers: Sequence[Layer] | None) -> tuple[Attestation, ...]:
        """One attestation: the provenance of the target."""
        made = provenance(self._account.build, self._account.result(target, layers), self._options)
        return (provenance_attestation(made, self._options),)


def _version() -> str:
    from builder import __version__

    return __version__


def _identifier(seed: bytes) -> str:
    """An id in the form of BuildKit's: 25 digits of base 36, which follow from `seed`."""
    number = int(Digest.of(seed).hex, 16)
    digits = []
    for _ in range(_ID_LENGTH):
        number, digit = divmod(number, len(_ID_DIGITS))
        digits.append(_ID_DIGITS[digit])
    return "".join(digits)
