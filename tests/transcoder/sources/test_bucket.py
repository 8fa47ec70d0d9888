"""S3: what a URL names, how a request is signed, and reading from a real server."""

import asyncio
import warnings
from urllib.parse import parse_qsl, urlsplit

import pytest
from aiohttp import web

from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.sources.bucket import S3Object, read_object
from orchestrator.transcoder.sources.urls import BadUrl, read_remote
from tests.transcoder.sources.servers import FILM, serving

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from botocore import auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

SECRET = "se/cr+et"


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("s3://K:se/cr+et@host.io/b/a/f.mp4", ("host.io", "b", "a/f.mp4", "us-east-1")),
        ("s3://K:se%2Fcr%2Bet@host.io/b/f.mp4", ("host.io", "b", "f.mp4", "us-east-1")),
        (
            "s3://K:se/cr+et@bucket/f@2x.mp4",
            ("s3.amazonaws.com", "bucket", "f@2x.mp4", "us-east-1"),
        ),
        ("s3://K:se/cr+et@127.0.0.1:9000/b/f", ("127.0.0.1:9000", "b", "f", "us-east-1")),
        ("s3://K:se/cr+et@[::1]:9000/b/f", ("[::1]:9000", "b", "f", "us-east-1")),
        (
            "s3://K:se/cr+et@eu-west-1.amazonaws.com/b/f",
            ("s3.eu-west-1.amazonaws.com", "b", "f", "eu-west-1"),
        ),
        (
            "s3://K:se/cr+et@s3-us-west-2.amazonaws.com/b/f",
            ("s3.us-west-2.amazonaws.com", "b", "f", "us-west-2"),
        ),
        (
            "s3://K:se/cr+et@s3.eu-central-1.wasabisys.com/b/f",
            ("s3.eu-central-1.wasabisys.com", "b", "f", "eu-central-1"),
        ),
        (
            "s3://K:se/cr+et@us-west.s3.qencode.com/b/f",
            ("us-west.s3.qencode.com", "b", "f", "us-west"),
        ),
    ],
)
def test_what_a_url_names(url, found):
    remote = read_remote(url)
    assert (remote.user, remote.password) == ("K", SECRET)
    assert read_object(remote) == S3Object(*found)
    assert SECRET not in repr(remote)


@pytest.mark.parametrize(
    "url", ["s3://bucket/f.mp4", "s3://K:S@host.io/bucket", "s3://K:S@host.io/b/", "s3://K@b/f"]
)
def test_what_names_no_object(url):
    with pytest.raises(BadUrl):
        read_object(read_remote(url))


def well_signed(url: str, headers, region: str) -> bool:
    """Whether another library signs the same request in the same way."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    told = query.pop("X-Amz-Signature")
    signer = auth.S3SigV4QueryAuth(Credentials("K", SECRET), "s3", region)
    bare = f"{parts.scheme}://{headers['Host']}{parts.path}"
    request = AWSRequest("GET", bare, params=query)
    request.context["timestamp"] = query["X-Amz-Date"]
    request.headers["host"] = headers["Host"]
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return told == signer.signature(text, request)


async def test_a_request_is_signed_as_others_sign_it_for_the_region_that_answers(sources, folder):
    """A server that speaks no TLS, and tells at the first request which region it is."""
    good = []

    async def s3(request):
        region = request.query["X-Amz-Credential"].split("/")[2]
        url = f"http://{request.host}{request.raw_path}"
        good.append((region, well_signed(url, request.headers, region)))
        if region != "fr-par":
            body = "<Error><Code>x</Code><Region>fr-par</Region></Error>"
            return web.Response(status=400, text=body)
        return web.Response(body=FILM)

    async with serving(s3) as address:
        url = f"s3://K:{SECRET}@{address}/bucket/a b/f@ü+.mp4"
        path = await sources.fetch("task", url, folder)
    assert path.read_bytes() == FILM
    assert good == [("us-east-1", True), ("fr-par", True)]


@pytest.fixture(scope="module")
def moto():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import boto3
        from moto.server import ThreadedMotoServer

        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        made = boto3.client(
            "s3",
            endpoint_url=f"http://{host}:{port}",
            region_name="us-east-1",
            aws_access_key_id="K",
            aws_secret_access_key=SECRET,
        )
        made.create_bucket(Bucket="films")
        made.put_object(Bucket="films", Key="in dir/film.mp4", Body=FILM)
        made.close()
    yield f"{host}:{port}"
    server.stop()


async def test_an_object_is_read_from_a_server(moto, sources, folder):
    url = f"s3://K:{SECRET}@{moto}/films/in%20dir/film.mp4"
    path = await sources.fetch("task", url, folder)
    assert await asyncio.to_thread(path.read_bytes) == FILM


async def test_an_object_that_is_not_there(moto, sources, folder):
    with pytest.raises(MediaError, match="it is not there") as caught:
        await sources.fetch("task", f"s3://K:{SECRET}@{moto}/films/none.mp4", folder)
    assert SECRET not in str(caught.value)
