"""ADD of URLs and git repositories: the sources, and what is copied from them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from builder.graph import Description, Http, Vertex, vertex
from builder.graph.globs import exactly
from builder.oci.digest import Digest
from builder.system.values import Value
from frontend.dockerfile.errors import DockerfileError
from frontend.dockerfile.gitref import InvalidGitSource, read_git_source
from frontend.dockerfile.remote import redacted, remote_kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.graph import Location
    from frontend.dockerfile.conversion.stage import StageConversion
    from frontend.dockerfile.tree import Add

_UNNAMED: Final = "__unnamed__"
_HASHES: Final = {"sha256": 64, "sha384": 96, "sha512": 128}
_MAX_NAME: Final = 255


class RemoteCopy(Value, frozen=True):
    """A source, the pattern of what is copied from it, and whether an archive is unpacked."""

    source: Vertex
    pattern: str
    unpack: bool


def convert_remotes(stage: StageConversion, node: Add, sources: Sequence[str]) -> tuple[RemoteCopy, ...]:
    """What ADD copies from elsewhere, for those of `sources` that are no paths. Raises: DockerfileError."""
    checksum = stage.expand(node.checksum, node.location)
    if checksum:
        _check_sources(sources, len(node.heredocs), node.location)
    copies = (remote_copy(node, source, checksum) for source in sources)
    return tuple(copy for copy in copies if copy)


def remote_copy(node: Add, source: str, checksum: str) -> RemoteCopy | None:
    """What ADD copies from `source`; None for a path. Raises: DockerfileError."""
    match remote_kind(source):
        case "git":
            return _git(node, source, checksum)
        case "url":
            return _http(node, source, checksum)
        case _:
            return None


def _check_sources(sources: Sequence[str], heredocs: int, location: Location) -> None:
    if len(sources) + heredocs > 1:
        raise DockerfileError("checksum can't be specified for multiple sources", location=location)
    if not any(map(remote_kind, sources)):
        raise DockerfileError("checksum requires HTTP(S) or Git sources", location=location)


def _git(node: Add, source: str, checksum: str) -> RemoteCopy:
    try:
        operation = read_git_source(source, keep_git_dir=node.keep_git_dir, checksum=checksum)
    except InvalidGitSource as error:
        raise DockerfileError(str(error), location=node.location) from error
    name = f"[internal] load git source {redacted(source)}"
    checkout = vertex(operation, description=Description(name=name, location=node.location))
    return RemoteCopy(checkout, "/", unpack=False)


def _http(node: Add, source: str, checksum: str) -> RemoteCopy:
    name = _file_name(source)
    operation = Http(
        url=source, filename=name, checksum=_digest(checksum, node.location) if checksum else None
    )
    description = Description(name=redacted(source), location=node.location)
    fetched = vertex(operation, description=description)
    return RemoteCopy(fetched, f"/{exactly(name)}", unpack=bool(node.unpack))


def _file_name(url: str) -> str:
    """The last part of the path; a name of our own where that is no name of a file."""
    name = unquote(urlsplit(url).path, errors="surrogateescape").rpartition("/")[2]
    is_name = name not in ("", ".", "..") and "\0" not in name and not name.startswith(".wh.")
    return name if is_name and len(name.encode("utf-8", "surrogateescape")) <= _MAX_NAME else _UNNAMED


def _digest(text: str, location: Location) -> Digest:
    algorithm, colon, value = text.partition(":")
    if not colon or not value or not algorithm:
        raise DockerfileError("invalid checksum digest format", location=location)
    if algorithm not in _HASHES:
        raise DockerfileError("unsupported digest algorithm", location=location)
    if len(value) != _HASHES[algorithm]:
        raise DockerfileError("invalid checksum digest length", location=location)
    if not re.fullmatch("[0-9a-f]+", value):
        raise DockerfileError("invalid checksum digest format", location=location)
    if algorithm != "sha256":
        raise DockerfileError(
            "unsupported digest algorithm", location=location, hint="downloads are checked by sha256 alone"
        )
    return Digest(text)
