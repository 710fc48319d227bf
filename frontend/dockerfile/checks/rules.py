"""The rules: their names, and what each wants in general; BuildKit's, so that people find help about them."""

from __future__ import annotations

import re
from typing import Final

import msgspec

_BASE_URL: Final = "https://docs.docker.com/go/dockerfile/rule/"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule. `experimental` ones are off unless the file turns them on; one without page has no `url`."""

    name: str
    description: str
    experimental: bool = False
    has_page: bool = True

    @property
    def url(self) -> str:
        """The page that explains the rule; empty when there is none."""
        return f"{_BASE_URL}{_kebab(self.name)}/" if self.has_page else ""


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


STAGE_NAME_CASING: Final = Rule(name="StageNameCasing", description="Stage names should be lowercase")
FROM_AS_CASING: Final = Rule(
    name="FromAsCasing", description="The 'as' keyword should match the case of the 'from' keyword"
)
NO_EMPTY_CONTINUATION: Final = Rule(
    name="NoEmptyContinuation",
    description="Empty continuation lines will become errors in a future release",
)
CONSISTENT_INSTRUCTION_CASING: Final = Rule(
    name="ConsistentInstructionCasing",
    description="All commands within the Dockerfile should use the same casing (either upper or lower)",
)
DUPLICATE_STAGE_NAME: Final = Rule(name="DuplicateStageName", description="Stage names should be unique")
RESERVED_STAGE_NAME: Final = Rule(
    name="ReservedStageName", description="Reserved words should not be used as stage names"
)
MAINTAINER_DEPRECATED: Final = Rule(
    name="MaintainerDeprecated",
    description="The MAINTAINER instruction is deprecated, use a label instead to define an image author",
)
UNDEFINED_ARG_IN_FROM: Final = Rule(
    name="UndefinedArgInFrom", description="FROM command must use declared ARGs"
)
INVALID_DEFAULT_ARG_IN_FROM: Final = Rule(
    name="InvalidDefaultArgInFrom",
    description="Default value for global ARG results in an empty or invalid base image name",
)
REDUNDANT_TARGET_PLATFORM: Final = Rule(
    name="RedundantTargetPlatform",
    description="Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default "
    "behavior",
)
FROM_PLATFORM_CONST: Final = Rule(
    name="FromPlatformFlagConstDisallowed",
    description="FROM --platform flag should not use a constant value",
)
INVALID_DEFINITION_DESCRIPTION: Final = Rule(
    name="InvalidDefinitionDescription",
    description="Comment for build stage or argument should follow the format: `# <arg/stage name> "
    "<description>`. If this is not intended to be a description comment, add an empty line or comment between "
    "the instruction and the comment.",
    experimental=True,
)
JSON_ARGS_RECOMMENDED: Final = Rule(
    name="JSONArgsRecommended",
    description="JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS "
    "signals",
)
WORKDIR_RELATIVE_PATH: Final = Rule(
    name="WorkdirRelativePath",
    description="Relative workdir without an absolute workdir declared within the build can have unexpected "
    "results if the base image changes",
)
UNDEFINED_VAR: Final = Rule(name="UndefinedVar", description="Variables should be defined before their use")
MULTIPLE_INSTRUCTIONS: Final = Rule(
    name="MultipleInstructionsDisallowed",
    description="Multiple instructions of the same type should not be used in the same stage",
)
LEGACY_KEY_VALUE_FORMAT: Final = Rule(
    name="LegacyKeyValueFormat",
    description="Legacy key/value format with whitespace separator should not be used",
)
SECRETS_USED: Final = Rule(
    name="SecretsUsedInArgOrEnv",
    description="Sensitive data should not be used in the ARG or ENV commands",
)
COPY_IGNORED_FILE: Final = Rule(
    name="CopyIgnoredFile", description="Attempting to Copy file that is excluded by .dockerignore"
)
EXPOSE_PROTO_CASING: Final = Rule(
    name="ExposeProtoCasing", description="Protocol in EXPOSE instruction should be lowercase"
)
EXPOSE_INVALID_FORMAT: Final = Rule(
    name="ExposeInvalidFormat",
    description="IP address and host-port mapping should not be used in EXPOSE instruction. This will become "
    "an error in a future release",
)
INVALID_BASE_IMAGE_PLATFORM: Final = Rule(
    name="InvalidBaseImagePlatform",
    description="Base image platform does not match expected target platform",
    has_page=False,
)
