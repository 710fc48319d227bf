"""What a check found, as a value: one line of the report."""

from __future__ import annotations

from typing import Literal

import msgspec

State = Literal["held", "failed", "skipped"]


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One check of one blob.

    `check` names the rule and does not change between versions; `digest` is that of the blob; `platform` groups,
    empty for the image as a whole; `path` is the place in the blob's JSON; `hint` says what to do about a failure;
    `rule` is the key path of the policy that asked, empty for what always holds.
    """

    check: str
    state: State
    digest: str
    message: str
    platform: str = ""
    path: str = ""
    hint: str = ""
    rule: str = ""


class Spot(msgspec.Struct, frozen=True):
    """What findings are about: a blob, whose platform it belongs to, and a place in its JSON.

    `rule`: the key path of the policy that asks.
    """

    digest: str
    platform: str = ""
    path: str = ""
    rule: str = ""

    def at(self, path: str) -> Spot:
        """Another place in the same blob."""
        return Spot(self.digest, self.platform, path, self.rule)

    def under(self, rule: str) -> Spot:
        """The same place, of which `rule` asks something."""
        return Spot(self.digest, self.platform, self.path, rule)

    def held(self, check: str, message: str) -> Finding:
        """What was checked is so."""
        return self._finding(check, "held", message)

    def failed(self, check: str, message: str, *, hint: str = "") -> Finding:
        """What was checked is not so."""
        return self._finding(check, "failed", message, hint)

    def skipped(self, check: str, message: str, *, hint: str = "") -> Finding:
        """What was not checked, and why."""
        return self._finding(check, "skipped", message, hint)

    def judged(self, check: str, message: str, *, held: bool, hint: str = "") -> Finding:
        """Held or failed; `message` says what was compared, `hint` is for failures."""
        return self.held(check, message) if held else self.failed(check, message, hint=hint)

    def _finding(self, check: str, state: State, message: str, hint: str = "") -> Finding:
        return Finding(
            check=check,
            state=state,
            digest=self.digest,
            message=message,
            platform=self.platform,
            path=self.path,
            hint=hint,
            rule=self.rule,
        )
