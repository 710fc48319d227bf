"""Sizes as people read them, in the spelling that BuildKit and Docker use."""

from __future__ import annotations

from typing import Final

_DECIMAL: Final = ("kB", "MB", "GB", "TB", "PB")
_BINARY: Final = ("KiB", "MiB", "GiB", "TiB")


def format_bytes(count: int) -> str:
    """`count` in powers of 1000 with two digits: `765B`, `1.05kB`, `231.29MB`."""
    if count < 1000:
        return f"{count}B"
    amount = float(count)
    for unit in _DECIMAL:
        amount /= 1000
        if amount < 1000 or unit == _DECIMAL[-1]:
            break
    return f"{amount:.2f}{unit}"


def format_binary(count: int) -> str:
    """`count` in powers of 1024, for limits, which are round there: `2MiB`, `64KiB`, `100B`."""
    if count < 1024:
        return f"{count}B"
    amount = float(count)
    for unit in _BINARY:
        amount /= 1024
        if amount < 1024 or unit == _BINARY[-1]:
            break
    return f"{amount:.4g}{unit}"


def format_size(count: int) -> str:
    """`count` in powers of 1000 with four digits at most: `0B`, `8.224kB`, `1.704GB`, as in Docker's lists."""
    amount, unit = float(count), "B"
    for larger in _DECIMAL:
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.4g}{unit}"
