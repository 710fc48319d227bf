"""The descriptor: media type, digest and size of a blob, and which platform it is for."""

# Annotations are types here and no texts, which msgspec would have to read at every start.

from typing import Self

import msgspec

from builder.oci.digest import Digest
from builder.platforms import Platform


class PlatformObject(msgspec.Struct, frozen=True, omit_defaults=True):
    """The `platform` member of an index entry. Source: OCI image-spec, image-index.md."""

    architecture: str
    os: str
    os_version: str = msgspec.field(name="os.version", default="")
    os_features: tuple[str, ...] = msgspec.field(name="os.features", default=())
    variant: str = ""

    @property
    def platform(self) -> Platform:
        """The platform in its normal form."""
        return Platform(
            os=self.os, architecture=self.architecture, variant=self.variant, os_version=self.os_version
        ).normalized()

    @classmethod
    def of(cls, platform: Platform) -> Self:
        """The JSON form of `platform`."""
        return cls(
            architecture=platform.architecture,
            os=platform.os,
            variant=platform.variant,
            os_version=platform.os_version,
        )


class Descriptor(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Points at a blob. Source: OCI image-spec, descriptor.md."""

    media_type: str = msgspec.field(name="mediaType")
    digest: Digest
    size: int
    urls: tuple[str, ...] = ()
    annotations: dict[str, str] = {}
    data: str = ""
    artifact_type: str = msgspec.field(name="artifactType", default="")
    platform: PlatformObject | None = None

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError(f"negative size in the descriptor of {self.digest}")

    def with_platform(self, platform: Platform) -> Self:
        """The same blob, marked as made for `platform`."""
        return msgspec.structs.replace(self, platform=PlatformObject.of(platform))
