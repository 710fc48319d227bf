"""The section `[inputs]`: what a build may start from, by name and by digest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.attest.policy.patterns import fits, listed
from exporter.attest.verify.finding import Spot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builder.oci.digest import Digest
    from exporter.attest.policy.patterns import Pattern
    from exporter.attest.policy.policy import InputRules
    from exporter.attest.verify.finding import Finding


def check_image(rules: InputRules, name: str, root: Digest) -> Iterator[Finding]:
    """Whether an image may be used, called by its full name."""
    yield from _allowed("images", rules.images, name, root)


def check_digest(rules: InputRules, name: str, root: Digest, *, is_named: bool) -> Iterator[Finding]:
    """Whether `name`, without digest, means what it is pinned to; `is_named`: the Dockerfile has a digest."""
    pinned = rules.pins.get(name)
    if pinned is not None:
        spot = Spot(root).under(f"inputs.pins.{name}")
        hint = f"it is pinned to {pinned}"
        yield spot.judged("pin", f"is {root}", held=root == pinned, hint=hint)
    elif rules.digests:
        message = "is named by digest" if is_named else "has no digest, and is not pinned"
        hint = f"write {name}@{root}, or pin it"
        yield Spot(root).under("inputs.digests").judged("input-digest", message, held=is_named, hint=hint)


def check_http(rules: InputRules, url: str, *, is_checked: bool) -> Iterator[Finding]:
    """Whether a file may be fetched; `is_checked`: its digest is known."""
    yield from _allowed("http", rules.http, url, "")
    yield from _checked(rules, is_checked=is_checked, hint="ADD --checksum=sha256:...")


def check_git(rules: InputRules, remote: str, *, is_checked: bool) -> Iterator[Finding]:
    """Whether a repository may be fetched; `is_checked`: its commit is known."""
    yield from _allowed("git", rules.git, remote, "")
    yield from _checked(rules, is_checked=is_checked, hint="name the commit, or ADD --checksum=COMMIT")


def _allowed(key: str, patterns: tuple[Pattern, ...], name: str, digest: str) -> Iterator[Finding]:
    if patterns:
        spot = Spot(digest).under(f"inputs.{key}")
        held = fits(patterns, name)
        message = "is allowed" if held else "is none of those that are allowed"
        yield spot.judged("input", message, held=held, hint=listed(patterns))


def _checked(rules: InputRules, *, is_checked: bool, hint: str) -> Iterator[Finding]:
    if rules.checksums:
        message = "has a checksum" if is_checked else "has no checksum: its server may send anything"
        yield Spot("").under("inputs.checksums").judged("checksum", message, held=is_checked, hint=hint)
