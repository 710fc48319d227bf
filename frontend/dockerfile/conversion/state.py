"""What a stage has become so far: its file system, its variables, its image config and history.

This is the one place of the frontend that changes while it is used: a stage of thousands of instructions
would otherwise copy its history and environment thousands of times. It never leaves the conversion; what
leaves are the frozen vertex and config.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from builder.oci.config import DEFAULT_PATH, ContainerConfig, History, ImageConfig, scratch_config
from frontend.dockerfile.conversion.history import EXPORTER, HistoryLog

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from builder.graph import Location, Vertex
    from builder.platforms import Platform
    from frontend.dockerfile.scope import Epoch


class StageState:
    """A stage under way.

    `variables` are what expansion and RUN see; `environment` holds the entries of the image config, which
    ARG never enters, by name. `declared` has the ARG names of the stage, inherited ones included, in order of
    appearance, with the value to show when the variable is not set. `triggers` are for what is built on the
    stage. `has_directory`: a WORKDIR of the file has set the directory. `context` is the
    directory that the stage is based on, if it is one: then no instruction has made the lowest layer.
    """

    def __init__(
        self, config: ImageConfig, *, vertex: Vertex | None, platform: Platform, epoch: Epoch | None
    ) -> None:
        self.vertex = vertex
        self.platform = platform
        self.origin = config
        self.config = config.config
        self.author = config.author
        self.environment = {entry.partition("=")[0]: entry for entry in self.config.env or ()}
        self.labels = dict(self.config.labels or {})
        self.exposed_ports = dict(self.config.exposed_ports or {})
        self.volumes = dict(self.config.volumes or {})
        self.declared: dict[str, str] = {}
        self.has_cmd = False
        self.has_directory = False
        self.context: Vertex | None = None
        self.triggers: tuple[str, ...] = ()
        self.epoch = epoch
        self.history = HistoryLog(config.history, epoch)
        self.variables: dict[str, str] = {}
        self._pairs: tuple[tuple[str, str], ...] | None = None
        self._prefix: str | None = None
        self._import_environment()

    @classmethod
    def of_parent(cls, parent: StageState) -> StageState:
        """The state that `FROM stage` starts with."""
        config = msgspec.structs.replace(parent.origin, config=parent.container(), author=parent.author)
        child = cls(config, vertex=parent.vertex, platform=parent.platform, epoch=parent.epoch)
        child.history = HistoryLog(parent.history, parent.epoch)
        child.declared = dict(parent.declared)
        child.has_directory = parent.has_directory
        child.context = parent.context
        child.variables = dict(parent.variables)
        # Once more, on top: the config's own values win over an ARG of the parent.
        child._import_environment()
        return child

    def _import_environment(self) -> None:
        for name, entry in self.environment.items():
            self.set_variable(name, entry.partition("=")[2])

    @property
    def directory(self) -> str:
        """The working directory, as the config has it."""
        return self.config.working_dir or "/"

    @property
    def source(self) -> Vertex | None:
        """What others copy from: of a directory that nothing was added to, no layer has to be made for that."""
        is_bare = self.vertex is not None and self.vertex.inputs == (self.context,)
        return self.context if is_bare else self.vertex

    @property
    def environment_pairs(self) -> tuple[tuple[str, str], ...]:
        """The environment of a RUN step; the same tuple for as long as nothing changes."""
        if self._pairs is None:
            pairs = tuple(self.variables.items())
            needs_path = "PATH" not in self.variables and self.platform.os != "windows"
            self._pairs = (("PATH", DEFAULT_PATH), *pairs) if needs_path else pairs
        return self._pairs

    @property
    def argument_prefix(self) -> str:
        """`|2 A=1 B= `: the declared arguments, as the history of a RUN step shows them."""
        if self._prefix is None:
            shown = [f"{name}={self.variables.get(name, value)}" for name, value in self.declared.items()]
            self._prefix = " ".join([f"|{len(shown)}", *shown, ""]) if shown else ""
        return self._prefix

    def set_variable(self, name: str, value: str) -> None:
        """Sets what expansion and RUN see; a name that is set again moves to the end."""
        self.variables.pop(name, None)
        self.variables[name] = value
        self._pairs = self._prefix = None

    def declare(self, name: str, value: str | None) -> None:
        """Declares an ARG; without a value, what the variable is stays."""
        self.declared[name] = value or ""
        self._prefix = None

    def configure(self, **members: object) -> None:
        """Replaces members of the container config."""
        self.config = msgspec.structs.replace(self.config, **members)

    def commit(self, created_by: str, *, location: Location, has_layer: bool = False) -> None:
        """Adds an entry to the history. Raises: DockerfileError when it becomes too large."""
        self.history.add(created_by, location=location, has_layer=has_layer)

    def container(self) -> ContainerConfig:
        """The container config as it is now."""
        # Sorted, because that is how maps are written into the documents that this must compare equal to.
        return msgspec.structs.replace(
            self.config,
            env=tuple(self.environment.values()) or None,
            labels=dict(sorted(self.labels.items())) or None,
            exposed_ports=dict(sorted(self.exposed_ports.items())) or None,
            volumes=dict(sorted(self.volumes.items())) or None,
            on_build=self.triggers or None,
        )

    def image_config(self, platform: Platform, labels: Mapping[str, str]) -> ImageConfig:
        """The config of the image for `platform`, with `labels` on top of the image's own."""
        self.labels |= labels
        return msgspec.structs.replace(
            self.origin,
            os=platform.os,
            architecture=platform.architecture,
            variant=platform.variant,
            os_version=platform.os_version or self.origin.os_version,
            author=self.author,
            created=self.epoch.rfc3339 if self.epoch else None,
            config=self.container(),
            history=(*self.history.whole(), *self._unnamed_entries()),
        )

    def _unnamed_entries(self) -> Iterator[History]:
        """As entries and layers are counted from below, it is the topmost layer that seems to have no entry."""
        if self.context is not None and self.vertex is not None:
            created = self.epoch.rfc3339 if self.epoch else None
            yield History(created=created, created_by=self.vertex.description.name, comment=EXPORTER)


def image_base(config: ImageConfig) -> ImageConfig:
    """`config` as `FROM image` starts with it: PATH is there, and its time of making is gone."""
    env = config.config.env or ()
    has_path = config.os == "windows" or any(entry.startswith("PATH=") for entry in env)
    container = msgspec.structs.replace(
        config.config, env=env if has_path else (*env, f"PATH={DEFAULT_PATH}")
    )
    return msgspec.structs.replace(config, config=container, created=None)


def empty_base(platform: Platform) -> ImageConfig:
    """The config of a stage whose place a context without image config takes: not even a PATH."""
    return msgspec.structs.replace(scratch_config(platform), config=ContainerConfig())
