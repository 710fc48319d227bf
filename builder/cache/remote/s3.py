"""Caches in S3 buckets, by the AWS library: its credentials, regions, retries and endpoints are the user's own.

Source: BuildKit, cache/remotecache/s3, for the names of objects and for how their age is kept down.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from builder.cache.remote.config import MAX_CONFIG
from builder.cache.remote.objects import CacheUnavailable
from builder.store.errors import BlobNotFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from builder.cache.remote.places import S3Cache
    from builder.oci.descriptor import Descriptor
    from builder.oci.digest import Digest

_MISSING: Final = frozenset({"404", "NoSuchKey", "NotFound"})


class S3Objects:
    """One cache in a bucket (`builder.cache.remote.objects.Objects`). Opens its connection when it is needed."""

    def __init__(self, place: S3Cache) -> None:
        self.name = f"s3 bucket {place.bucket}, {place.prefix}{place.manifests_prefix}{place.names[0]}"
        self._place = place
        self._opened: Any = None

    def configs(self) -> Sequence[bytes]:
        """The config under the first name."""
        with self._calling():
            found = self._get(self._manifest(self._place.names[0]))
            if found is None:
                raise CacheUnavailable(f"{self.name}: not found")
            with found:
                return (found.read(MAX_CONFIG + 1),)

    def has(self, blob: Digest) -> bool:
        """Whether there is an object for the blob."""
        return self._modified(blob) is not None

    def open(self, digest: Digest) -> BinaryIO:
        """The blob."""
        with self._calling():
            found = self._get(self._blob(digest))
        if found is None:
            raise BlobNotFound(f"{self.name} does not have {digest}")
        return found

    def put(self, blob: Descriptor, stream: BinaryIO) -> None:
        """Stores a blob, in several parts at once when it is large."""
        from boto3.s3.transfer import TransferConfig

        config = TransferConfig(max_concurrency=self._place.parallel)
        with self._calling() as client:
            client.upload_fileobj(stream, self._place.bucket, self._blob(blob.digest), Config=config)

    def keep(self, blob: Descriptor) -> bool:
        """Whether the blob is there; one that is old is copied onto itself, as rules of buckets go by age."""
        modified = self._modified(blob.digest)
        if modified is None:
            return False
        if (datetime.now(UTC) - modified).total_seconds() > self._place.touch_refresh:
            key = self._blob(blob.digest)
            source = {"Bucket": self._place.bucket, "Key": key}
            with self._calling() as client:
                client.copy(source, self._place.bucket, key, ExtraArgs={"MetadataDirective": "REPLACE"})
        return True

    def put_config(self, content: bytes) -> None:
        """Stores the config under every name."""
        with self._calling() as client:
            for name in self._place.names:
                client.put_object(Bucket=self._place.bucket, Key=self._manifest(name), Body=content)

    def _modified(self, blob: Digest) -> datetime | None:
        from botocore.exceptions import ClientError

        with self._calling() as client:
            try:
                found = client.head_object(Bucket=self._place.bucket, Key=self._blob(blob))
            except ClientError as error:
                if _code(error) in _MISSING:
                    return None
                raise
            return cast("datetime", found["LastModified"])

    def _get(self, key: str) -> BinaryIO | None:
        from botocore.exceptions import ClientError

        try:
            found = self._client().get_object(Bucket=self._place.bucket, Key=key)
        except ClientError as error:
            if _code(error) in _MISSING:
                return None
            raise
        return cast("BinaryIO", found["Body"])

    def _manifest(self, name: str) -> str:
        return f"{self._place.prefix}{self._place.manifests_prefix}{name}"

    def _blob(self, digest: Digest) -> str:
        return f"{self._place.prefix}{self._place.blobs_prefix}{digest}"

    @contextmanager
    def _calling(self) -> Iterator[Any]:
        """The client; what goes wrong with it in the block is said in our words. Raises: CacheUnavailable."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield self._client()
        except (Boto3Error, BotoCoreError, ClientError) as error:
            raise CacheUnavailable(f"{self.name}: {error}") from error

    def _client(self) -> Any:
        if self._opened is None:
            # Loaded here because it takes longer than a whole cached build.
            import boto3
            from botocore.config import Config

            place = self._place
            retries: dict[str, object] = {"mode": place.retry_mode}
            if place.retry_attempts is not None:
                retries["total_max_attempts"] = place.retry_attempts
            self._opened = boto3.session.Session().client(
                "s3",
                region_name=place.region,
                endpoint_url=place.endpoint,
                aws_access_key_id=_plain(place.access_key),
                aws_secret_access_key=_plain(place.secret_key),
                aws_session_token=_plain(place.session_token),
                config=Config(
                    s3={"addressing_style": "path" if place.path_style else "auto"},
                    retries=retries,
                    max_pool_connections=16,
                ),
            )
        return self._opened


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _plain(secret: str | None) -> str | None:
    return None if secret is None else str(secret)
