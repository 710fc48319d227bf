"""The image config: what a container of this image runs, what it is made of, and how it came to be.

Members that dockyard does not know travel unchanged, because an image's config is its author's. Written as
BuildKit writes it: one line, top-level members in alphabetical order, Go's HTML escapes.
Source: OCI image-spec, config.md; Docker's extension members from its image specification v1.2.
"""

# Annotations are types here and no texts, which msgspec would have to read at every start.

from typing import Final

import msgspec

from builder.oci.digest import DiffID, Digest, decode_hook, encode_json
from builder.oci.manifest import MAX_DOCUMENT, InvalidDocument, escape_html
from builder.platforms import Platform

DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Healthcheck(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, rename="pascal"):
    """How to ask a container whether it is well; times in nanoseconds."""

    test: tuple[str, ...] = ()
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class ContainerConfig(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, rename="pascal"):
    """Defaults of containers made from the image (`config` of the image config)."""

    user: str = ""
    exposed_ports: dict[str, dict[str, str]] | None = None
    env: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    volumes: dict[str, dict[str, str]] | None = None
    working_dir: str = ""
    labels: dict[str, str] | None = None
    stop_signal: str = ""
    args_escaped: bool = False
    healthcheck: Healthcheck | None = None
    on_build: tuple[str, ...] | None = None
    shell: tuple[str, ...] | None = None


class History(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One step that made the image; `created` in RFC 3339, empty when not known yet."""

    created: str | None = None
    author: str = ""
    created_by: str = ""
    comment: str = ""
    empty_layer: bool = False


class RootFS(msgspec.Struct, frozen=True, kw_only=True):
    """Layers of the image, lowest first."""

    type: str = "layers"
    diff_ids: tuple[Digest, ...] | None = ()


class ImageConfig(msgspec.Struct, frozen=True, kw_only=True):
    """An image config. `extra` holds members unknown here, as raw JSON, so that they survive."""

    architecture: str
    os: str
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()
    author: str = ""
    created: str | None = None
    config: ContainerConfig = ContainerConfig()
    rootfs: RootFS = RootFS()
    history: tuple[History, ...] = ()
    extra: dict[str, msgspec.Raw] = {}

    @property
    def platform(self) -> Platform:
        """The platform in its normal form."""
        return Platform(self.os, self.architecture, self.variant, self.os_version).normalized()

    @property
    def diff_ids(self) -> tuple[DiffID, ...]:
        """Diff IDs of the layers, lowest first."""
        return tuple(DiffID(digest) for digest in self.rootfs.diff_ids or ())


class _ConfigDocument(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The members that are known, named as they are in JSON."""

    architecture: str = ""
    author: str = ""
    config: ContainerConfig | None = None
    created: str | None = None
    history: tuple[History, ...] | None = None
    os: str = ""
    os_features: tuple[str, ...] | None = msgspec.field(name="os.features", default=None)
    os_version: str = msgspec.field(name="os.version", default="")
    rootfs: RootFS | None = None
    variant: str = ""


_KNOWN: Final = frozenset(_ConfigDocument.__struct_encode_fields__)


def scratch_config(platform: Platform) -> ImageConfig:
    """The config that `FROM scratch` starts with."""
    env = None if platform.os == "windows" else (f"PATH={DEFAULT_PATH}",)
    return ImageConfig(
        architecture=platform.architecture,
        os=platform.os,
        variant=platform.variant,
        os_version=platform.os_version,
        config=ContainerConfig(env=env, working_dir="/"),
    )


def decode_config(content: bytes) -> ImageConfig:
    """The image config in `content`.

    Raises: InvalidDocument for text that is no config, lacks os or architecture, or has no `layers`.
    """
    if len(content) > MAX_DOCUMENT:
        raise InvalidDocument(f"image config of {len(content)} bytes is larger than {MAX_DOCUMENT}")
    try:
        members = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
        known = msgspec.json.decode(content, type=_ConfigDocument, dec_hook=decode_hook)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidDocument(f"malformed image config: {error}") from error
    for member in ("os", "architecture"):
        if not getattr(known, member):
            raise InvalidDocument(f"invalid image config: missing {member}")
    if known.rootfs is not None and known.rootfs.type != "layers":
        raise InvalidDocument(f"invalid image config: rootfs type {known.rootfs.type!r} is not 'layers'")
    return ImageConfig(
        architecture=known.architecture,
        os=known.os,
        variant=known.variant,
        os_version=known.os_version,
        os_features=known.os_features or (),
        author=known.author,
        created=known.created,
        config=known.config or ContainerConfig(),
        rootfs=known.rootfs or RootFS(),
        history=known.history or (),
        extra={name: msgspec.Raw(bytes(raw)) for name, raw in members.items() if name not in _KNOWN},
    )


def encode_config(config: ImageConfig) -> bytes:
    """The bytes of `config` as they are stored."""
    document = _ConfigDocument(
        architecture=config.architecture,
        author=config.author,
        config=config.config,
        created=config.created,
        history=config.history or None,
        os=config.os,
        os_features=config.os_features or None,
        os_version=config.os_version,
        rootfs=config.rootfs,
        variant=config.variant,
    )
    members = msgspec.json.decode(encode_json(document), type=dict[str, msgspec.Raw])
    # A `config` with nothing in it is still written: readers expect the member.
    members.setdefault("config", msgspec.Raw(b"{}"))
    return escape_html(encode_json({**members, **config.extra}, order="sorted"))
