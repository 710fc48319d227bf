"""How an image is to be signed: the options alone, which every build knows."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from exporter.attest.signing.keys import Signer

Form = Literal["tag", "bundle"]
"""In which form signatures are kept: under cosign's tags, or as bundles among the referrers."""

FORMS: Final[tuple[Form, ...]] = ("tag", "bundle")


class SigningOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How an image is signed: each signature in every one of `forms`; `recursive`: the images of an index, too."""

    signers: tuple[Signer, ...]
    forms: tuple[Form, ...] = FORMS
    recursive: bool = True
