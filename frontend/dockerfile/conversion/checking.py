"""Where the conversion calls the checks that are not about one instruction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.system.quoting import quote
from frontend.dockerfile.checks import rules
from frontend.dockerfile.checks.findings import Findings
from frontend.dockerfile.checks.settings import file_settings
from frontend.dockerfile.checks.wholefile import FileChecks, default_variables
from frontend.dockerfile.errors import DockerfileError, DockerfileErrors
from frontend.dockerfile.planning import make_plan
from frontend.dockerfile.scope import global_variables

if TYPE_CHECKING:
    from collections.abc import Callable

    from builder.platforms import Platform
    from frontend.definition import CheckWarning
    from frontend.dockerfile.planning import PlannedStage
    from frontend.dockerfile.tree import Dockerfile
    from frontend.options import Options
    from frontend.resolver import ResolvedImage


def check_file(dockerfile: Dockerfile, options: Options, platform: Platform, findings: Findings) -> None:
    """Checks the text as a whole, whether it can be built or not. Raises: DockerfileError for global arguments."""
    variables = global_variables(dockerfile, options, target=platform, build_args=options.build_args)
    defaults = default_variables(dockerfile, options, platform)
    FileChecks(dockerfile, findings, variables=variables, defaults=defaults).check()


def mistakes_between_stages(
    dockerfile: Dockerfile,
    options: Options,
    platform: Platform,
    on_warning: Callable[[CheckWarning], object],
) -> list[DockerfileError]:
    """What is wrong with a file of which some lines are missing; `on_warning` gets what checks find in it."""
    try:
        findings = Findings(file_settings(dockerfile, options.build_args))
        try:
            check_file(dockerfile, options, platform, findings)
        finally:
            for warning in findings.warnings:
                on_warning(warning)
        variables = global_variables(dockerfile, options, target=platform, build_args=options.build_args)
        make_plan(dockerfile, variables, target="", build_platform=options.build_platform)
    except DockerfileErrors as error:
        return [*error.errors]
    except DockerfileError as error:
        return [error]
    return []


def check_platform(
    planned: PlannedStage, image: ResolvedImage, expected: Platform, findings: Findings
) -> None:
    """Reports a base image that is for another platform than the one it was asked for."""
    actual = image.config.platform
    if (actual.os, actual.architecture) == (expected.os, expected.architecture):
        return
    origin = planned.stage.origin
    message = (
        f"Base image {planned.image} was pulled with platform {quote(str(actual))}, expected "
        f"{quote(str(expected))} for current build"
    )
    findings.report(rules.INVALID_BASE_IMAGE_PLATFORM, message, origin.location, comments=origin.comments)
