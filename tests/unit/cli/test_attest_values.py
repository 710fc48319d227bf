"""The variables that buildx has for attestations."""

from __future__ import annotations

import pytest

from builder.cli.attest_values import metadata_provenance, vcs_options, with_artifact_form
from builder.source.vcs import VcsOptions
from builder.system.errors import UsageError
from exporter.outputs import CacheOnlyOutput, ImageOutput, OciOutput


@pytest.mark.parametrize(
    ("word", "expected"),
    [("", "min"), ("min", "min"), ("true", "min"), ("max", "max"), ("disabled", None), ("0", None)],
)
def test_the_metadata_file_says_as_much_as_the_environment_wants(word: str, expected: str | None) -> None:
    assert metadata_provenance({"BUILDX_METADATA_PROVENANCE": word}) == expected


def test_a_word_that_is_no_mode_is_refused() -> None:
    with pytest.raises(UsageError, match="invalid BUILDX_METADATA_PROVENANCE: 'some'"):
        metadata_provenance({"BUILDX_METADATA_PROVENANCE": "some"})


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, VcsOptions(info=True, labels=False, check_dirty=False)),
        ({"BUILDX_GIT_INFO": "false"}, VcsOptions(info=False)),
        ({"BUILDX_GIT_LABELS": "full"}, VcsOptions(labels=True)),
        (
            {"BUILDX_GIT_LABELS": "1", "BUILDX_GIT_CHECK_DIRTY": "t"},
            VcsOptions(labels=True, check_dirty=True),
        ),
    ],
)
def test_the_environment_says_what_is_asked_of_the_repository(
    environ: dict[str, str], expected: VcsOptions
) -> None:
    assert vcs_options(environ) == expected


def test_a_flag_that_is_no_boolean_is_refused() -> None:
    with pytest.raises(UsageError, match="invalid BUILDX_GIT_INFO: 'maybe'"):
        vcs_options({"BUILDX_GIT_INFO": "maybe"})


def test_the_older_form_is_for_outputs_that_do_not_say_one() -> None:
    environ = {"BUILDX_NO_DEFAULT_OCI_ARTIFACT": "1"}
    said = OciOutput(oci_artifact=True)
    assert with_artifact_form((), environ) == (ImageOutput(oci_artifact=False),)
    assert with_artifact_form((said, CacheOnlyOutput()), environ) == (said, CacheOnlyOutput())
    assert with_artifact_form((ImageOutput(),), {}) == (ImageOutput(),)
