"""Pull and push by a Docker Engine: it talks to the registry itself, with the credentials of our environment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from builder.oci.digest import Digest
from builder.store.engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from builder.oci.reference import Reference
    from builder.platforms import Platform
    from builder.store.engine.engine import Engine

_DONE: Final = ("Pull complete", "Already exists", "Pushed", "Layer already exists", "Mounted from")
_RESULT: Final = re.compile(r"digest: (sha256:[a-f0-9]{64}) size: (\d+)", re.ASCII)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """News of a layer: what the engine calls it, what it does with it, and how far it is in bytes."""

    layer: str
    status: str
    current: int
    total: int | None
    done: bool


class Sent(msgspec.Struct, frozen=True):
    """What the registry has now under the name: digest and size in bytes of the root."""

    digest: Digest
    size: int


def pull_by_engine(
    engine: Engine, reference: Reference, *, platform: Platform | None, report: Callable[[Step], None]
) -> bool:
    """Fetches one platform of the image (None: the engine's own choice); whether anything was new.

    Raises: EngineError, also for what the registry refuses.
    """
    with engine.errors("docker pull"):
        answers = engine.client.pull(
            reference.repository,
            tag=_tag(reference),
            stream=True,
            decode=True,
            platform=str(platform) if platform else None,
        )
        said = list(_followed(answers, "pull", reference, report))
    return not any("Image is up to date" in status for status in said)


def push_by_engine(engine: Engine, reference: Reference, *, report: Callable[[Step], None]) -> Sent:
    """Sends the image to the registry of its name. Raises: EngineError, also for what the registry refuses."""
    with engine.errors("docker push"):
        answers = engine.client.push(reference.repository, tag=_tag(reference), stream=True, decode=True)
        said = list(_followed(answers, "push", reference, report))
    # Engines with the containerd image store say it in these words only.
    results = [found for status in said if (found := _RESULT.search(status))]
    if not results:
        raise EngineError(f"the Docker Engine does not say what it has pushed as {reference.familiar}")
    return Sent(Digest.parse(results[-1][1]), int(results[-1][2]))


def _tag(reference: Reference) -> str:
    return str(reference.digest) if reference.digest else reference.tag


def _followed(
    answers: Iterable[Mapping[str, object]],
    what: str,
    reference: Reference,
    report: Callable[[Step], None],
) -> Iterable[str]:
    """What the engine says; of layers also to `report`."""
    for answer in answers:
        if refusal := answer.get("error"):
            raise EngineError(f"the Docker Engine cannot {what} {reference.familiar}: {refusal}")
        status, layer = str(answer.get("status", "")), answer.get("id")
        progress = answer.get("progressDetail")
        if isinstance(layer, str) and isinstance(progress, dict):
            current, total = progress.get("current", 0), progress.get("total")
            done = status.startswith(_DONE)
            report(Step(layer=layer, status=status, current=current, total=total, done=done))
        yield status
