"""A build that is recorded, for every test of this folder."""

from __future__ import annotations

import pytest
from recorder import Recorder


@pytest.fixture
def build() -> Recorder:
    return Recorder()
