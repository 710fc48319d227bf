"""Package URLs of images, as subjects of statements and as materials of builds.

Source: the package URL specification, type `docker`; BuildKit's use of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from builder.oci.reference import DEFAULT_DOMAIN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from builder.oci.reference import Reference
    from builder.platforms import Platform

_OFFICIAL: Final = "library/"
_IN_PATH: Final = ":@$&+="
"""What Go leaves alone in a segment of a path, besides what is never escaped."""


def image_purl(
    reference: Reference,
    platform: Platform | None,
    *,
    kind: str = "docker",
    qualifiers: Mapping[str, str] | None = None,
) -> str:
    """`pkg:docker/alpine@3.20?platform=linux%2Famd64`; a digest of the name becomes a qualifier."""
    is_default = reference.domain == DEFAULT_DOMAIN
    path = reference.path.removeprefix(_OFFICIAL) if is_default else f"{reference.domain}/{reference.path}"
    said = dict(qualifiers or {})
    if reference.digest is not None:
        said["digest"] = str(reference.digest)
    if platform is not None:
        said["platform"] = "/".join(
            part for part in (platform.os, platform.architecture, platform.variant) if part
        )
    name = "/".join(quote(part, safe="") for part in path.split("/"))
    version = f"@{quote(reference.tag, safe=_IN_PATH)}" if reference.tag else ""
    query = "&".join(f"{key}={quote(said[key], safe=_IN_PATH)}" for key in sorted(said))
    return f"pkg:{kind}/{name}{version}{'?' if query else ''}{query}"
