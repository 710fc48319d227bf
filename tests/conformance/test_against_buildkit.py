"""Each case is built by dockyard and by BuildKit: what comes out is the same, file by file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from accepted import unexpected
from cases import Case, all_cases

if TYPE_CHECKING:
    from builders import Builders

pytestmark = pytest.mark.root


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.folder)
def test_a_case_comes_out_as_it_does_from_buildkit(case: Case, builders: Builders) -> None:
    found = unexpected(case, builders.judge(case))
    if found:
        # Without the traceback: the differences are all there is to see.
        pytest.fail("\n".join([case.name, case.dockerfile, *map(str, found)]), pytrace=False)
