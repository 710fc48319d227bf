"""What a caller asked for, in the words of BuildKit's frontend attributes: the form in which provenance says it.

Source: buildx, which sends these attributes; BuildKit's Dockerfile frontend, which reads them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from builder.api.inputs import MAIN_CONTEXT
from builder.graph import Local, walk
from exporter.attest.provenance.facts import Request
from exporter.attest.provenance.redact import redacted
from frontend import read_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.api.options import BuildOptions
    from builder.graph import Target

_FRONTEND: Final = "dockerfile.v0"
_DOCKERFILE: Final = "Dockerfile"
_DOCKERFILE_SOURCE: Final = "dockerfile"
_LAYOUT: Final = "oci-layout://"


def frontend_request(options: BuildOptions, targets: Sequence[Target]) -> Request:
    """The request that `options` stand for; of a graph without a Dockerfile only what the graph uses.

    Whether the cache was to be used is left out, unlike in BuildKit: the result is the same either way.
    """
    roots = (each.vertex for each in targets if each.vertex is not None)
    used = {each.operation.name for each in walk(roots) if isinstance(each.operation, Local)}
    if options.definition is not None:
        return Request(locals=tuple(sorted(used)))
    used.add(_DOCKERFILE_SOURCE)
    is_remote = options.context is not None and read_address(options.context) is not None
    if options.context is not None and not is_remote:
        used.add(MAIN_CONTEXT)
    return Request(
        frontend=_FRONTEND,
        filename=_DOCKERFILE if options.dockerfile is None else Path(options.dockerfile).name,
        args=_arguments(options),
        locals=tuple(sorted(used)),
        context_uri=options.context or "" if is_remote else "",
    )


def _arguments(options: BuildOptions) -> dict[str, str]:
    given = {
        "target": options.target,
        "force-network-mode": "" if options.network == "default" else options.network,
        "add-hosts": ",".join(f"{name}={address}" for name, address in options.extra_hosts),
        "shm-size": str(options.shm_size or ""),
        "ulimit": ",".join(f"{name}={soft}:{hard}" for name, soft, hard in options.ulimits),
    }
    arguments = {name: value for name, value in given.items() if value}
    arguments |= {f"build-arg:{name}": value for name, value in options.build_args.items()}
    arguments |= {f"label:{name}": value for name, value in options.labels.items()}
    arguments |= {f"context:{name}": _context(name, spec) for name, spec in options.build_contexts.items()}
    return arguments


def _context(name: str, spec: str) -> str:
    """Where a named context comes from, without the paths of this machine."""
    if spec.startswith(_LAYOUT):
        return f"{_LAYOUT}{name}"
    is_elsewhere = "://" in spec or spec.startswith("target:") or read_address(spec) is not None
    return redacted(spec) if is_elsewhere else f"local:{name}"
