"""`frontend.targets`: the stages that can be built, as the file writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from frontend.dockerfile.parse import parse
from frontend.dockerfile.requests.answer import Answer, Place, base64_text, described, encode, place, table

if TYPE_CHECKING:
    from frontend.dockerfile.tree import Stage
    from frontend.options import Options


class _Target(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str = ""
    default: bool = False
    description: str = ""
    base: str
    platform: str = ""
    location: Place


class _Targets(msgspec.Struct, frozen=True, kw_only=True):
    targets: tuple[_Target, ...]
    sources: tuple[str, ...]


def targets(text: bytes, options: Options) -> Answer:
    """The stages of the Dockerfile `text`, in file order. Raises: DockerfileError."""
    dockerfile = parse(options.filename, text, frontend=options.build_args.get("BUILDKIT_SYNTAX", ""))
    found = [_target(stage, is_last=stage is dockerfile.stages[-1]) for stage in dockerfile.stages]
    document = _Targets(targets=tuple(found), sources=(base64_text(dockerfile.source.text),))
    rows = [("TARGET", "DESCRIPTION"), *((_shown_name(each), each.description) for each in found)]
    return Answer(text=table(rows, gap=1), document=encode(document))


def _target(stage: Stage, *, is_last: bool) -> _Target:
    origin = stage.origin
    return _Target(
        name=stage.name,
        default=is_last,
        description=described(stage.name, origin.comments) if stage.name else "",
        base=origin.image,
        platform=origin.platform,
        location=place(origin.location),
    )


def _shown_name(target: _Target) -> str:
    return " ".join(part for part in (target.name, "(default)" if target.default else "") if part)
