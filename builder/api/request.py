"""What a caller asked for, in the words of BuildKit's frontend attributes: the form in which provenance says it.

Source: buildx, which sends these attributes; BuildKit's Dockerfile frontend, which reads them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from builder.api.inputs import MAIN_CONTEXT
from builder.api.maincontext import ARCHIVE
from builder.graph import Git, Local, walk
from exporter.attest.provenance.facts import Request
from exporter.attest.provenance.materials import source_digest
from exporter.attest.provenance.redact import redacted
from frontend import read_address

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from builder.api.options import BuildOptions
    from builder.graph import Http, Operation, Target

_FRONTEND: Final = "dockerfile.v0"
_DOCKERFILE: Final = "Dockerfile"
_DOCKERFILE_SOURCE: Final = "dockerfile"
_LAYOUT: Final = "oci-layout://"


def frontend_request(
    options: BuildOptions, targets: Sequence[Target], remotes: Mapping[Http | Git, str]
) -> Request:
    """The request that `options` stand for; of a graph without a Dockerfile only what the graph uses.

    `remotes` are what sources of the network, a remote context among them, were found to be. Whether the cache
    was to be used is left out, unlike in BuildKit: the result is the same either way.
    """
    roots = (each.vertex for each in targets if each.vertex is not None)
    used = {each.operation.name for each in walk(roots) if isinstance(each.operation, Local)}
    if options.definition is not None:
        return Request(locals=tuple(sorted(used)))
    address = read_address(options.context) if options.context is not None else None
    used = {MAIN_CONTEXT if name == ARCHIVE else name for name in used}
    if options.dockerfile_text is not None or (address is None and not _is_url(options.dockerfile)):
        used.add(_DOCKERFILE_SOURCE)
    if options.context_stream is not None or (options.context is not None and address is None):
        used.add(MAIN_CONTEXT)
    return Request(
        frontend=_FRONTEND,
        filename=_filename(options.dockerfile),
        args=_arguments(options),
        locals=tuple(sorted(used)),
        context_uri=options.context or "" if address is not None else "",
        context_digest={} if address is None else _digest(address, remotes),
    )


def dockerfile_source(options: BuildOptions) -> Operation:
    """What the Dockerfile was read from: a directory of the caller, or where the remote context is."""
    local = Local(name=_DOCKERFILE_SOURCE)
    if options.dockerfile is not None and _is_url(options.dockerfile):
        return read_address(options.dockerfile) or local
    if options.context is None or options.dockerfile_text is not None:
        return local
    return read_address(options.context) or local


def _filename(dockerfile: str | None) -> str:
    return _DOCKERFILE if dockerfile is None or _is_url(dockerfile) else Path(dockerfile).name


def _is_url(dockerfile: str | None) -> bool:
    return dockerfile is not None and dockerfile.startswith(("http://", "https://"))


def _digest(address: Git | Http, remotes: Mapping[Http | Git, str]) -> dict[str, str]:
    """What a remote context was found to be; options of the checkout do not matter for that."""
    for source, found in remotes.items():
        if isinstance(address, Git) and isinstance(source, Git):
            same = (source.remote, source.ref) == (address.remote, address.ref)
        else:
            same = source == address
        if same:
            return source_digest(source, found)
    return {}


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
