"""Where a build delivers: asked before the first step what it takes, so that no long build ends in vain.

A destination that says no ends the build before it begins, with a way out; one that is optional is left out.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from builder.oci.digest import Digest
from builder.store.containerd.address import Address
from builder.system.errors import Cancelled, DockyardError
from builder.system.room import require_room
from builder.system.values import Value
from exporter.outputs import (
    DockerOutput,
    ImageOutput,
    LoadOutput,
    LocalOutput,
    OciOutput,
    TarOutput,
    describe_output,
)

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import ExitStack

    from builder.api.pushing import RegistryPusher
    from builder.progress.stream import Stream
    from builder.registry.probe import Feature
    from builder.registry.registries import Registries
    from builder.source.origins import Origins
    from builder.store.containerd.store import ContainerdStore
    from builder.store.embedded import EmbeddedStore
    from exporter.outputs import Output
    from exporter.push import Pusher


class Destinations(Value, frozen=True):
    """The outputs that can be delivered, with what they need open.

    `daemons` are those that outputs name; `pusher` is None when nothing is pushed; `origins` have layers that
    the store lacks.
    """

    outputs: tuple[Output, ...]
    daemons: Mapping[Address, ContainerdStore]
    pusher: Pusher | None
    origins: Origins

    def take_artifacts(self) -> bool:
        """Whether every destination keeps manifests with a subject and an empty config (OCI 1.1).

        Stores, engines with containerd's image store and layouts do; registries are asked, and one that does
        not say is taken to. Raises: RegistryError.
        """
        pusher = self.pusher
        return pusher is None or all(
            pusher.takes_artifacts(name, insecure=output.insecure)
            for output in self.outputs
            if isinstance(output, ImageOutput) and output.push
            for name in output.references
        )


def open_registries(stack: ExitStack, cancelled: threading.Event) -> Registries:
    """Registries as this process's environment configures them; `stack` closes them."""
    # Loaded here because most builds talk to no registry.
    from builder.registry.registries import Registries

    return stack.enter_context(Registries(os.environ, cancelled=cancelled))


def open_destinations(
    outputs: Sequence[Output],
    store: EmbeddedStore,
    stream: Stream,
    stack: ExitStack,
    *,
    registries: Callable[[], Registries],
    origins: Origins,
    several: bool,
    attested: bool,
) -> Destinations:
    """Asks every destination of `outputs`; `stack` closes what is opened.

    `origins` have layers that the store lacks; `several`: the build has more than one platform; `attested`: it
    has attestations.
    Raises: DockyardError for what is not optional and will not take what the build is going to make.
    """
    require_room(store.root.path)
    opener = _Opener(store, stream, stack, registries, origins, several=several, attested=attested)
    possible = tuple(output for output in outputs if _possible(output, opener, stream))
    return Destinations(outputs=possible, daemons=opener.daemons, pusher=opener.pusher, origins=origins)


def _possible(output: Output, opener: _Opener, stream: Stream) -> bool:
    try:
        opener.open(output)
    except Cancelled:
        raise
    except (DockyardError, OSError) as error:
        if not output.optional:
            raise
        said = f"the optional output {describe_output(output)} is left out: {error}"
        name = "[internal] ask destinations"
        with stream.vertex(Digest.of(name.encode()), name):
            stream.warning(Digest.of(name.encode()), said)
        return False
    return True


class _Opener:
    """Opens each thing once, however many outputs want it."""

    def __init__(
        self,
        store: EmbeddedStore,
        stream: Stream,
        stack: ExitStack,
        registries: Callable[[], Registries],
        origins: Origins,
        *,
        several: bool,
        attested: bool,
    ) -> None:
        self._store = store
        self._stream = stream
        self._stack = stack
        self._registries = registries
        self._origins = origins
        self._several = several
        self._attested = attested
        self.daemons: dict[Address, ContainerdStore] = {}
        self.pusher: RegistryPusher | None = None

    def open(self, output: Output) -> None:
        match output:
            case ImageOutput():
                if isinstance(output.place, Address):
                    self._open_daemon(output.place)
                if output.push:
                    self._ask_registries(output)
            case OciOutput() | DockerOutput() | TarOutput() | LocalOutput():
                if output.dest is not None:
                    require_room(output.dest)
            case LoadOutput():
                # The engine has been asked already: what it can hold decides which outputs there are.
                pass

    def _open_daemon(self, address: Address) -> None:
        from builder.store.containerd.store import ContainerdStore

        if address not in self.daemons:
            self.daemons[address] = self._stack.enter_context(ContainerdStore(address))

    def _ask_registries(self, output: ImageOutput) -> None:
        from builder.api.pushing import RegistryPusher

        if self.pusher is None:
            self.pusher = RegistryPusher(self._store, self._registries(), self._stream, self._origins)
        for name in output.references:
            self.pusher.require(name, self._features(output), insecure=output.insecure)

    def _features(self, output: ImageOutput) -> Iterator[Feature]:
        if self._several or self._attested:
            yield "index"
        if self._attested and output.oci_artifact:
            yield "artifact"
        if output.compression == "zstd":
            yield "zstd"
