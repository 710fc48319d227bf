"""The syntax tree of a Dockerfile: a node for each instruction, with its place.

Nodes hold what was written, unexpanded: what a variable means depends on the stage and the platform, which
only the conversion knows. There is a node for every instruction of the language, also for those that cannot
be converted yet.
"""

from __future__ import annotations

import msgspec

from builder.graph import Location, Network, Security, SourceFile
from frontend.dockerfile.arguments import Pair
from frontend.dockerfile.directives import Directives
from frontend.dockerfile.heredocs import Heredoc


class Instruction(msgspec.Struct, frozen=True, kw_only=True):
    """What all instructions have: the place, the logical line, the word as typed, the comments before it."""

    location: Location
    text: str
    keyword: str
    comments: tuple[str, ...] = ()


class From(Instruction, frozen=True, kw_only=True):
    """`name` is lower case; `written_name` as typed."""

    image: str
    platform: str = ""
    name: str = ""
    written_name: str = ""


class Definition(msgspec.Struct, frozen=True):
    """One name of an ARG; `default` None when it has none."""

    name: str
    default: str | None = None


class Arg(Instruction, frozen=True, kw_only=True):
    """Declares build arguments."""

    definitions: tuple[Definition, ...]


class Env(Instruction, frozen=True, kw_only=True):
    """`legacy` is the form without `=`."""

    pairs: tuple[Pair, ...]
    legacy: bool = False


class Label(Instruction, frozen=True, kw_only=True):
    """`legacy` is the form without `=`."""

    pairs: tuple[Pair, ...]
    legacy: bool = False


class Command(msgspec.Struct, frozen=True):
    """A command line: one string for the shell, or the words of a process."""

    words: tuple[str, ...]
    shell: bool


class Run(Instruction, frozen=True, kw_only=True):
    """`mounts` and `devices` as written."""

    command: Command
    network: Network = "default"
    security: Security = "sandbox"
    mounts: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    heredocs: tuple[Heredoc, ...] = ()


class Cmd(Instruction, frozen=True, kw_only=True):
    """The default command."""

    command: Command


class Entrypoint(Instruction, frozen=True, kw_only=True):
    """The program of the container."""

    command: Command


class Shell(Instruction, frozen=True, kw_only=True):
    """The shell of the shell form."""

    words: tuple[str, ...]


class Transfer(Instruction, frozen=True, kw_only=True):
    """What COPY and ADD share."""

    sources: tuple[str, ...]
    destination: str
    chown: str = ""
    chmod: str = ""
    link: bool = False
    exclude: tuple[str, ...] = ()
    heredocs: tuple[Heredoc, ...] = ()


class Copy(Transfer, frozen=True, kw_only=True):
    """`source_stage` is the value of `--from`."""

    source_stage: str = ""
    parents: bool = False


class Add(Transfer, frozen=True, kw_only=True):
    """`unpack` None: as the kind of source has it."""

    checksum: str = ""
    keep_git_dir: bool | None = None
    unpack: bool | None = None


class Workdir(Instruction, frozen=True, kw_only=True):
    """The working directory."""

    path: str


class User(Instruction, frozen=True, kw_only=True):
    """The user, and with a colon the group."""

    user: str


class Expose(Instruction, frozen=True, kw_only=True):
    """`ports` in the order in which they count, which is that of the text."""

    ports: tuple[str, ...]


class Volume(Instruction, frozen=True, kw_only=True):
    """Paths that a container keeps outside of its file system."""

    paths: tuple[str, ...]


class StopSignal(Instruction, frozen=True, kw_only=True):
    """The signal that asks a container to end."""

    signal: str


class Maintainer(Instruction, frozen=True, kw_only=True):
    """The author of the image."""

    author: str


class Healthcheck(Instruction, frozen=True, kw_only=True):
    """`command` None is `HEALTHCHECK NONE`; durations in nanoseconds; 0 leaves the engine its default."""

    command: Command | None
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class Onbuild(Instruction, frozen=True, kw_only=True):
    """`trigger` is the instruction for later, as written, its heredocs included."""

    trigger: str


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """A FROM line and what follows it; `index` counts from 0."""

    index: int
    origin: From
    instructions: tuple[Instruction, ...]

    @property
    def name(self) -> str:
        """The name given with AS, in lower case; empty without one."""
        return self.origin.name

    @property
    def display_name(self) -> str:
        """What people see: the name, or the position."""
        return self.origin.name or f"stage-{self.index}"


class Dockerfile(msgspec.Struct, frozen=True, kw_only=True):
    """A whole file; `arguments` are the ARG lines before the first stage.

    `empty_continuations` are the last lines of instructions that blank lines interrupt.
    """

    source: SourceFile
    directives: Directives
    arguments: tuple[Arg, ...]
    stages: tuple[Stage, ...]
    empty_continuations: tuple[Location, ...] = ()
