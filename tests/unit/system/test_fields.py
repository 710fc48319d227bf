"""Fields between commas: what the module of Python's library reads, without it where there are no quotes."""

from __future__ import annotations

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.system.fields import read_fields


@given(st.text(alphabet=st.sampled_from('ab=, "\r\n')))
def test_a_record_means_what_a_reader_of_csv_takes_it_for(text: str) -> None:
    try:
        expected = next(csv.reader([text], strict=True), [])
    except csv.Error:
        with pytest.raises(ValueError, match=r"."):
            read_fields(text)
    else:
        assert read_fields(text) == expected
