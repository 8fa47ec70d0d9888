"""URLs as people write them, content types, and what is refused before anything is sent."""

import pytest

from orchestrator.query import Destination
from orchestrator.storage import Refused, Target
from orchestrator.storage.address import bucket, region
from orchestrator.storage.kinds import content_type, rank


def destination(url, **more):
    return Destination.model_validate({"url": url, "key": "k", "secret": "c2VjcmV0", **more})


@pytest.mark.parametrize(
    ("url", "host", "name", "path", "endpoint"),
    [
        ("s3://nyc3.digitaloceanspaces.com/q3/a.mp4", "nyc3.digitaloceanspaces.com", "q3", "a.mp4",
         "https://nyc3.digitaloceanspaces.com"),
        ("s3://minio:9000/films/x.mp4", "minio:9000", "films", "x.mp4", "http://minio:9000"),
        ("s3://10.0.0.7:9000/films/x", "10.0.0.7:9000", "films", "x", "http://10.0.0.7:9000"),
        ("s3://films/a%20b/ü.mp4", "", "films", "a b/ü.mp4", ""),
        ("azblob://studio.blob.core.windows.net/films/x/", "studio.blob.core.windows.net", "films",
         "x/", "https://studio.blob.core.windows.net"),
    ],
)  # fmt: skip
def test_buckets(url, host, name, path, endpoint):
    found = bucket(destination(url))
    assert (found.host, found.bucket, found.path) == (host, name, path)
    assert not host or found.url == endpoint


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("nyc3.digitaloceanspaces.com", "nyc3"),
        ("us-west.s3.qencode.com", "us-west"),
        ("s3.us-west-002.backblazeb2.com", "us-west-002"),
        ("s3.eu-central-1.amazonaws.com", "eu-central-1"),
        ("s3.fr-par.scw.cloud", "fr-par"),
        ("storage.googleapis.com", "us-east-1"),
        ("0123abcd.r2.cloudflarestorage.com", "us-east-1"),
        ("127.0.0.1:9000", "us-east-1"),
        ("", "us-east-1"),
    ],
)
def test_regions(host, named):
    assert region(host) == named


@pytest.mark.parametrize(
    ("url", "more", "message"),
    [
        ("s3://host.net", {}, "names no bucket"),
        ("s3://me:pw@host.net/films/x", {}, "write them as key and secret"),
        ("s3://films/../x", {}, "a step"),
        ("s3://films/x?y=z", {}, "write them as %3F"),
        ("ftp://host/a%0d%0aDELE%20b", {}, "control character"),
        ("ftp://host:21/x", {"tcp_port": 2121}, "another port than tcp_port 2121"),
        ("sftp://host/x", {"secret": None}, "the password as secret"),
        ("azblob://films/x", {"secret": "no base64!"}, "base64"),
        ("s3://films/x", {"cache_control": "no\r\nx-amz-acl: public-read"}, "its cache_control"),
        ("file:///etc/passwd", {}, "not under a folder"),
    ],
)
def test_refused_before_anything_is_sent(reach, url, more, message):
    wanted = destination(url, **more)
    with pytest.raises(Refused, match=message) as caught:
        Target.of(wanted, reach)
    assert "c2VjcmV0" not in str(caught.value)
    assert "me:pw" not in str(caught.value)


def test_kinds_are_what_players_expect():
    assert content_type("a/main.M3U8") == "application/vnd.apple.mpegurl"
    assert content_type("x.mpd") == "application/dash+xml"
    assert content_type("seg-1.m4s") == "video/iso.segment"
    assert content_type("seg-1.ts") == "video/mp2t"
    assert content_type("t.vtt") == "text/vtt"
    assert content_type("x.unheard-of") == "application/octet-stream"


def test_what_names_others_comes_after_them():
    names = ["main.m3u8", "a/1.ts", "a/list.m3u8", "thumbs.vtt", "1.png"]
    assert [rank(name, "main.m3u8") for name in names] == [2, 0, 1, 1, 0]
