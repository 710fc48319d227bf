"""RUN: a process in the file system of the stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.graph import Exec
from frontend.dockerfile.conversion.steps import command_text
from frontend.dockerfile.errors import DockerfileError, not_supported_yet
from frontend.dockerfile.paths import clean

if TYPE_CHECKING:
    from frontend.dockerfile.conversion.stage import StageConversion
    from frontend.dockerfile.tree import Run


def convert_run(stage: StageConversion, node: Run) -> None:
    """Adds the process as a step. Raises: DockerfileError."""
    _require_supported(node)
    state, options = stage.state, stage.scene.options
    args = stage.command_line(node.command)
    if not args:
        raise DockerfileError("arguments are required", location=node.location)
    below = state.vertex
    operation = Exec(
        base=None if below is None else 0,
        args=args,
        env=state.environment_pairs,
        cwd=clean(state.directory),
        user=state.config.user,
        network=options.network if node.network == "default" else node.network,
        platform=state.platform,
        hostname=options.hostname or stage.scene.build_args.get("BUILDKIT_SANDBOX_HOSTNAME", ""),
        extra_hosts=options.extra_hosts,
        shm_size=options.shm_size,
        ulimits=options.ulimits,
        cgroup_parent=options.cgroup_parent,
        proxy_env=stage.scene.proxies,
    )
    text = command_text(node, state.variables, escape=stage.scene.escape, verbatim=True)
    state.vertex = stage.add_step(
        operation,
        () if below is None else (below,),
        name=stage.steps.name(text, state.variables),
        location=node.location,
    )
    created_by = f"RUN {state.argument_prefix}{' '.join(args)} # buildkit"
    state.commit(created_by, location=node.location, has_layer=True)


def _require_supported(node: Run) -> None:
    """Raises: NotSupported for what is read but not built yet."""
    unsupported = (
        ("RUN with a heredoc", node.heredocs),
        ("RUN --mount", node.mounts),
        ("RUN --device", node.devices),
        ("RUN --security=insecure", node.security != "sandbox"),
    )
    for what, is_used in unsupported:
        if is_used:
            raise not_supported_yet(what, node.location)
