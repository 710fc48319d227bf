"""How many signatures there are, whoever made them: no key is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from exporter.attest.signing.checking import check_signatures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.oci.descriptor import Descriptor
    from exporter.attest.signing.checking import SignaturePlace


class SignatureCount(msgspec.Struct, frozen=True):
    """Signatures over the `image` (its root and its platforms), and over `statements` about it."""

    image: int
    statements: int


def count_signatures(place: SignaturePlace, subjects: Sequence[Descriptor]) -> SignatureCount:
    """Those over `subjects`. Raises: DockyardError when `place` cannot be asked."""
    kinds = [each.kind for subject in subjects for each in check_signatures(place, subject, ())]
    return SignatureCount(kinds.count("image"), kinds.count("attestation"))
