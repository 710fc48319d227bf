"""The registries of a build: opened when a name needs them, asked before the first step what they will take."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exporter.outputs import ImageOutput

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence
    from contextlib import ExitStack

    from builder.api.pushing import RegistryPusher
    from builder.progress.stream import Stream
    from builder.registry.probe import Feature
    from builder.registry.registries import Registries
    from builder.store.embedded import EmbeddedStore
    from exporter.outputs import Output


def open_registries(stack: ExitStack, cancelled: threading.Event) -> Registries:
    """Registries as this process's environment configures them; `stack` closes them."""
    # Loaded here because most builds talk to no registry.
    from builder.registry.registries import Registries

    return stack.enter_context(Registries(os.environ, cancelled=cancelled))


def open_pusher(
    outputs: Sequence[Output],
    store: EmbeddedStore,
    stream: Stream,
    registries: Callable[[], Registries],
    *,
    several: bool,
) -> RegistryPusher | None:
    """What pushes the image outputs that say so; None when there are none.

    `several`: the build has more than one platform.
    Raises: RegistryError for a registry that will not take what the build is going to make.
    """
    pushed = [output for output in outputs if isinstance(output, ImageOutput) and output.push]
    if not pushed:
        return None
    from builder.api.pushing import RegistryPusher

    pusher = RegistryPusher(store, registries(), stream)
    for output in pushed:
        for name in output.references:
            pusher.require(name, _features(output, several=several), insecure=output.insecure)
    return pusher


def _features(output: ImageOutput, *, several: bool) -> list[Feature]:
    features: list[Feature] = ["index"] if several else []
    if output.compression == "zstd":
        features.append("zstd")
    return features
