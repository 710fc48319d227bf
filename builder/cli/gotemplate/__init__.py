"""Go's templates as far as people use them with `--format`: parsed first, then run on plain values."""

from builder.cli.gotemplate.execute import render

__all__ = ["render"]
