"""SOURCE_DATE_EPOCH where it names what has a time: a named context, or a stage that is a source and nothing else.

Such a stage is `FROM scratch` with one ADD from elsewhere, and arguments; it says where the source of the image is,
so that the image is as old as that. Source: BuildKit's conversion of Dockerfiles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.graph import Git, Http
from frontend.dockerfile.conversion.remotes import remote_copy
from frontend.dockerfile.errors import DockerfileError
from frontend.dockerfile.planning import SCRATCH
from frontend.dockerfile.scope import EPOCH_ARGUMENT, expand_at
from frontend.dockerfile.tree import Add, Arg
from frontend.resolver import RemoteContext

if TYPE_CHECKING:
    from collections.abc import Mapping

    from builder.graph import Location
    from builder.platforms import Platform
    from frontend.dockerfile.conversion.images import Images
    from frontend.dockerfile.tree import Dockerfile, Stage


def named_epoch(
    name: str,
    dockerfile: Dockerfile,
    images: Images,
    platform: Platform,
    *,
    build_args: Mapping[str, str],
    variables: Mapping[str, str],
    location: Location | None,
) -> int | None:
    """The time of the context or stage `name`, in seconds since 1970; None where it has none.

    `location` is that of the argument, None for one of the caller. Raises: DockerfileError.
    """
    context = images.context(name, platform, location=location)
    if context is not None:
        source = context.operation if isinstance(context, RemoteContext) else None
        return images.modified(source, location=location) if source else None
    for stage in dockerfile.stages:
        if stage.name and stage.name == name.lower():
            scope = {key: value for key, value in variables.items() if key != EPOCH_ARGUMENT}
            source = _only_source(stage, scope, build_args, escape=dockerfile.directives.escape)
            return images.modified(source, location=stage.origin.location)
    raise DockerfileError(f"invalid {EPOCH_ARGUMENT}: {name}", location=location)


def _only_source(
    stage: Stage, variables: dict[str, str], build_args: Mapping[str, str], *, escape: str
) -> Git | Http:
    origin = stage.origin
    if expand_at(origin.image, variables, location=origin.location, escape=escape) != SCRATCH:
        raise _unfit("must use FROM scratch", origin.location)
    found: Git | Http | None = None
    for node in stage.instructions:
        match node:
            case Arg():
                for definition in node.definitions:
                    value = build_args.get(definition.name)
                    if value is None and definition.default is not None:
                        value = expand_at(
                            definition.default, variables, location=node.location, escape=escape
                        )
                    if value is not None:
                        variables[definition.name] = value
            case Add():
                if found is not None:
                    raise _unfit("must contain exactly one remote ADD", origin.location)
                found = _read_source(node, variables, escape=escape)
            case _:
                reason = (
                    f"does not meet source-only requirements: unsupported {node.keyword.upper()} instruction"
                )
                raise _unfit(reason, origin.location)
    if found is None:
        raise _unfit("must contain exactly one remote ADD", origin.location)
    return found


def _read_source(node: Add, variables: Mapping[str, str], *, escape: str) -> Git | Http:
    if len(node.sources) != 1 or node.heredocs:
        raise _unfit("must contain exactly one remote ADD source", node.location)
    texts = (node.sources[0], node.checksum)
    address, checksum = (expand_at(each, variables, location=node.location, escape=escape) for each in texts)
    copy = remote_copy(node, address, checksum)
    operation = copy.source.operation if copy else None
    if not isinstance(operation, Git | Http):
        raise _unfit("source must be a single HTTP(S) or Git ADD", node.location)
    return operation


def _unfit(what: str, location: Location) -> DockerfileError:
    return DockerfileError(f"{EPOCH_ARGUMENT} stage {what}", location=location)
