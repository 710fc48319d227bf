"""Differences that are meant, each with its reason; docs/conformance.md shows this table."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from cases import Case
    from compare import Difference


class Accepted(NamedTuple):
    """Patterns of case folders and of subjects, and why dockyard is another there."""

    cases: str
    subjects: str
    reason: str


_NEWER: Final = "as newer versions of BuildKit do it"
_UNCHANGED: Final = (
    "a copy's layer holds what was copied, also where the same file was there: nothing is compared"
)
_LINKED: Final = "a hard link to a file of a lower layer stays one: BuildKit's layer holds the new name only"
_OPAQUE: Final = (
    "a directory that was made anew hides all below it by one opaque mark; BuildKit names each path"
)
_NOT_STARTED: Final = (
    "a program that cannot be started is 126 or 127, as in a shell; BuildKit says what runc says"
)
_CLEARER: Final = "the same fault in other words, which say what and where, or what to do"
_NO_ID: Final = (
    "a number that no file can have is refused; BuildKit takes it for an unknown name, which is root"
)
_ITS_LINE: Final = "the line that is wrong is shown; BuildKit shows the one before"
_WITH_PLACE: Final = "the place in the Dockerfile is shown, where BuildKit shows none"
_SWAPPED: Final = "files of one size and time that a step swaps are compared by content, too"
_UNSENT: Final = "a wildcard without match takes nothing; BuildKit fails if it sent nothing of the directory"
_DATED: Final = "a file whose text is in the Dockerfile has the time of `SOURCE_DATE_EPOCH`, when it is given"
_UMASK: Final = "a cache has the mode that was asked for; the umask of the engine cuts it"
_MADE_FOR_ALL: Final = (
    "directories that a copy makes have the mode that was asked for; the umask of the engine cuts it"
)
_WHITEOUTS: Final = (
    "a name that means a deletion in layers is refused; BuildKit's image lacks other files for it"
)

ACCEPTED: Final = (
    Accepted("config-layers-without-change-are-there-all-the-same", "layer 3 *", _UNCHANGED),
    Accepted("add-an-archive-into-a-destination-that-is-a-link", "layer 3 *", _UNCHANGED),
    Accepted("copy-destinations-an-absolute-link-in-the-destination-*", "layer 2 *", _UNCHANGED),
    Accepted("run-files-are-changed-and-removed", "* 'd/x'", _LINKED),
    Accepted("run-files-are-changed-and-removed", "* links", _LINKED),
    Accepted("run-a-hard-link-to-a-file-of-the-layer-below", "* 'f'", _LINKED),
    Accepted("run-a-hard-link-to-a-file-of-the-layer-below", "* links", _LINKED),
    Accepted("run-a-directory-is-replaced-by-a-new-one-of-the-same-name", "layer 2 *", _OPAQUE),
    Accepted("run-a-directory-becomes-a-file-and-a-file-a-directory", "layer 2 *", _OPAQUE),
    Accepted("run-a-command-that-is-not-*", "message", _NOT_STARTED),
    Accepted("run-a-command-that-may-not-be-run", "message", _NOT_STARTED),
    Accepted("run-a-shell-that-the-image-does-not-have", "message", _NOT_STARTED),
    Accepted("run-an-empty-exec-form", "message", _CLEARER),
    Accepted("run-an-empty-exec-form", "excerpt", _WITH_PLACE),
    Accepted("run-files-that-vanish-under-a-whiteout-name", "message", _WHITEOUTS),
    Accepted("add-an-archive-with-whiteout-names", "message", _WHITEOUTS),
    Accepted(
        "add-an-archive-with-a-link-and-a-file-through-it",
        "message",
        "an archive whose link leads a later member out of the destination is refused",
    ),
    Accepted("add-an-archive-with-names-that-go-up", "message", _CLEARER),
    Accepted("add-an-archive-that-is-cut-off", "message", _CLEARER),
    Accepted("copy-destinations-links-that-go-round-in-the-destination-fail", "message", _CLEARER),
    Accepted("copy-sources-a-link-that-points-to-itself-fails", "message", _CLEARER),
    Accepted("copy-sources-a-wildcard-in-a-missing-folder-fails", "message", _CLEARER),
    Accepted("copy-metadata-a-symbolic-mode-with-*", "message", _CLEARER),
    Accepted("stages-a-platform-that-the-base-does-not-have", "message", _CLEARER),
    Accepted("stages-an-unknown-base", "message", _CLEARER),
    Accepted("heredocs-names-with-blanks-and-escapes-in-bodies", "message", _CLEARER),
    Accepted(
        "owners-ids-up-to-the-largest",
        "message",
        _NEWER,
    ),
    Accepted("copy-metadata-numeric-owners", "files 'e' owner", _NEWER),
    Accepted("owners-an-id-that-is-none", "message", _NO_ID),
    Accepted("copy-from-an-index-that-no-stage-has", "excerpt", _WITH_PLACE),
    Accepted("copy-from-a-variable-in-the-name-of-a-stage", "excerpt", _WITH_PLACE),
    Accepted(
        "copy-from-devices-and-fifos-in-another-stage",
        "files 'x/b' kind",
        "a block device stays one; BuildKit's copy is a character device",
    ),
    Accepted(
        "copy-sources-names-that-are-not-utf-8",
        "message",
        "names are bytes; BuildKit's transfer of the context allows UTF-8 only",
    ),
    Accepted(
        "copy-sources-a-socket-in-the-context",
        "*",
        "a socket is left out, because no layer can hold it; BuildKit's layer holds an empty file",
    ),
    Accepted(
        "run-cgroups-of-the-step",
        "files 'out' content",
        "a step has a cgroup namespace of its own, and no hierarchy of cgroups is mounted in it",
    ),
    Accepted(
        "run-mounts-of-a-step",
        "files 'out' content",
        "device nodes are bind mounts, no cgroups are mounted, and /proc/interrupts is masked as newer engines do",
    ),
    Accepted(
        "run-options-of-the-mounts-of-a-step",
        "files 'out' content",
        "the same, and neither devices nor programs work on the /dev of a step except for its own nodes",
    ),
    Accepted("run-paths-that-are-masked-or-read-only", "files 'out' content", _NEWER),
    Accepted("more-*health-check*", "history *", _NEWER),
    Accepted("instructions-healthcheck*", "history *", _NEWER),
    Accepted("instructions-onbuild-runs-downstream", "history 15", _NEWER),
    Accepted("trees-copy-parents-*", "*", _NEWER),
    Accepted("forms-run-security-*", "message", _NEWER),
    Accepted("forms-run-network-host-not-allowed", "message", _NEWER),
    Accepted("forms-run-network-host-not-allowed", "excerpt", _WITH_PLACE),
    Accepted("forms-from-stage-index-bad", "excerpt", _WITH_PLACE),
    Accepted("forms-from-with-variable", "excerpt", _WITH_PLACE),
    Accepted("forms-bad-escape", "excerpt", _WITH_PLACE),
    Accepted("forms-two-directives", "excerpt", _ITS_LINE),
    Accepted("forms-line-too-long", "excerpt", _ITS_LINE),
    Accepted(
        "forms-heredoc-script-with-a-hashbang",
        "* 'ro'",
        "the directory of a script that a heredoc holds can be written to for as long as the step runs",
    ),
    Accepted("trees-exclude-bad-pattern", "message", _CLEARER),
    Accepted("trees-wildcard-without-match-and-missing-folder", "message", _CLEARER),
    Accepted("trees-links-in-destinations", "layer 7 *", _UNCHANGED),
    Accepted("trees-copy-over-things", "layer 3 *", _UNCHANGED),
    Accepted("trees-whiteouts-of-all-kinds", "layer *", _OPAQUE),
    Accepted("transfers-an-archive-with-sparse-and-special-members", "message", _CLEARER),
    Accepted("transfers-copy-from-scratch", "message", _CLEARER),
    Accepted("more-*parents*", "*", _NEWER),
    Accepted(
        "language-a-directive-of-syntax-is-for-others",
        "message",
        "the language is built in: no directive brings another",
    ),
    Accepted("spacing-*mixed-case-that-work", "history 3", _NEWER),
    Accepted("spacing-odd-blanks-in-every-instruction", "history *", _NEWER),
    Accepted("variables-variables-in-every-instruction", "history 14", _NEWER),
    Accepted("placing-health-check-with-tabs", "history *", _NEWER),
    Accepted("variables-a-bad-substitution-in-a-heredoc-body", "message", _CLEARER),
    Accepted("variables-from-with-a-digest-that-is-bad", "message", _CLEARER),
    Accepted("placing-copy-a-directory-onto-itself-by-different-names", "layer 2 *", _UNCHANGED),
    Accepted("archives-an-archive-with-a-hard-link-to-nothing", "message", _CLEARER),
    Accepted("archives-an-archive-with-sparse-files-of-gnu", "message", _CLEARER),
    Accepted("mounts-modes-of-caches-that-the-umask-of-the-engine-cuts", "files 'x' content", _UMASK),
    Accepted("shapes-cache-mounts-with-modes-and-owners", "files 'y' content", _UMASK),
    Accepted(
        "copy-metadata-directories-that-a-copy-makes-for-all-to-write",
        "files * mode",
        _MADE_FOR_ALL,
    ),
    Accepted("copy-sources-a-wildcard-without-match-in-a-directory", "message", _UNSENT),
    Accepted("heredocs-a-file-with-an-epoch", "files 'd/f' mtime", _DATED),
    Accepted("trickier-*parents*", "*", _NEWER),
    Accepted("trickier-a-file-named-by-a-heredoc-with-a-path", "*", _CLEARER),
    Accepted("trickier-from-with-a-wrong-platform", "message", _CLEARER),
    Accepted("trickier-from-with-a-tag-that-is-bad", "message", _CLEARER),
    Accepted("trickier-run-with-unknown-flags", "message", _CLEARER),
    Accepted("trickier-copy-from-a-stage-that-is-not-there-and-no-image", "excerpt", _WITH_PLACE),
    Accepted("layers-copies-to-links-in-many-shapes", "layer 7 *", _UNCHANGED),
    Accepted("layers-a-directory-onto-a-dangling-link", "layer 3 *", _UNCHANGED),
    Accepted("layers-times-of-directories-on-the-way", "layer 4 *", _UNCHANGED),
    Accepted("layers-swapping-names", "layer 2 *.wh.*", _OPAQUE),
    Accepted("layers-swapping-names", "* '[fg]'*", _SWAPPED),
    Accepted("ignoring-exclude-from-a-stage", "message", _CLEARER),
    Accepted("steps-a-file-is-moved-and-linked-over-layers", "* 'b'", _LINKED),
    Accepted("steps-a-file-is-moved-and-linked-over-layers", "* links", _LINKED),
    Accepted("steps-delete-and-make-anew-in-one-step-and-in-two", "layer 2 *", _OPAQUE),
    Accepted("steps-a-directory-is-moved-over-layers", "layer 3 *", _OPAQUE),
    Accepted("steps-a-base-file-is-replaced-by-another-kind", "layer 2 *", _OPAQUE),
    Accepted(
        "run-devices-of-a-step",
        "files 'out' content",
        "/dev/core is there also where the kernel has no /proc/kcore",
    ),
)
"""All that is known. A row that matches nothing any more should go."""


def unexpected(case: Case, found: list[Difference]) -> list[Difference]:
    """Those of `found` that the table does not name."""
    return [each for each in found if not _accepted(case, each)]


def _accepted(case: Case, found: Difference) -> bool:
    return any(
        fnmatchcase(case.folder, row.cases) and fnmatchcase(found.subject, row.subjects) for row in ACCEPTED
    )
