"""One record of comma-separated fields, as the flags of buildx take it. Source: RFC 4180; Go's encoding/csv."""

from __future__ import annotations


def read_fields(text: str) -> list[str]:
    """The fields of `text`; none of an empty one. Raises: ValueError for quotes that do not make sense."""
    if not any(each in text for each in '"\r\n'):
        return text.split(",") if text else []
    import csv

    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error as error:
        raise ValueError(str(error)) from error
