"""What is S3's own: headers of each object, parts, signatures, regions; and B2 through it."""

import asyncio
import os
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from aiohttp import web
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.storage import NotStored, deliver
from orchestrator.storage.parts import PART
from orchestrator.storage.signing import query_string, quoted, sign_s3
from tests.storage.servers import KEY, SECRET, WRONG

FIELD = "query.format[0].destination"
PUBLIC = "http://acs.amazonaws.com/groups/global/AllUsers"


def public(moto, name):
    grants = moto.get_object_acl(Bucket="films", Key=name)["Grants"]
    return any(each["Grantee"].get("URI") == PUBLIC for each in grants)


@pytest.fixture
def long(tmp_path):
    path = tmp_path / "long"
    path.write_bytes(os.urandom(PART + 1))
    return path


@pytest.mark.attribute(
    "format[].destination.permissions",
    "format[].destination.storage_class",
    "format[].destination.cache_control",
)
@pytest.mark.parametrize("size", [3, PART + 1])
async def test_headers_are_the_objects(s3, moto, wanted, reach, tmp_path, size):
    film = tmp_path / "film"
    film.write_bytes(os.urandom(size))
    sent = s3.at(
        "film.mp4",
        permissions="public-read",
        storage_class="REDUCED_REDUNDANCY",
        cache_control="public, max-age=86400",
    )
    await deliver(film, None, wanted(sent), FIELD, reach)
    head = moto.head_object(Bucket="films", Key="film.mp4")
    assert head["ContentType"] == "video/mp4"
    assert head["StorageClass"] == "REDUCED_REDUNDANCY"
    assert head["CacheControl"] == "public, max-age=86400"
    assert public(moto, "film.mp4")
    assert s3.read("film.mp4") == film.read_bytes()


async def test_without_wishes_an_object_is_private(s3, moto, wanted, reach, tmp_path):
    (tmp_path / "film").write_bytes(b"film")
    await deliver(tmp_path / "film", None, wanted(s3.at("film.webm")), FIELD, reach)
    head = moto.head_object(Bucket="films", Key="film.webm")
    assert "StorageClass" not in head
    assert "CacheControl" not in head
    assert not public(moto, "film.webm")


async def test_the_entry_comes_last(s3, moto, wanted, reach, tmp_path):
    made = tmp_path / "hls"
    for name in ("a.m3u8", "b/list.m3u8", "b/1.ts", "z.ts"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(b"x")
    order = []

    async def watch(request):
        if request.method == "PUT":
            order.append(request.path.removeprefix("/films/"))
        return web.Response()

    async with serving(watch) as port:
        sent = s3.at("")
        sent["url"] = f"s3://127.0.0.1:{port}/films/"
        await deliver(made, "a.m3u8", wanted(sent), FIELD, reach)
    assert set(order[:2]) == {"b/1.ts", "z.ts"}
    assert order[2:] == ["b/list.m3u8", "a.m3u8"]


async def test_a_failed_upload_of_parts_is_aborted(s3, moto, wanted, reach, long):
    seen = []

    async def refuse_parts(request):
        seen.append((request.method, dict(request.query)))
        if request.method == "POST":
            return web.Response(text="<UploadId>u1</UploadId>")
        if request.method == "PUT":
            return web.Response(status=403, text="<Error><Code>AccessDenied</Code></Error>")
        return web.Response(status=204)

    async with serving(refuse_parts) as port:
        sent = s3.at("", url=f"s3://127.0.0.1:{port}/films/film.mp4")
        with pytest.raises(NotStored, match="the key may not write there"):
            await deliver(long, None, wanted(sent), FIELD, reach)
    assert seen[0] == ("POST", {"uploads": ""})
    assert seen[-1] == ("DELETE", {"uploadId": "u1"})


async def test_a_cancelled_upload_of_parts_is_aborted(s3, moto, wanted, reach, long):
    begun = asyncio.Event()
    sending = asyncio.create_task(
        deliver(long, None, wanted(s3.at("film.mp4")), FIELD, reach, lambda *_: begun.set())
    )
    await begun.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert "Uploads" not in moto.list_multipart_uploads(Bucket="films")
    assert s3.names() == []


async def test_a_busy_storage_is_asked_again(s3, moto, wanted, reach, tmp_path):
    (tmp_path / "film").write_bytes(b"film")
    answers = [503, 429, 500]

    async def busy(request):
        status = answers.pop(0) if answers else 200
        return web.Response(status=status, headers={"Retry-After": "0"})

    async with serving(busy) as port:
        sent = s3.at("", url=f"s3://127.0.0.1:{port}/films/film.mp4")
        await deliver(tmp_path / "film", None, wanted(sent), FIELD, reach)
    assert answers == []


async def test_a_storage_that_stays_busy_fails(s3, wanted, reach, tmp_path):
    (tmp_path / "film").write_bytes(b"film")
    asked = []

    async def busy(request):
        asked.append(request.method)
        return web.Response(status=503, text="<Error><Code>SlowDown</Code></Error>")

    async with serving(busy) as port:
        sent = s3.at("", url=f"s3://127.0.0.1:{port}/films/film.mp4")
        with pytest.raises(NotStored, match="it answers HTTP 503, SlowDown"):
            await deliver(tmp_path / "film", None, wanted(sent), FIELD, reach)
    assert len(asked) == reach.patience.tries


async def test_the_region_that_a_storage_names_is_signed_for(s3, wanted, reach, tmp_path):
    (tmp_path / "film").write_bytes(b"film")
    scopes = []

    async def picky(request):
        scopes.append(request.headers["Authorization"].split("/")[2])
        if scopes[-1] == "us-east-1":
            text = (
                "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-3</Region></Error>"
            )
            return web.Response(status=400, text=text)
        return web.Response()

    async with serving(picky) as port:
        sent = s3.at("", url=f"s3://127.0.0.1:{port}/films/film.mp4")
        await deliver(tmp_path / "film", None, wanted(sent), FIELD, reach)
    assert scopes == ["us-east-1", "eu-west-3"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"storage_class": "COLDEST"}, "it has no such storage_class"),
        ({"url": "s3://127.0.0.1:{port}/nowhere/film.mp4"}, "there is no bucket of that name"),
    ],
)
async def test_what_is_wrong_is_told(s3, wanted, reach, tmp_path, changes, message):
    (tmp_path / "film").write_bytes(b"film")
    sent = s3.at("film.mp4", **changes)
    sent["url"] = sent["url"].replace("{port}", str(s3.port))
    with pytest.raises(NotStored, match=message):
        await deliver(tmp_path / "film", None, wanted(sent), FIELD, reach)


async def test_private_addresses_can_be_kept_out(s3, wanted, reach, tmp_path):
    (tmp_path / "film").write_bytes(b"film")
    for host in ("127.0.0.1", "localhost", "[::1]"):
        sent = s3.at("", url=f"s3://{host}:{s3.port}/films/film.mp4")
        with pytest.raises(NotStored, match="private or local"):
            await deliver(
                tmp_path / "film", None, wanted(sent), FIELD, replace(reach, allow_private=False)
            )
    assert s3.names() == []


async def test_b2_is_asked_for_its_endpoint(s3, wanted, reach, tmp_path):
    (tmp_path / "film").write_bytes(b"film")
    login = "Basic " + b64encode(f"{KEY}:{SECRET}".encode()).decode()

    async def authorize(request):
        assert request.path == "/b2api/v3/b2_authorize_account"
        if request.headers["Authorization"] != login:
            told = {"status": 401, "code": "unauthorized", "message": "no"}
            return web.json_response(told, status=401)
        url = f"http://127.0.0.1:{s3.port}"
        return web.json_response({"apiInfo": {"storageApi": {"s3ApiUrl": url}}})

    async with serving(authorize) as port:
        there = replace(reach, b2_api=f"http://127.0.0.1:{port}")
        sent = s3.at("", url="b2://films/x/film.mp4", cache_control="no-store")
        stored = await deliver(tmp_path / "film", None, wanted(sent), FIELD, there)
        assert s3.read("x/film.mp4") == b"film"
        assert stored == {
            "url": "b2://films/x/film.mp4",
            "storage": {
                "type": "b2",
                "bucket": "films",
                "host": None,
                "key": "x/film.mp4",
                "format": "mp4",
            },
        }
        wrong = wanted({**sent, "secret": WRONG})
        with pytest.raises(NotStored, match="b2://films: it refuses the key or the secret"):
            await deliver(tmp_path / "film", None, wrong, FIELD, there)


_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=20)


@given(
    path=_TEXT,
    query=st.dictionaries(st.sampled_from(["uploads", "partNumber", "uploadId"]), _TEXT),
    secret=st.text(min_size=1, max_size=40),
    cache=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1),
)
def test_signatures_are_botocores(path, query, secret, cache):
    now = datetime.now(UTC)
    where = f"/films/{quoted(path, '/')}"
    headers = {"cache-control": cache, "x-amz-acl": "public-read"}
    signed = sign_s3(
        "PUT", "host:9000", where, query, headers, "e" * 64,
        key="k", secret=secret, region="nyc3", now=now,
    )  # fmt: skip
    url = f"http://host:9000{where}" + (f"?{query_string(query)}" if query else "")
    request = AWSRequest("PUT", url, headers={**headers, "X-Amz-Content-SHA256": "e" * 64})
    request.context["timestamp"] = signed["x-amz-date"]
    theirs = S3SigV4Auth(Credentials("k", secret), "s3", "nyc3")
    request.headers["X-Amz-Date"] = signed["x-amz-date"]
    text = theirs.string_to_sign(request, theirs.canonical_request(request))
    assert signed["authorization"].endswith(f"Signature={theirs.signature(text, request)}")


class serving:  # noqa: N801 - a context manager
    """A server of one handler; its port."""

    def __init__(self, handler):
        self.handler = handler

    async def __aenter__(self):
        application = web.Application(client_max_size=2 * PART)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self.runner = web.AppRunner(application)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        return self.runner.addresses[0][1]

    async def _handle(self, request):
        await request.read()
        return await self.handler(request)

    async def __aexit__(self, *_):
        await self.runner.cleanup()
