"""A policy: what must be so of an image, or of what a build starts from. Frozen values; parsed by `reading`.

What a section does not say is not asked; an empty list asks for nothing. Each section is named as in the file, so
that findings can say the key that asked.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import msgspec

from builder.oci.digest import Digest
from builder.platforms import Platform
from exporter.attest.policy.patterns import Pattern
from exporter.attest.policy.versions import Range
from exporter.attest.signing.keys import PublicKey

Signed = Literal["index", "manifests", "statements"]
"""What a signature must be over: the root, each platform's manifest, each statement."""


class SignatureRules(msgspec.Struct, frozen=True, kw_only=True):
    """`[signatures]`: each of `signed` by at least `threshold` of `keys`."""

    keys: tuple[PublicKey, ...] = ()
    threshold: int = 1
    signed: tuple[Signed, ...] = ("index",)


class AttestationRules(msgspec.Struct, frozen=True, kw_only=True):
    """`[attestations]`: predicate types that every platform has; whether statements may name no subject."""

    required: tuple[str, ...] = ()
    empty_subjects: bool = True


class ProvenanceRules(msgspec.Struct, frozen=True, kw_only=True):
    """`[provenance]`: who built, how, and how much is said of it."""

    builders: tuple[Pattern, ...] = ()
    build_types: tuple[Pattern, ...] = ()
    mode: Literal["", "max"] = ""
    complete: tuple[Literal["request", "materials"], ...] = ()
    reproducible: bool = False
    hermetic: bool = False


class SourceRules(msgspec.Struct, frozen=True, kw_only=True):
    """`[source]`: the repository that was built, its commit, and whether it may have been changed since."""

    allowed: tuple[Pattern, ...] = ()
    revisions: tuple[Pattern, ...] = ()
    dirty: bool = True


class Pin(msgspec.Struct, frozen=True):
    """A material that must have this digest, `algorithm:hex`."""

    name: Pattern
    digest: str


class MaterialRules(msgspec.Struct, frozen=True, kw_only=True):
    """`[materials]`: what may go into an image."""

    allowed: tuple[Pattern, ...] = ()
    denied: tuple[Pattern, ...] = ()
    digests: bool = False
    pins: tuple[Pin, ...] = ()


class BaseRules(msgspec.Struct, frozen=True, kw_only=True):
    """`[bases]`: the images that an image may be made from, by name and by digest."""

    allowed: tuple[Pattern, ...] = ()
    digests: tuple[Digest, ...] = ()


class PackageRule(msgspec.Struct, frozen=True, kw_only=True):
    """A table of `[[packages.forbidden]]` or `[[packages.required]]`: all that it says must fit."""

    name: Pattern = Pattern("*")
    purl: Pattern = Pattern("*")
    version: Range = Range()
    reason: str = ""


class PackageRules(msgspec.Struct, frozen=True, kw_only=True):
    """`[packages]`: what SBOMs must not list, and what they must."""

    forbidden: tuple[PackageRule, ...] = ()
    required: tuple[PackageRule, ...] = ()


class LicenceRules(msgspec.Struct, frozen=True, kw_only=True):
    """`[licenses]`: licences by SPDX identifier; `exempt` are names of packages that are not looked at."""

    allowed: tuple[Pattern, ...] = ()
    denied: tuple[Pattern, ...] = ()
    unknown: Literal["allow", "deny"] = "allow"
    exempt: tuple[Pattern, ...] = ()


class AgeRules(msgspec.Struct, frozen=True, kw_only=True):
    """`[age]`: how long ago statements may have been made."""

    provenance: timedelta | None = None
    sbom: timedelta | None = None


class AnnotationRules(msgspec.Struct, frozen=True, kw_only=True):
    """`[annotations]`: keys with what their values must match."""

    index: dict[str, Pattern] = {}
    manifest: dict[str, Pattern] = {}


class InputRules(msgspec.Struct, frozen=True, kw_only=True):
    """`[inputs]`: what a build may start from.

    `images`, `git` and `http` are names and addresses that are allowed; `checksums`: files of the network must say
    their digest in the Dockerfile; `digests`: images must be named by digest, or pinned; `pins`: digests by the
    full names of images.
    """

    images: tuple[Pattern, ...] = ()
    git: tuple[Pattern, ...] = ()
    http: tuple[Pattern, ...] = ()
    checksums: bool = False
    digests: bool = False
    pins: dict[str, Digest] = {}


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """One file. `origin` names it in messages."""

    origin: str
    platforms: tuple[Platform, ...] = ()
    require_complete: bool = False
    signatures: SignatureRules = SignatureRules()
    attestations: AttestationRules = AttestationRules()
    provenance: ProvenanceRules = ProvenanceRules()
    source: SourceRules = SourceRules()
    materials: MaterialRules = MaterialRules()
    bases: BaseRules = BaseRules()
    packages: PackageRules = PackageRules()
    licenses: LicenceRules = LicenceRules()
    age: AgeRules = AgeRules()
    labels: dict[str, Pattern] = {}
    annotations: AnnotationRules = AnnotationRules()
    inputs: InputRules = InputRules()

    @property
    def asks_of_images(self) -> bool:
        """Whether anything is asked of an image itself, beyond its name."""
        others = msgspec.structs.replace(self, platforms=(), require_complete=False, inputs=InputRules())
        return others != Policy(origin=self.origin)
