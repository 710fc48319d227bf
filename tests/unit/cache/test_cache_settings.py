"""Settings of a state root: what its file says, and what holds without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from builder.cache.policy import Disk, Policy
from builder.cache.settings import read_settings
from builder.store.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

GB = 10**9
DISK = Disk(size=200 * (1 << 30), free=100 * GB)


def test_without_a_file_the_policies_are_those_of_buildkit(tmp_path: Path) -> None:
    settings = read_settings(tmp_path, DISK)
    assert settings.max_disk is None
    assert [policy.all for policy in settings.policies] == [False, False, False, True]
    assert settings.policies[0].max_used == 512 * 10**6
    assert settings.policies[1].keep_seconds == 60 * 86400
    assert settings.policies[2] == Policy(reserved=10 * GB, max_used=100 * GB, min_free=41 * GB)


def test_sizes_are_bytes_words_or_shares_of_the_disk(tmp_path: Path) -> None:
    (tmp_path / "dockyard.toml").write_text(
        'max-disk = "50%"\n[[gc.policy]]\nkeep-duration = "48h"\nreserved-space = 7\nmin-free-space = "1GB"\n'
    )
    settings = read_settings(tmp_path, DISK)
    assert settings.max_disk == 100 * (1 << 30)
    assert settings.policies == (Policy(keep_seconds=172800, reserved=7, min_free=1 << 30),)


def test_collection_can_be_switched_off(tmp_path: Path) -> None:
    (tmp_path / "dockyard.toml").write_text("[gc]\nenabled = false\n")
    assert read_settings(tmp_path, DISK).policies == ()


def test_sizes_of_the_section_are_those_of_the_default_policies(tmp_path: Path) -> None:
    (tmp_path / "dockyard.toml").write_text('[gc]\nmax-used-space = "2GB"\n')
    assert read_settings(tmp_path, DISK).policies[-1] == Policy(all=True, max_used=2 << 30)


@pytest.mark.parametrize("text", ["x = 1", "max-disk = -1", "[gc]\nmax-used-space = '120%'", "["])
def test_a_file_that_cannot_be_read_is_named_in_the_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "dockyard.toml").write_text(text)
    with pytest.raises(StoreError, match=r"dockyard\.toml"):
        read_settings(tmp_path, DISK)
