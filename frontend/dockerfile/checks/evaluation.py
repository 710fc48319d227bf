"""Checks of instructions as they are evaluated, with their variables: only in stages that are needed."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from builder.system.quoting import quote
from frontend.dockerfile import tree
from frontend.dockerfile.checks import rules
from frontend.dockerfile.paths import clean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from builder.graph.patterns import IgnorePatterns
    from frontend.dockerfile.checks.findings import Findings
    from frontend.dockerfile.checks.rules import Rule

_SECRETS: Final = frozenset(
    "apikey auth credential credentials key password pword passwd secret token".split()
)
_NO_SECRETS: Final = frozenset(("public", "file", "version"))
_EVERYTHING: Final = frozenset(("*", "**", "**/*"))
_ONCE: Final = (tree.Cmd, tree.Entrypoint, tree.Healthcheck)


class StageChecks:
    """The checks of one stage. `exclude` are the ignore patterns of the main context."""

    def __init__(self, findings: Findings, *, exclude: tuple[str, ...]) -> None:
        self._findings = findings
        self._exclude = exclude
        self._seen: dict[type[tree.Instruction], tree.Instruction] = {}

    def _report(self, rule: Rule, message: str, node: tree.Instruction) -> None:
        self._findings.report(rule, message, node.location, comments=node.comments)

    def instruction(self, node: tree.Instruction, *, has_shell: bool) -> None:
        """Checks what shows without variables. `has_shell`: the image says which shell it wants."""
        if isinstance(node, _ONCE):
            self._check_once(node)
        if isinstance(node, tree.Cmd | tree.Entrypoint) and node.command.shell and not has_shell:
            message = (
                f"JSON arguments recommended for {node.keyword.upper()} to prevent unintended behavior related "
                "to OS signals"
            )
            self._report(rules.JSON_ARGS_RECOMMENDED, message, node)
        if isinstance(node, tree.Env | tree.Label) and node.legacy:
            name = node.keyword
            message = f'"{name} key=value" should be used instead of legacy "{name} key value" format'
            self._report(rules.LEGACY_KEY_VALUE_FORMAT, message, node)

    def _check_once(self, node: tree.Instruction) -> None:
        earlier = self._seen.get(type(node))
        if earlier is not None:
            message = (
                f"Multiple {node.keyword.upper()} instructions should not be used in the same stage because "
                "only the last one will be used"
            )
            self._report(rules.MULTIPLE_INSTRUCTIONS, message, earlier)
        self._seen[type(node)] = node

    def undefined(self, names: Iterable[str], known: Collection[str], node: tree.Instruction) -> None:
        """`node` used `names`, which no ENV or ARG has set; `known` are those that are set."""
        for name in sorted(names):
            nearest = self._findings.nearest(name, known)
            suggestion = f" (did you mean ${nearest}?)" if nearest else ""
            self._report(rules.UNDEFINED_VAR, f"Usage of undefined variable '${name}'{suggestion}", node)

    def secret_names(self, names: Iterable[str], node: tree.Arg | tree.Env) -> None:
        """`node` puts variables of these `names` where everybody can read them."""
        for name in names:
            words = set(name.lower().split("_"))
            if words & _SECRETS and not words & _NO_SECRETS:
                keyword = node.keyword.upper()
                message = f"Do not use ARG or ENV instructions for sensitive data ({keyword} {quote(name)})"
                self._report(rules.SECRETS_USED, message, node)

    def relative_directory(self, path: str, node: tree.Workdir) -> None:
        """`node` goes to `path` from a directory that only the base image knows."""
        message = f"Relative workdir {quote(path)} can have unexpected results if the base image changes"
        self._report(rules.WORKDIR_RELATIVE_PATH, message, node)

    def port(self, word: str, node: tree.Expose) -> None:
        """`node` declares `word`, which names ports that exist."""
        address, slash, protocol = word.partition("/")
        if slash and protocol != protocol.lower():
            message = f"Defined protocol '{word}' in EXPOSE instruction should be lowercase"
            self._report(rules.EXPOSE_PROTO_CASING, message, node)
        if ":" in address:
            message = (
                f"EXPOSE instruction should not define an IP address or host-port mapping, found '{word}'"
            )
            self._report(rules.EXPOSE_INVALID_FORMAT, message, node)

    def context_source(self, source: str, node: tree.Transfer) -> None:
        """`node` copies `source` from the main context."""
        ignored = _ignore_patterns(self._exclude)
        if ignored is None:
            return
        path = clean("/" + source).lstrip("/")
        is_ignored = ignored.excludes_path(path) if path else bool(_EVERYTHING & set(self._exclude))
        if is_ignored:
            verb = "Add" if isinstance(node, tree.Add) else "Copy"
            shown = path or "."
            message = f"Attempting to {verb} file {quote(shown)} that is excluded by .dockerignore"
            self._report(rules.COPY_IGNORED_FILE, message, node)


@lru_cache(maxsize=4)
def _ignore_patterns(exclude: tuple[str, ...]) -> IgnorePatterns | None:
    """The patterns, where all of them exclude: what `!` brings back is not told by the name of a source."""
    if not exclude or any(pattern.startswith("!") for pattern in exclude):
        return None
    from builder.graph.patterns import IgnorePatterns

    return IgnorePatterns(exclude)
