"""The house sets itself up: once, without asking, and with a sentence where it cannot."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Final

import pytest

CHECKOUT: Final = Path(__file__).resolve().parents[2]
SYSTEM: Final = CHECKOUT / "fixtures" / "setup" / "system.sh"


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=CHECKOUT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_a_second_setup_finds_nothing_to_do() -> None:
    stamp = CHECKOUT / ".venv" / "stamp"
    if not stamp.exists():
        pytest.skip("this environment was not made by `make setup`, and tests do not change it")
    before = stamp.stat().st_mtime_ns
    second = run("make", "--no-print-directory", "setup")
    assert (second.returncode, second.stdout, stamp.stat().st_mtime_ns) == (0, "", before)


def test_skopeo_lists_six_platforms_of_the_busybox_layout(busybox_layout: Path) -> None:
    shown = run("skopeo", "inspect", "--raw", f"oci:{busybox_layout}")
    platforms = [each["platform"] for each in json.loads(shown.stdout)["manifests"]]
    named = ["/".join(filter(None, (each["architecture"], each.get("variant")))) for each in platforms]
    assert named == ["amd64", "arm64/v8", "arm/v7", "386", "ppc64le", "s390x"]


def test_skopeo_reads_the_debian_layout_as_one_image(debian_layout: Path) -> None:
    shown = run("skopeo", "inspect", "--raw", f"oci:{debian_layout}:latest")
    assert len(json.loads(shown.stdout)["layers"]) == 1


@pytest.mark.root
def test_umoci_unpacks_a_busybox_that_runs(busybox_layout: Path, tmp_path: Path) -> None:
    run("skopeo", "copy", f"oci:{busybox_layout}", f"oci:{tmp_path}/one:latest")
    run("umoci", "unpack", "--image", f"{tmp_path}/one:latest", f"{tmp_path}/bundle")
    greeted = run(
        "chroot", f"{tmp_path}/bundle/rootfs", "/bin/sh", "-c", "id -un; awk 'BEGIN { print 6 * 7 }'"
    )
    assert greeted.stdout == "root\n42\n"


@pytest.mark.root
def test_setup_by_another_user_says_what_root_must_install(tmp_path: Path) -> None:
    # With an empty package database everything is missing; the script is copied to where that user can read.
    tmp_path.chmod(0o755)
    (tmp_path / "status").touch()
    refused = subprocess.run(
        ["bash", "-s"],
        cwd="/",
        env={"PATH": os.environ["PATH"], "DPKG_ADMINDIR": str(tmp_path)},
        input=SYSTEM.read_text(),
        capture_output=True,
        text=True,
        check=False,
        user=65534,
    )
    assert refused.returncode == 1
    assert re.search(
        r"only root may install them; install .*: .*\bcrun\b.*\bqemu-user-static\b", refused.stderr
    )


def test_setup_without_apt_says_what_to_install(tmp_path: Path) -> None:
    bash, awk = shutil.which("bash"), shutil.which("awk")
    assert bash is not None
    assert awk is not None
    (tmp_path / "awk").symlink_to(awk)
    refused = run(bash, SYSTEM, "test", PATH=str(tmp_path))
    assert refused.returncode == 1
    assert re.search(r"has no apt-get .*: .*\bcrun\b.*\bmmdebstrap\b", refused.stderr)


def test_setup_without_a_fitting_python_says_so(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    refused = run(bash, CHECKOUT / "fixtures" / "setup" / "python.sh", PATH=str(tmp_path))
    assert (refused.returncode, "no Python 3.11 or newer" in refused.stderr) == (1, True)


def test_a_base_image_that_cannot_be_made_ends_in_a_sentence(tmp_path: Path) -> None:
    python = shutil.which("python3", path=str(CHECKOUT / ".venv" / "bin"))
    assert python is not None
    refused = run(
        python, "-m", "fixtures.bases", "path", "busybox", PATH=str(tmp_path), DOCKYARD_FIXTURES=str(tmp_path)
    )
    assert (refused.returncode, "Traceback" in refused.stderr) == (1, False)
    assert "apt-get is not installed" in refused.stderr


def test_every_python_dependency_is_locked_with_a_hash() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    wanted += project["build-system"]["requires"]
    names = {re.split(r"[<>=~ ;\[]", each)[0] for each in wanted}
    lock = (CHECKOUT / "requirements.lock").read_text()
    locked = set(re.findall(r"^([a-z0-9-]+)==\S+(?: ;.*)? \\\n    --hash=sha256:", lock, re.MULTILINE))
    assert names <= locked


def test_the_lock_names_no_place_that_packages_come_from() -> None:
    assert "://" not in (CHECKOUT / "requirements.lock").read_text()
