"""What a build tells the programs that called it: the files of `--iidfile` and `--metadata-file`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from builder.oci.digest import encode_json

if TYPE_CHECKING:
    from builder.api.options import BuildResult
    from builder.oci.digest import Digest


def image_id(result: BuildResult) -> Digest:
    """The digest that stands for the image: the root's, as in every store that keeps indexes."""
    return result.digest


def metadata(result: BuildResult) -> bytes:
    """A JSON object about the result, members in alphabetical order, indented by two spaces.

    Source: the exporter response keys of BuildKit that buildx writes to its metadata file.
    """
    members: dict[str, object] = {
        "containerimage.descriptor": result.descriptor,
        "containerimage.digest": result.digest,
    }
    if [each.manifest.digest for each in result.platforms] == [result.digest]:
        members["containerimage.config.digest"] = result.platforms[0].config.digest
    if result.names:
        members["image.name"] = ",".join(result.names)
    return msgspec.json.format(encode_json(members, order="sorted"), indent=2)
