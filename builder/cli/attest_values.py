"""Attestations of a build, from flags and from the variables that buildx has for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from builder.system.errors import UsageError
from exporter.attest.options import parse_attestations
from exporter.outputs import DockerOutput, ImageOutput, LoadOutput, OciOutput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from builder.cli.build_flags import BuildFlags
    from builder.source.vcs import VcsOptions
    from exporter.attest.options import Attestations, Mode
    from exporter.outputs import Output

_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})


def requested_attestations(flags: BuildFlags, environ: Mapping[str, str]) -> Attestations:
    """What the flags ask for; provenance also when nobody asks, unless the environment says no.

    Raises: UsageError, Unsupported.
    """
    default = not _flag(environ, "BUILDX_NO_DEFAULT_ATTESTATIONS", default=False)
    return parse_attestations(flags.attest, provenance=flags.provenance, sbom=flags.sbom, default=default)


def metadata_provenance(environ: Mapping[str, str]) -> Mode | None:
    """How much the metadata file says about how the result was made. Raises: UsageError."""
    word = environ.get("BUILDX_METADATA_PROVENANCE", "")
    if word in ("", "min") or word in _TRUE:
        return "min"
    if word == "max":
        return "max"
    if word == "disabled" or word in _FALSE:
        return None
    raise UsageError(f"invalid BUILDX_METADATA_PROVENANCE: {word!r}", hint="values: min, max, disabled")


def vcs_options(environ: Mapping[str, str]) -> VcsOptions:
    """What to ask of the repository around the context. Raises: UsageError."""
    from builder.source.vcs import VcsOptions

    # "full" is what older versions of buildx call true.
    labels = environ.get("BUILDX_GIT_LABELS") == "full" or _flag(environ, "BUILDX_GIT_LABELS", default=False)
    return VcsOptions(
        info=_flag(environ, "BUILDX_GIT_INFO", default=True),
        labels=labels,
        check_dirty=_flag(environ, "BUILDX_GIT_CHECK_DIRTY", default=False),
    )


def with_artifact_form(outputs: tuple[Output, ...], environ: Mapping[str, str]) -> tuple[Output, ...]:
    """`outputs` with attestations in the older form where BUILDX_NO_DEFAULT_OCI_ARTIFACT asks for it."""
    if not _flag(environ, "BUILDX_NO_DEFAULT_OCI_ARTIFACT", default=False):
        return outputs
    return tuple(
        replace(each, oci_artifact=False)
        if isinstance(each, ImageOutput | OciOutput | DockerOutput | LoadOutput) and each.oci_artifact is None
        else each
        for each in outputs or (ImageOutput(),)
    )


def _flag(environ: Mapping[str, str], name: str, *, default: bool) -> bool:
    word = environ.get(name, "")
    if not word:
        return default
    if word not in _TRUE | _FALSE:
        raise UsageError(f"invalid {name}: {word!r}", hint="values: true, false")
    return word in _TRUE
