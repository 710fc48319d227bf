"""Which checks are on: `skip=RuleA,RuleB;error=true;experimental=RuleC`, for a file or for one instruction."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from builder.system.quoting import quote
from frontend.dockerfile.errors import DockerfileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from frontend.dockerfile.checks.rules import Rule
    from frontend.dockerfile.tree import Dockerfile

CHECK_ARGUMENT: Final = "BUILDKIT_DOCKERFILE_CHECK"
_ALL: Final = "all"
_MAX_PARTS: Final = 3
_TRUTHS: Final = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}
_COMMENT: Final = r"(?i)check\s*=\s*(\S+)"


class InvalidCheckOption(Exception):
    """Text that does not say which checks are on."""


class CheckSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Names of rules, or `all`. `error`: a finding ends the build."""

    skip: frozenset[str] = frozenset()
    experimental: frozenset[str] = frozenset()
    error: bool = False

    def allow(self, rule: Rule) -> bool:
        """Whether `rule` is to be reported. Skipping does not reach experimental rules that are turned on."""
        if rule.experimental:
            return bool({rule.name, _ALL} & self.experimental)
        return not {rule.name, _ALL} & self.skip

    def with_comments(self, comments: Iterable[str]) -> CheckSettings:
        """These settings and what the comments of one instruction add; text that is wrong adds nothing."""
        merged = self
        for comment in comments:
            matched = re.match(_COMMENT, comment)
            if matched is None:
                continue
            try:
                own = parse_settings(matched[1])
            except InvalidCheckOption:
                continue
            merged = msgspec.structs.replace(
                merged, skip=merged.skip | own.skip, experimental=merged.experimental | own.experimental
            )
        return merged


def parse_settings(text: str) -> CheckSettings:
    """The settings that `text` spells. Raises: InvalidCheckOption."""
    settings = CheckSettings()
    for part in text.split(";", _MAX_PARTS - 1) if text.strip() else ():
        name, equals, value = part.partition("=")
        if not equals:
            raise InvalidCheckOption(f"invalid check option {quote(part)}")
        match name.strip():
            case "skip":
                settings = msgspec.structs.replace(settings, skip=_names(value))
            case "experimental":
                settings = msgspec.structs.replace(settings, experimental=_names(value))
            case "error":
                settings = msgspec.structs.replace(settings, error=_truth(part, value.strip()))
            case unknown:
                raise InvalidCheckOption(f"invalid check option {quote(unknown)}")
    return settings


def file_settings(dockerfile: Dockerfile, build_args: Mapping[str, str]) -> CheckSettings:
    """What the caller, or else the file, says about checks. Raises: DockerfileError."""
    given = build_args.get(CHECK_ARGUMENT)
    prefix = (
        "failed to parse check options" if given is None else f"failed to parse build-arg:{CHECK_ARGUMENT}"
    )
    try:
        return parse_settings((dockerfile.directives.check or "") if given is None else given)
    except InvalidCheckOption as error:
        raise DockerfileError(f"{prefix}: {error}", location=None) from error


def _names(value: str) -> frozenset[str]:
    return frozenset(name.strip() for name in value.split(","))


def _truth(part: str, value: str) -> bool:
    truth = _TRUTHS.get(value)
    if truth is None:
        reason = f"strconv.ParseBool: parsing {quote(value)}: invalid syntax"
        raise InvalidCheckOption(f"failed to parse check option {quote(part)}: {reason}")
    return truth
