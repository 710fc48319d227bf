"""One stage's conversion: what its instructions may ask and change, and who converts which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from builder.graph import Description, Vertex, vertex
from frontend.dockerfile import tree
from frontend.dockerfile.checks.evaluation import StageChecks
from frontend.dockerfile.conversion import files, metadata
from frontend.dockerfile.conversion.run import convert_run
from frontend.dockerfile.errors import DockerfileError, ExpansionError, not_supported_yet
from frontend.dockerfile.expansion import expand_document
from frontend.dockerfile.scope import expand_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from builder.graph import Location, Operation
    from frontend.dockerfile.conversion.scene import Scene
    from frontend.dockerfile.conversion.state import StageState
    from frontend.dockerfile.conversion.steps import Steps
    from frontend.dockerfile.heredocs import Heredoc

_SHELL: Final = ("/bin/sh", "-c")
_WINDOWS_SHELL: Final = ("cmd", "/S", "/C")


class StageConversion:
    """The instructions of one stage, converted one after the other.

    `states` are the stages that came before, by index. Converters read `scene` and `stage`, and change
    `state` through the methods here and its own.
    """

    def __init__(
        self,
        scene: Scene,
        stage: tree.Stage,
        *,
        state: StageState,
        steps: Steps,
        states: Mapping[int, StageState],
    ) -> None:
        self.scene = scene
        self.stage = stage
        self.state = state
        self.steps = steps
        self.states = states
        self.label = scene.plan.label(stage.index)
        chosen = scene.options.no_cache
        names = () if isinstance(chosen, bool) else chosen
        self.checks = StageChecks(scene.findings, exclude=scene.options.context_exclude)
        self._current: tree.Instruction = stage.origin
        self._ignores_cache = chosen is True or stage.name in {name.lower() for name in names if name}

    def convert(self, instruction: tree.Instruction) -> None:
        """Does what `instruction` says. Raises: DockerfileError."""
        self._current = instruction
        self.checks.instruction(instruction, has_shell=bool(self.state.config.shell))
        match instruction:
            case tree.Run():
                convert_run(self, instruction)
            case tree.Copy():
                files.convert_copy(self, instruction)
            case tree.Add():
                files.convert_add(self, instruction)
            case tree.Workdir():
                files.convert_workdir(self, instruction)
            case tree.Arg():
                metadata.convert_arg(self, instruction)
            case tree.Env():
                metadata.convert_env(self, instruction)
            case tree.Label():
                metadata.convert_label(self, instruction)
            case tree.Cmd():
                metadata.convert_cmd(self, instruction)
            case tree.Entrypoint():
                metadata.convert_entrypoint(self, instruction)
            case tree.Shell():
                metadata.convert_shell(self, instruction)
            case tree.User():
                metadata.convert_user(self, instruction)
            case tree.Expose():
                metadata.convert_expose(self, instruction)
            case tree.Volume():
                metadata.convert_volume(self, instruction)
            case tree.StopSignal():
                metadata.convert_stop_signal(self, instruction)
            case tree.Maintainer():
                metadata.convert_maintainer(self, instruction)
            case tree.Healthcheck():
                metadata.convert_healthcheck(self, instruction)
            case tree.Onbuild():
                # Nothing happens here and now: `triggers` knows what it is for.
                pass
            case _:
                raise not_supported_yet(instruction.keyword.upper(), instruction.location)

    def expand(self, word: str, location: Location) -> str:
        """The value of `word` here and now. Raises: DockerfileError."""
        unset: set[str] = set()
        value = expand_at(
            word, self.state.variables, location=location, escape=self.scene.escape, unset=unset
        )
        self._note_unset(unset)
        return value

    def expand_document(self, heredoc: Heredoc, location: Location) -> str:
        """The body of `heredoc` with its variables replaced. Raises: DockerfileError."""
        unset: set[str] = set()
        try:
            value = expand_document(heredoc.body, self.state.variables, name=heredoc.name, unset=unset)
        except ExpansionError as error:
            raise DockerfileError(error.message, location=location) from error
        self._note_unset(unset)
        return value

    def _note_unset(self, names: set[str]) -> None:
        """What ARG declares without a value is known, and EXPOSE may be given nothing on purpose."""
        undefined = names - self.state.declared.keys()
        if undefined and not isinstance(self._current, tree.Expose):
            self.checks.undefined(undefined, self.state.variables.keys(), self._current)

    def command_line(self, command: tree.Command) -> tuple[str, ...]:
        """The words of `command`; the shell of the stage stands before one that is for a shell."""
        if not command.shell:
            return command.words
        default = _WINDOWS_SHELL if self.state.platform.os == "windows" else _SHELL
        return (*(self.state.config.shell or default), *command.words)

    def add_step(
        self,
        operation: Operation,
        inputs: Sequence[Vertex],
        *,
        name: str,
        location: Location,
        honours_no_cache: bool = True,
    ) -> Vertex:
        """A vertex that belongs to this stage."""
        description = Description(
            name=name,
            location=location,
            stage=self.label,
            ignore_cache=self._ignores_cache and honours_no_cache,
        )
        return vertex(operation, *inputs, description=description)
