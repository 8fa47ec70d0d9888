"""Sources from S3 and what speaks like it, with the credentials that the URL holds.

A source is ``s3://KEY:SECRET@host/bucket/path``, or ``s3://KEY:SECRET@bucket/path``
for Amazon's own: the API's documents write both. A host has a dot or a port, or is
``localhost``; a bucket alone has neither. The request is signed here and fetched as
any other by http, so that the same guards stand before it.
"""

import re
from dataclasses import dataclass, replace

import opendal
from opendal.exceptions import ConfigInvalid, Unexpected, Unsupported
from yarl import URL

from orchestrator.storage.public import is_public
from orchestrator.transcoder.sources.addresses import Addresses
from orchestrator.transcoder.sources.faults import NotSecure, Refused, Unfetchable
from orchestrator.transcoder.sources.landing import FetchLimits, Landing
from orchestrator.transcoder.sources.urls import BadUrl, Remote
from orchestrator.transcoder.sources.web import Web

_OPENDAL_ERRORS = (ConfigInvalid, Unexpected, Unsupported)
#: Seconds that a signature outlives the longest download.
_SPARE = 600

#: A name of a region, as hosts carry them: eu-central-1, us-west, fr-par.
_REGION = re.compile(r"(?:af|ap|ca|cn|eu|fr|il|it|me|mx|nl|pl|sa|uk|us)(?:-[a-z]+)+(?:-\d+)?")
_AMAZON = re.compile(r"(?:s3[.-])?([a-z]{2}(?:-[a-z]+)+-\d)\.(amazonaws\.com(?:\.cn)?)")
_ANY_REGION = "us-east-1"
_LOCAL = ("localhost",)


@dataclass(frozen=True, slots=True)
class S3Object:
    """Where an object is. ``endpoint`` is a host, with its port where one was given."""

    endpoint: str
    bucket: str
    key: str
    region: str


def read_object(remote: Remote) -> S3Object:
    """What an s3 URL names. Raises ``BadUrl``."""
    if not remote.user or not remote.password:
        raise BadUrl("has no credentials: write s3://key:secret@host/bucket/path")
    if "." not in remote.host and not remote.port_given and remote.host not in _LOCAL:
        return S3Object("s3.amazonaws.com", remote.host, remote.path, _ANY_REGION)
    bucket, slash, key = remote.path.partition("/")
    if not slash or not key:
        raise BadUrl("names no bucket and file: write s3://key:secret@host/bucket/path")
    host = f"[{remote.host}]" if ":" in remote.host else remote.host.lower()
    region = next((part for part in host.split(".") if _REGION.fullmatch(part)), _ANY_REGION)
    if found := _AMAZON.fullmatch(host):
        host, region = f"s3.{found[1]}.{found[2]}", found[1]
    port = f":{remote.port}" if remote.port_given else ""
    return S3Object(host + port, bucket, key, region)


class Bucket:
    """Fetches from S3 by ``web``."""

    def __init__(self, web: Web, addresses: Addresses, limits: FetchLimits) -> None:
        self._web, self._addresses, self._limits = web, addresses, limits

    async def fetch(self, remote: Remote, landing: Landing) -> None:
        """One try, going on from what ``landing`` has.

        A server that names its region is asked again for that one. Storage in one's own
        network often speaks no TLS; it is then read without, and no other ever is.
        Raises ``Unfetchable`` or ``Interrupted``.
        """
        wanted = read_object(remote)
        try:
            await self._read(remote, wanted, landing)
        except Refused as error:
            if error.region in ("", wanted.region):
                raise
            await self._read(remote, replace(wanted, region=error.region), landing)

    async def _read(self, remote: Remote, wanted: S3Object, landing: Landing) -> None:
        try:
            await self._web.fetch(await self._signed(remote, wanted, "https"), landing)
        except NotSecure:
            if is_public(await self._addresses.one(remote.host, remote.port)):
                raise
            await self._web.fetch(await self._signed(remote, wanted, "http"), landing)

    async def _signed(self, remote: Remote, wanted: S3Object, scheme: str) -> URL:
        """A URL that reads the object (SigV4). Nothing leaves the machine here."""
        try:
            operator = opendal.AsyncOperator(
                "s3",
                bucket=wanted.bucket,
                endpoint=f"{scheme}://{wanted.endpoint}",
                region=wanted.region,
                access_key_id=remote.user,
                secret_access_key=remote.password,
                # Never what this machine itself may read.
                disable_config_load="true",
                disable_ec2_metadata="true",
            )
            request = await operator.presign_read(wanted.key, int(self._limits.total) + _SPARE)
        except (*_OPENDAL_ERRORS, ValueError):
            raise Unfetchable("its key, bucket or path is not one of S3") from None
        return URL(request.url, encoded=True)
