"""Instructions that change what the image says of itself, and no file of it.

What only one of them needs is loaded with the first of its kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from builder.oci.config import Healthcheck
from builder.system.quoting import quote
from frontend.dockerfile.characters import SPACES
from frontend.dockerfile.errors import DockerfileError
from frontend.dockerfile.scope import NOT_IN_ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from frontend.dockerfile import tree
    from frontend.dockerfile.conversion.stage import StageConversion

# Each number of each protocol, and as many again: a history names a port as often as the instruction does.
_MAX_PORTS: Final = 2 * 3 * 65536


def convert_arg(stage: StageConversion, node: tree.Arg) -> None:
    """Declares arguments; each definition sees the ones before it. Raises: DockerfileError."""
    stage.checks.secret_names((each.name for each in node.definitions), node)
    shown: list[str] = []
    for definition in node.definitions:
        value = _argument_value(stage, node, definition)
        if value is not None and definition.name not in NOT_IN_ENVIRONMENT:
            stage.state.set_variable(definition.name, value)
        stage.state.declare(definition.name, value)
        shown.append(definition.name if value is None else f"{definition.name}={value}")
    stage.state.commit(f"ARG {' '.join(shown)}", location=node.location)


def _argument_value(stage: StageConversion, node: tree.Arg, definition: tree.Definition) -> str | None:
    """The caller's value, else the default, else that of the global argument; None when there is none."""
    given = stage.scene.build_args.get(definition.name)
    if given is not None:
        return given
    if definition.default is not None:
        return stage.expand(definition.default, node.location)
    return stage.scene.variables.get(definition.name)


def convert_env(stage: StageConversion, node: tree.Env) -> None:
    """Sets variables; all values are taken before any is set. Raises: DockerfileError."""
    pairs = _expand_pairs(stage, node)
    stage.checks.secret_names((name for name, _ in pairs), node)
    for name, value in pairs:
        stage.state.set_variable(name, value)
        stage.state.environment[name] = f"{name}={value}"
    _commit_pairs(stage, node, pairs)


def convert_label(stage: StageConversion, node: tree.Label) -> None:
    """Sets labels. Raises: DockerfileError."""
    pairs = _expand_pairs(stage, node)
    stage.state.labels |= dict(pairs)
    _commit_pairs(stage, node, pairs)


def _expand_pairs(stage: StageConversion, node: tree.Env | tree.Label) -> list[tuple[str, str]]:
    return [
        (stage.expand(pair.name, node.location), stage.expand(pair.value, node.location))
        for pair in node.pairs
    ]


def _commit_pairs(stage: StageConversion, node: tree.Env | tree.Label, pairs: list[tuple[str, str]]) -> None:
    text = " ".join(f"{name}={value}" for name, value in pairs)
    stage.state.commit(f"{node.keyword.upper()} {text}", location=node.location)


def convert_cmd(stage: StageConversion, node: tree.Cmd) -> None:
    """Sets the default command."""
    words = stage.command_line(node.command)
    stage.state.configure(cmd=words or None, args_escaped=True)
    stage.state.has_cmd = True
    stage.state.commit(f"CMD {_quoted(words)}", location=node.location)


def convert_entrypoint(stage: StageConversion, node: tree.Entrypoint) -> None:
    """Sets the program; a command that comes from the base was meant for another one, and goes."""
    words = stage.command_line(node.command)
    stage.state.configure(entrypoint=words or None)
    if not stage.state.has_cmd:
        stage.state.configure(cmd=None)
    stage.state.commit(f"ENTRYPOINT {_quoted(words)}", location=node.location)


def convert_shell(stage: StageConversion, node: tree.Shell) -> None:
    """Sets the shell of what follows."""
    stage.state.configure(shell=node.words)
    stage.state.commit(f"SHELL {_listed(node.words)}", location=node.location)


def convert_user(stage: StageConversion, node: tree.User) -> None:
    """Sets the user; whether there is one of that name, only the image knows. Raises: DockerfileError."""
    user = stage.expand(node.user, node.location)
    stage.state.configure(user=user)
    stage.state.commit(f"USER {user}", location=node.location)


def convert_expose(stage: StageConversion, node: tree.Expose) -> None:
    """Declares ports. Raises: DockerfileError."""
    from frontend.dockerfile.ports import InvalidPort, read_ports

    ports: list[str] = []
    for word in node.ports:
        # One variable can hold several ports.
        for port in stage.expand(word, node.location).split():
            try:
                ports += read_ports(port)
            except InvalidPort as error:
                raise DockerfileError(str(error), location=node.location) from error
            stage.checks.port(port, node)
            if len(ports) > _MAX_PORTS:
                raise DockerfileError(f"more than {_MAX_PORTS} ports in one EXPOSE", location=node.location)
    stage.state.exposed_ports |= {port: {} for port in ports}
    stage.state.commit(f"EXPOSE {_listed(ports)}", location=node.location)


def convert_volume(stage: StageConversion, node: tree.Volume) -> None:
    """Declares volumes. Raises: DockerfileError."""
    paths = [stage.expand(path, node.location) for path in node.paths]
    if not all(path.strip(SPACES) for path in paths):
        raise DockerfileError("VOLUME specified can not be an empty string", location=node.location)
    stage.state.volumes |= {path: {} for path in paths}
    stage.state.commit(f"VOLUME {_listed(paths)}", location=node.location)


def convert_stop_signal(stage: StageConversion, node: tree.StopSignal) -> None:
    """Sets the signal that stops a container. Raises: DockerfileError."""
    from frontend.dockerfile.signals import is_signal

    signal = stage.expand(node.signal, node.location)
    if not is_signal(signal):
        raise DockerfileError(f"invalid signal: {signal}", location=node.location)
    stage.state.configure(stop_signal=signal)
    stage.state.commit(f"STOPSIGNAL {signal}", location=node.location)


def convert_healthcheck(stage: StageConversion, node: tree.Healthcheck) -> None:
    """Sets how a container is asked whether it is well."""
    from frontend.dockerfile.durations import format_duration

    check = Healthcheck(
        test=_test(node.command),
        interval=node.interval,
        timeout=node.timeout,
        start_period=node.start_period,
        start_interval=node.start_interval,
        retries=node.retries,
    )
    stage.state.configure(healthcheck=check)
    times = (
        f"Interval:{format_duration(check.interval)} Timeout:{format_duration(check.timeout)} "
        f"StartPeriod:{format_duration(check.start_period)} "
        f"StartInterval:{format_duration(check.start_interval)}"
    )
    text = f"HEALTHCHECK {{Test:{_listed(check.test)} {times} Retries:{check.retries}}}"
    stage.state.commit(text, location=node.location)


def _test(command: tree.Command | None) -> tuple[str, ...]:
    if command is None:
        return ("NONE",)
    return ("CMD-SHELL" if command.shell else "CMD", *command.words)


def convert_maintainer(stage: StageConversion, node: tree.Maintainer) -> None:
    """Sets the author."""
    stage.state.author = node.author
    stage.state.commit(f"MAINTAINER {node.author}", location=node.location)


def _quoted(words: Iterable[str]) -> str:
    return f"[{' '.join(map(quote, words))}]"


def _listed(words: Iterable[str]) -> str:
    return f"[{' '.join(words)}]"
