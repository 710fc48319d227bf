"""ONBUILD, HEALTHCHECK and build checks in real builds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from building import Project

pytestmark = pytest.mark.root


def test_triggers_of_an_image_fire_in_the_build_that_uses_it(project: Project, tmp_path: Path) -> None:
    layout = tmp_path / "base"
    base = "FROM busybox\nONBUILD ENV A=1\nONBUILD COPY --from=tools /t /t\nONBUILD RUN echo $A > /x\n"
    assert project.build(base, "-o", f"type=oci,tar=false,dest={layout}").code == 0

    text = "FROM busybox AS tools\nRUN echo tool > /t\nFROM base\nRUN cat /x > /y\n"
    image = project.image(text, "--build-context", f"base=oci-layout://{layout}")

    assert (image.text("t"), image.text("y")) == ("tool\n", "1\n")
    assert "OnBuild" not in image.config["config"]


def test_triggers_are_kept_in_the_config_of_the_image(project: Project) -> None:
    image = project.image("FROM busybox\nONBUILD RUN <<E\necho x\nE\nONBUILD CMD a\n")
    assert image.config["config"]["OnBuild"] == ["RUN <<E\necho x\nE", "CMD a"]


def test_a_step_of_a_trigger_says_so_in_progress(project: Project) -> None:
    text = "FROM busybox AS b\nONBUILD RUN true\nFROM b\nRUN false || true\n"
    assert project.build(text, "-t", "x").executed == [
        "[stage-1 1/2] ONBUILD RUN true",
        "[stage-1 2/2] RUN false || true",
    ]


def test_a_failing_trigger_is_shown_at_the_from_line(project: Project) -> None:
    outcome = project.build("FROM busybox AS b\nONBUILD RUN false\nFROM b\n", "-t", "x")
    assert outcome.code == 1
    assert "   3 | >>> FROM b\n" in outcome.err


def test_a_health_check_is_part_of_the_config(project: Project) -> None:
    image = project.image("FROM busybox\nHEALTHCHECK --interval=1m30s --retries=2 CMD true\n")
    assert image.config["config"]["Healthcheck"] == {
        "Test": ["CMD-SHELL", "true"],
        "Interval": 90_000_000_000,
        "Retries": 2,
    }


def test_warnings_stand_at_the_end_of_a_build_that_succeeds(project: Project) -> None:
    outcome = project.build("FROM busybox\nENV A b\n", "-t", "x")
    assert outcome.code == 0
    assert outcome.err.rstrip().endswith(
        " 1 warning found (use dockyard --debug to expand):\n"
        ' - LegacyKeyValueFormat: "ENV key=value" should be used instead of legacy "ENV key value" format (line 2)'
    )


def test_findings_that_are_errors_end_the_build_before_any_step(project: Project) -> None:
    outcome = project.build("# check=error=true\nFROM busybox\nRUN true\nENV A b\n", "-t", "x")
    assert outcome.code == 1
    assert "lint violation found for rules: LegacyKeyValueFormat" in outcome.err
    assert " 1 warning found" in outcome.err
    assert outcome.executed == []


def test_a_check_builds_nothing_and_tells_by_its_code(project: Project) -> None:
    outcome = project.build("FROM busybox\nRUN false\nCMD x\n", "--check")
    assert outcome.code == 1
    assert "WARNING: JSONArgsRecommended" in outcome.out
    assert outcome.executed == []


def test_a_copy_of_what_the_ignore_file_excludes_is_explained(project: Project) -> None:
    project.write(".dockerignore", "secret\n")
    project.write("secret")
    outcome = project.build("FROM busybox\nCOPY secret /\n", "-t", "x")
    assert outcome.code == 1
    assert (
        'CopyIgnoredFile: Attempting to Copy file "secret" that is excluded by .dockerignore' in outcome.err
    )


def test_an_insecure_step_may_mount_when_that_is_allowed(project: Project) -> None:
    text = "FROM busybox\nRUN --security=insecure mkdir /m && mount -t tmpfs none /m && echo yes > /x\n"
    refused = project.build(text, "-t", "x")
    assert refused.code == 1 and "entitlement security.insecure is not allowed" in refused.err
    assert project.image(text, "--allow", "security.insecure").text("x") == "yes\n"


def test_an_insecure_step_that_is_in_the_cache_is_refused_all_the_same(project: Project) -> None:
    text = "FROM busybox\nRUN --security=insecure true\n"
    project.built(text, "--allow", "security.insecure", "-o", "type=cacheonly")
    refused = project.build(text, "-o", "type=cacheonly")
    assert refused.code == 1 and "entitlement security.insecure is not allowed" in refused.err
    assert "Dockerfile:2" in refused.err


def test_an_insecure_step_has_devices_of_the_host_and_others_have_not(project: Project) -> None:
    text = "FROM busybox\nRUN ls /dev > /plain\nRUN --security=insecure ls /dev > /more\n"
    image = project.image(text, "--allow", "security.insecure")
    assert "kmsg" not in image.text("plain").split()
    assert "kmsg" in image.text("more").split()
