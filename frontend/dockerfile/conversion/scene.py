"""What all stages of one platform's build share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from builder.platforms import Platform
from frontend.dockerfile.checks.findings import Findings
from frontend.dockerfile.conversion.images import Images
from frontend.dockerfile.planning import Plan, make_plan
from frontend.dockerfile.scope import (
    EPOCH_ARGUMENT,
    Epoch,
    global_variables,
    proxy_environment,
    read_epoch,
)
from frontend.dockerfile.tree import Dockerfile
from frontend.options import Options

if TYPE_CHECKING:
    from builder.graph import Location


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """One platform's build before any stage is converted.

    `platform` is the target's, `variables` the global scope. `build_args` are the caller's, with the epoch as
    a plain number. `findings` collects what checks find.
    """

    dockerfile: Dockerfile
    options: Options
    images: Images
    platform: Platform
    plan: Plan
    variables: dict[str, str]
    build_args: dict[str, str]
    proxies: tuple[tuple[str, str], ...]
    epoch: Epoch | None
    findings: Findings

    @property
    def escape(self) -> str:
        """The escape character of the file."""
        return self.dockerfile.directives.escape

    @property
    def is_multi_platform(self) -> bool:
        """Whether progress must say which platform a step is for."""
        return len(self.options.platforms) > 1

    @property
    def stage_names(self) -> tuple[str, ...]:
        """The names that stages were given."""
        return tuple(self.plan.names)


def set_scene(
    dockerfile: Dockerfile, options: Options, images: Images, platform: Platform, *, findings: Findings
) -> Scene:
    """The scene for `platform`. Raises: DockerfileError."""
    build_args = options.build_args
    variables = global_variables(dockerfile, options, target=platform, build_args=build_args)

    def named(name: str, location: Location | None) -> int | None:
        from frontend.dockerfile.conversion.epochs import named_epoch

        return named_epoch(
            name,
            dockerfile,
            images,
            platform,
            build_args=options.build_args,
            variables=variables,
            location=location,
        )

    epoch = read_epoch(
        dockerfile,
        build_args,
        variables,
        context=options.context_epoch,
        named=named,
    )
    build_args, variables = _resolved(build_args, epoch), _resolved(variables, epoch)
    plan = make_plan(dockerfile, variables, target=options.target, build_platform=options.build_platform)
    return Scene(
        dockerfile=dockerfile,
        options=options,
        images=images,
        platform=platform,
        plan=msgspec.structs.replace(plan, wants_all=options.all_stages),
        variables=variables,
        build_args=build_args,
        proxies=proxy_environment(build_args),
        epoch=epoch,
        findings=findings,
    )


def _resolved(variables: dict[str, str], epoch: Epoch | None) -> dict[str, str]:
    """`variables` with the epoch as a plain number, or without it, if they have it at all."""
    if not variables.get(EPOCH_ARGUMENT):
        return variables
    others = {name: value for name, value in variables.items() if name != EPOCH_ARGUMENT}
    return {**others, EPOCH_ARGUMENT: str(epoch.seconds)} if epoch else others
