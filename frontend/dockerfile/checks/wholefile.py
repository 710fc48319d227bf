"""Checks of the text as a whole, needed stages and others alike: casing, names of stages, FROM lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from builder.oci.reference import InvalidReference, parse_reference
from builder.system.quoting import quote
from frontend.dockerfile.characters import split_blanks
from frontend.dockerfile.checks import rules
from frontend.dockerfile.errors import DockerfileError, ExpansionError
from frontend.dockerfile.expansion import expand, names_in
from frontend.dockerfile.planning import SCRATCH
from frontend.dockerfile.scope import global_variables
from frontend.dockerfile.tree import Arg, From, Maintainer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from builder.platforms import Platform
    from frontend.dockerfile.checks.findings import Findings
    from frontend.dockerfile.checks.rules import Rule
    from frontend.dockerfile.tree import Dockerfile, Instruction, Stage
    from frontend.options import Options

_RESERVED: Final = (SCRATCH, "context")
_TARGET_PLATFORM: Final = "TARGETPLATFORM"


class FileChecks:
    """The checks of one file. `variables` is the global scope, `defaults` the same without build arguments."""

    def __init__(
        self,
        dockerfile: Dockerfile,
        findings: Findings,
        *,
        variables: Mapping[str, str],
        defaults: Mapping[str, str] | None,
    ) -> None:
        self._dockerfile = dockerfile
        self._findings = findings
        self._variables = variables
        self._defaults = defaults
        names = (each.name for arg in dockerfile.arguments for each in arg.definitions)
        self._declared = {*variables, *names}

    def check(self) -> None:
        """Reports all that is found."""
        for location in self._dockerfile.empty_continuations:
            self._findings.report(rules.NO_EMPTY_CONTINUATION, "Empty continuation line", location)
        for arg in self._dockerfile.arguments:
            self._check_description(arg, [each.name for each in arg.definitions])
        names: set[str] = set()
        for stage in self._dockerfile.stages:
            self._check_stage(stage, names)
            for each in stage.instructions:
                if isinstance(each, Arg):
                    self._check_description(each, [definition.name for definition in each.definitions])
                elif isinstance(each, Maintainer):
                    message = "Maintainer instruction is deprecated in favor of using label"
                    self._report(rules.MAINTAINER_DEPRECATED, message, each)
        self._check_casing()

    def _report(self, rule: Rule, message: str, node: Instruction) -> None:
        self._findings.report(rule, message, node.location, comments=node.comments)

    def _check_casing(self) -> None:
        nodes = [node for stage in self._dockerfile.stages for node in (stage.origin, *stage.instructions)]
        lower = sum(node.keyword.islower() for node in nodes)
        upper = sum(node.keyword.isupper() for node in nodes)
        majority = "lowercase" if lower > upper else "uppercase"
        for node in nodes:
            if not (node.keyword.islower() if lower > upper else node.keyword.isupper()):
                message = (
                    f"Command '{node.keyword}' should match the case of the command majority ({majority})"
                )
                self._report(rules.CONSISTENT_INSTRUCTION_CASING, message, node)

    def _check_stage(self, stage: Stage, names: set[str]) -> None:
        origin = stage.origin
        if origin.written_name != stage.name:
            message = f"Stage name '{origin.written_name}' should be lowercase"
            self._report(rules.STAGE_NAME_CASING, message, origin)
        if stage.name:
            self._check_as(origin)
            self._check_description(origin, [stage.name])
        if stage.name in names:
            message = f"Duplicate stage name {quote(stage.name)}, stage names should be unique"
            self._report(rules.DUPLICATE_STAGE_NAME, message, origin)
        if stage.name in _RESERVED:
            message = f"Stage name should not use the same name as reserved stage {quote(stage.name)}"
            self._report(rules.RESERVED_STAGE_NAME, message, origin)
        if stage.name:
            names.add(stage.name)
        self._check_default(origin, names)
        self._check_names(origin)
        self._check_platform(origin)

    def _check_as(self, origin: From) -> None:
        keyword = split_blanks(origin.text)[-2]
        is_same = keyword.isupper() if origin.keyword.isupper() else keyword.islower()
        if origin.keyword.isupper() != origin.keyword.islower() and not is_same:
            message = f"'{keyword}' and '{origin.keyword}' keywords' casing do not match"
            self._report(rules.FROM_AS_CASING, message, origin)

    def _check_names(self, origin: From) -> None:
        used = self._names_in(origin.image) | self._names_in(origin.platform)
        for name in sorted(used - self._declared):
            nearest = self._findings.nearest(name, self._declared)
            suggestion = f" (did you mean {nearest}?)" if nearest else ""
            message = f"FROM argument '{name}' is not declared{suggestion}"
            self._report(rules.UNDEFINED_ARG_IN_FROM, message, origin)

    def _check_default(self, origin: From, stages: set[str]) -> None:
        if self._defaults is None or not self._names_in(origin.image):
            return
        try:
            image = expand(origin.image, self._defaults, escape=self._escape)
            if image not in stages:
                parse_reference(image)
        except ExpansionError:
            return
        except InvalidReference:
            message = f"Default value for ARG {origin.image} results in empty or invalid base image name"
            self._report(rules.INVALID_DEFAULT_ARG_IN_FROM, message, origin)

    def _check_platform(self, origin: From) -> None:
        if not origin.platform:
            return
        try:
            platform = expand(origin.platform, self._variables, escape=self._escape)
        except ExpansionError:
            return
        names = self._names_in(origin.platform)
        if names:
            if names == {_TARGET_PLATFORM} and platform == self._variables[_TARGET_PLATFORM]:
                message = (
                    f"Setting platform to predefined {origin.platform} in FROM is redundant as this is the "
                    "default behavior"
                )
                self._report(rules.REDUNDANT_TARGET_PLATFORM, message, origin)
        elif not any(part in origin.name for part in platform.split("/")[:2]):
            message = f"FROM --platform flag should not use constant value {quote(platform)}"
            self._report(rules.FROM_PLATFORM_CONST, message, origin)

    def _check_description(self, node: Arg | From, names: list[str]) -> None:
        if not node.comments or node.comments[-1].split(" ")[0] in names:
            return
        example = names[0] if len(names) == 1 else "<arg_key>"
        message = f"Comment for {node.keyword.upper()} should follow the format: `# {example} <description>`"
        self._report(rules.INVALID_DEFINITION_DESCRIPTION, message, node)

    @property
    def _escape(self) -> str:
        return self._dockerfile.directives.escape

    def _names_in(self, word: str) -> frozenset[str]:
        return names_in(word, escape=self._escape)


def default_variables(
    dockerfile: Dockerfile, options: Options, platform: Platform
) -> Mapping[str, str] | None:
    """The global scope of a build without arguments; None when there is none, which is for others to say."""
    try:
        return global_variables(dockerfile, options, target=platform, build_args={})
    except DockerfileError:
        return None
