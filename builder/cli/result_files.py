"""What a build tells the programs that called it: the files of `--iidfile` and `--metadata-file`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from builder.oci.digest import encode_json

if TYPE_CHECKING:
    from builder.api.options import BuildResult

_PROVENANCE: Final = "buildx.build.provenance"


def image_id(result: BuildResult) -> str:
    """What stands for the image where it went; empty when no output was an image."""
    return result.image_id or result.digest or ""


def write_result(path: str, content: bytes) -> None:
    """Writes one of the files; it appears when it is complete. Raises: StoreError."""
    from builder.store.layout.output import replace_file

    replace_file(Path(path), content)


def metadata(result: BuildResult) -> bytes:
    """A JSON object about the result, members in alphabetical order, indented by two spaces.

    Source: the exporter response keys of BuildKit that buildx writes to its metadata file.
    """
    members: dict[str, object] = {}
    if result.digest is not None:
        members["containerimage.descriptor"] = result.descriptor
        members["containerimage.digest"] = result.digest
    if [each.manifest.digest for each in result.platforms] == [result.digest]:
        members["containerimage.config.digest"] = result.platforms[0].config.digest
    if result.names:
        members["image.name"] = ",".join(result.names)
    if result.pins:
        members["dockyard.pins"] = result.pins
    single = len(result.provenance) == 1
    for platform, provenance in result.provenance.items():
        members[_PROVENANCE if single else f"{_PROVENANCE}/{platform}"] = provenance
    return msgspec.json.format(encode_json(members, order="sorted"), indent=2)
