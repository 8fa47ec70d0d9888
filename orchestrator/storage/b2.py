"""Backblaze B2, through its S3-compatible API.

Which endpoint an application key belongs to is B2's to say: ``b2_authorize_account``
names it. The master application key can't use that API (B2's documents), nor can
buckets made before May 2020.
"""

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import orjson

from orchestrator.query import Destination
from orchestrator.storage import address
from orchestrator.storage.http import judge, send, session
from orchestrator.storage.place import Reach, Refused
from orchestrator.storage.s3 import S3, Account, credentials


@asynccontextmanager
async def open_b2(wanted: Destination, reach: Reach) -> AsyncIterator[S3]:
    """The bucket of a ``b2://`` destination. Raises ``Refused``, ``Passing``."""
    where = address.bucket(wanted)
    key, secret = credentials(wanted)
    async with session(reach) as http:
        endpoint = where.url if where.host else await _endpoint(http, reach, key, secret)
        host = endpoint.partition("://")[2]
        account = Account(endpoint, where.bucket, address.region(host), key, secret)
        yield S3(http, account, wanted, reach)


async def _endpoint(http: aiohttp.ClientSession, reach: Reach, key: str, secret: str) -> str:
    token = b64encode(f"{key}:{secret}".encode()).decode()
    url = f"{reach.b2_api}/b2api/v3/b2_authorize_account"

    async def ask() -> str:
        answer = await send(http, reach, "GET", url, {"authorization": f"Basic {token}"})
        return judge(answer, 200).text

    try:
        named = orjson.loads(await reach.patience.try_again(ask))["apiInfo"]["storageApi"]
        return str(named["s3ApiUrl"]).rstrip("/")
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise Refused("B2 names no S3 endpoint for that key") from error
