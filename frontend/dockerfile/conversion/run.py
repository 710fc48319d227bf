"""RUN: a process in the file system of the stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.graph import Exec
from frontend.dockerfile.conversion.inline import shell_input
from frontend.dockerfile.conversion.mounts import convert_mounts
from frontend.dockerfile.conversion.steps import command_text
from frontend.dockerfile.errors import DockerfileError, NotSupported
from frontend.dockerfile.paths import clean
from frontend.dockerfile.tree import Command

if TYPE_CHECKING:
    from builder.graph import ScriptMount
    from frontend.dockerfile.conversion.mounts import Mounts
    from frontend.dockerfile.conversion.stage import StageConversion
    from frontend.dockerfile.conversion.state import StageState
    from frontend.dockerfile.tree import Run


def convert_run(stage: StageConversion, node: Run) -> None:
    """Adds the process as a step. Raises: DockerfileError."""
    if node.devices:
        raise NotSupported(
            "device feature is only supported in Dockerfile frontend 1.14.0-labs or later",
            location=node.location,
            hint="dockyard gives no devices of the host to steps; run what needs one when the image runs",
        )
    state, options = stage.state, stage.scene.options
    command, scripts, summary = _command(stage, node)
    args = stage.command_line(command)
    if not args:
        raise DockerfileError("arguments are required", location=node.location)
    below = state.vertex
    mounts = convert_mounts(stage, node)
    operation = Exec(
        base=None if below is None else 0,
        args=args,
        env=_environment(state, mounts),
        cwd=clean(state.directory),
        user=state.config.user,
        network=options.network if node.network == "default" else node.network,
        security=node.security,
        platform=state.platform,
        hostname=options.hostname or stage.scene.build_args.get("BUILDKIT_SANDBOX_HOSTNAME", ""),
        extra_hosts=options.extra_hosts,
        shm_size=options.shm_size,
        ulimits=options.ulimits,
        cgroup_parent=options.cgroup_parent,
        proxy_env=stage.scene.proxies,
        secrets=tuple(mounts.secrets),
        scripts=scripts,
        mounts=tuple(mounts.mounts),
    )
    text = command_text(node, state.variables, escape=stage.scene.escape, verbatim=True)
    state.vertex = stage.add_step(
        operation,
        [*(() if below is None else (below,)), *mounts.inputs],
        name=stage.steps.name(text + summary, state.variables),
        location=node.location,
    )
    created_by = f"RUN {state.argument_prefix}{' '.join(args)} # buildkit"
    state.commit(created_by, location=node.location, has_layer=True)


def _environment(state: StageState, mounts: Mounts) -> tuple[tuple[str, str], ...]:
    pairs = state.environment_pairs
    if not mounts.agent or "SSH_AUTH_SOCK" in state.variables:
        return pairs
    return (*pairs, ("SSH_AUTH_SOCK", mounts.agent))


def _command(stage: StageConversion, node: Run) -> tuple[Command, tuple[ScriptMount, ...], str]:
    """The command with its heredocs, the scripts that it runs, and what progress says of them."""
    if not node.heredocs:
        return node.command, (), ""
    given = shell_input(node, has_scripts=stage.state.platform.os != "windows")
    return Command((given.command,), shell=True), given.scripts, given.summary
