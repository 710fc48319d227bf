"""What is learned about a build while it runs, for those who say something about it afterwards.

In-toto's types and the facts of the repository around the context come from threads of their own, because a
build that finds everything in its cache takes hardly longer than they do. The types are needed for what is new.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from builder.source.errors import SourceError
from builder.source.vcs import local_directories, read_checkout

if TYPE_CHECKING:
    from collections.abc import Callable

    from builder.api.options import BuildOptions
    from builder.source.vcs import Checkout

_REVISION: Final = "org.opencontainers.image.revision"
_SOURCE: Final = "org.opencontainers.image.source"
_ENTRYPOINT: Final = "com.docker.image.source.entrypoint"


class Witness:
    """Sees one build from its beginning. `started_ns` is when that was, in nanoseconds since the epoch."""

    def __init__(self, options: BuildOptions) -> None:
        self.started_ns = time.time_ns()
        self.trouble = ""
        """Why nothing is known of a repository that is there; known after `checkout`."""
        self._options = options
        self._checkout: Checkout | None = None
        self._awaits_types = options.provenance is not None or options.sbom is not None
        described = options.provenance is not None or options.metadata_provenance is not None
        wanted = (options.vcs.info and described) or options.vcs.labels
        self._reading = (
            _begin(self._read_checkout)
            if wanted and options.context is not None and Path(options.context).is_dir()
            else None
        )

    def expect_news(self) -> None:
        """Something is made that was not there before, so statements will be made that nobody has checked."""
        if self._awaits_types:
            self._awaits_types = False
            _begin(_load_types)

    def checkout(self) -> Checkout | None:
        """The repository around the context; waits for git. None when there is none, or nobody asked."""
        if self._reading is not None:
            self._reading.join()
        return self._checkout

    def labels(self) -> dict[str, str]:
        """What the repository says as labels of the image. Source: buildx's BUILDX_GIT_LABELS."""
        checkout = self.checkout() if self._options.vcs.labels else None
        if checkout is None:
            return {}
        context = Path(self._options.context or "")
        dockerfile = Path(self._options.dockerfile) if self._options.dockerfile else context / "Dockerfile"
        found = local_directories(checkout, {"dockerfile": dockerfile})
        labels = {
            _REVISION: checkout.revision,
            _SOURCE: checkout.source,
            _ENTRYPOINT: found.get("dockerfile", ""),
        }
        return {name: value for name, value in labels.items() if value}

    def _read_checkout(self) -> None:
        assert self._options.context is not None
        try:
            self._checkout = read_checkout(
                Path(self._options.context), check_dirty=self._options.vcs.check_dirty
            )
        except (SourceError, OSError) as error:
            self.trouble = str(error)


def _load_types() -> None:
    from exporter.attest.statement import load_types

    load_types()


def _begin(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, name=f"dockyard-{work.__name__.strip('_')}", daemon=True)
    thread.start()
    return thread
