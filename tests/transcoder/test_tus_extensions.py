"""The extensions of tus 1.0.0: creation, checksum, termination, expiration, concatenation."""

import base64
import hashlib
import io
from email.utils import parsedate_to_datetime

import pytest

from orchestrator.transcoder.server import Transcoder
from tests.transcoder.client import BYTES, TUS, Client


@pytest.fixture
async def uploads(client):
    return f"{client.url}/v1/upload_file/{await client.task()}"


async def create(http, uploads, status=201, data=None, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with http.post(uploads, headers={**TUS, **named}, data=data) as response:
        assert response.status == status, await response.text()
        return response.headers.get("Location", await response.text())


async def patch(http, url, data, offset, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {**BYTES, "Upload-Offset": str(offset), **named}
    async with http.patch(url, data=io.BytesIO(data), headers=sent) as response:
        return response.status


async def head(http, url):
    async with http.head(url, headers=TUS) as response:
        assert response.status == 200
        return response.headers


def checksum(data, algorithm="sha1"):
    digest = hashlib.new(algorithm, data, usedforsecurity=False).digest()
    return f"{algorithm} {base64.b64encode(digest).decode()}"


# --- creation ----------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Upload_Length": "x"},
        {"Upload_Length": "-1"},
        {"Upload_Length": "1", "Upload_Defer_Length": "1"},
        {"Upload_Defer_Length": "2"},
        {"Upload_Length": "1", "Upload_Metadata": "name not-base64!"},
        {"Upload_Length": "1", "Upload_Metadata": "name YQ==,name Yg=="},
        {"Upload_Length": "1", "Upload_Metadata": "a YQ==,,b Yg=="},
        {"Upload_Length": "1", "Upload_Concat": "half"},
    ],
)
async def test_a_creation_must_be_well_formed(http, uploads, headers):
    await create(http, uploads, status=400, **headers)


async def test_empty_metadata_is_fine(http, uploads):
    url = await create(http, uploads, Upload_Length="1", Upload_Metadata="")
    assert "Upload-Metadata" not in await head(http, url)


async def test_an_empty_upload_is_complete_at_once(http, client):
    task = await client.task()
    url = await create(http, f"{client.url}/v1/upload_file/{task}", Upload_Length="0")
    assert (await head(http, url))["Upload-Offset"] == "0"
    answer = await client.start(task, f"tus:{url.rpartition('/')[2]}")
    assert answer["error"] == 0


async def test_creation_takes_bytes_along(http, uploads):
    headers = {**BYTES, "Upload-Length": "10"}
    async with http.post(uploads, headers=headers, data=b"0123") as response:
        assert response.status == 201
        assert response.headers["Upload-Offset"] == "4"
        url = response.headers["Location"]
    assert await patch(http, url, b"456789", 4) == 204


async def test_a_length_may_come_later(http, uploads):
    url = await create(http, uploads, Upload_Defer_Length="1")
    headers = await head(http, url)
    assert headers["Upload-Defer-Length"] == "1"
    assert "Upload-Length" not in headers
    assert await patch(http, url, b"01234", 0) == 204
    assert await patch(http, url, b"", 5, Upload_Length="4") == 400
    assert await patch(http, url, b"567", 5, Upload_Length="10") == 204
    headers = await head(http, url)
    assert headers["Upload-Length"] == "10"
    assert "Upload-Defer-Length" not in headers
    assert await patch(http, url, b"89", 8, Upload_Length="11") == 400
    assert await patch(http, url, b"89", 8, Upload_Length="10") == 204


async def test_the_largest_upload_is_named_and_kept_to(http, settings, encoder):
    async with Transcoder(settings(max_upload_bytes=8), encoder) as service:
        client = Client(service.url, http)
        uploads = f"{service.url}/v1/upload_file/{await client.task()}"
        async with http.options(uploads) as response:
            assert response.headers["Tus-Max-Size"] == "8"
        await create(http, uploads, status=413, Upload_Length="9")
        url = await create(http, uploads, Upload_Defer_Length="1")
        assert await patch(http, url, b"123456789", 0) == 413
        assert await patch(http, url, b"1234", 0, Upload_Length="9") == 413
        part = await create(http, uploads, Upload_Length="5", Upload_Concat="partial")
        await patch(http, part, b"12345", 0)
        await create(http, uploads, status=413, Upload_Concat=f"final;{part} {part}")


async def test_a_started_task_takes_no_further_uploads(http, client, encoder):
    encoder.gate.clear()
    task = await client.task()
    upload = await client.upload(task, b"data")
    await client.start(task, f"tus:{upload}")
    uploads = f"{client.url}/v1/upload_file/{task}"
    assert "started" in await create(http, uploads, status=403, Upload_Length="1")
    async with http.delete(f"{uploads}/{upload}", headers=TUS) as response:
        assert response.status == 403


# --- checksum ----------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["sha1", "md5", "sha256"])
async def test_a_checksum_proves_the_bytes(http, uploads, algorithm):
    url = await create(http, uploads, Upload_Length="10")
    good, bad = checksum(b"01234", algorithm), checksum(b"other", algorithm)
    assert await patch(http, url, b"01234", 0, Upload_Checksum=good) == 204
    assert await patch(http, url, b"56789", 5, Upload_Checksum=bad) == 460
    assert (await head(http, url))["Upload-Offset"] == "5"
    assert await patch(http, url, b"56789", 5, Upload_Checksum=checksum(b"56789")) == 204


@pytest.mark.parametrize(
    "value", ["crc32 AAAA", "sha1", "sha1 !!!", "sha1 AAAA", "SHA1 " + "A" * 28, ""]
)
async def test_a_checksum_must_be_well_formed(http, uploads, value):
    url = await create(http, uploads, Upload_Length="10")
    assert await patch(http, url, b"01234", 0, Upload_Checksum=value) == 400
    assert (await head(http, url))["Upload-Offset"] == "0"


async def test_a_large_body_is_proven_as_a_whole(http, uploads):
    data = bytes(range(256)) * 16384  # 4 MiB: several writes
    url = await create(http, uploads, Upload_Length=str(2 * len(data)))
    assert await patch(http, url, data, 0, Upload_Checksum=checksum(data)) == 204
    assert await patch(http, url, data[::-1], len(data), Upload_Checksum=checksum(data)) == 460
    assert (await head(http, url))["Upload-Offset"] == str(len(data))


# --- termination and expiration ----------------------------------------------


async def test_termination_removes_the_upload(http, service, settings, uploads):
    url = await create(http, uploads, Upload_Length="10")
    await patch(http, url, b"01234", 0)
    async with http.delete(url, headers=TUS) as response:
        assert response.status == 204
    async with http.head(url, headers=TUS) as response:
        assert response.status == 404
    assert list((settings().data / "uploads").iterdir()) == []


async def test_answers_say_when_an_upload_expires(http, uploads):
    async with http.post(uploads, headers={**TUS, "Upload-Length": "3"}) as response:
        first = parsedate_to_datetime(response.headers["Upload-Expires"])
        url = response.headers["Location"]
    headers = {**BYTES, "Upload-Offset": "0"}
    async with http.patch(url, headers=headers, data=b"1") as response:
        assert parsedate_to_datetime(response.headers["Upload-Expires"]) >= first


async def test_expired_uploads_are_gone_and_then_swept(http, settings, encoder):
    async with Transcoder(settings(upload_expiry_hours=1e-9), encoder) as service:
        client = Client(service.url, http)
        uploads = f"{service.url}/v1/upload_file/{await client.task()}"
        url = await create(http, uploads, Upload_Length="10")
        async with http.head(url, headers=TUS) as response:
            assert response.status == 410
        await service.sweep()
        async with http.head(url, headers=TUS) as response:
            assert response.status == 404
        assert list((settings().data / "uploads").iterdir()) == []


# --- concatenation -----------------------------------------------------------


async def part(http, uploads, data):
    url = await create(http, uploads, Upload_Length=str(len(data)), Upload_Concat="partial")
    assert await patch(http, url, data, 0) == 204
    return url


async def test_parts_become_one(http, client, service, settings):
    task = await client.task()
    uploads = f"{client.url}/v1/upload_file/{task}"
    one, two = await part(http, uploads, b"hello "), await part(http, uploads, b"world")
    relative = two.removeprefix(client.url)
    final = await create(
        http, uploads, Upload_Concat=f"final;{one} {relative}", Upload_Metadata="a YQ=="
    )
    headers = await head(http, final)
    assert headers["Upload-Length"] == headers["Upload-Offset"] == "11"
    assert headers["Upload-Concat"] == f"final;{one} {relative}"
    assert headers["Upload-Metadata"] == "a YQ=="
    assert (await head(http, one))["Upload-Concat"] == "partial"
    assert await patch(http, final, b"!", 11) == 403
    name = final.rpartition("/")[2]
    assert (settings().data / "uploads" / name).read_bytes() == b"hello world"
    assert (await client.start(task, f"tus:{one.rpartition('/')[2]}"))["error"] == 20
    assert (await client.start(task, f"tus:{name}"))["error"] == 0


async def test_parts_must_be_whole_partial_and_of_this_task(http, client, uploads):
    whole = await part(http, uploads, b"abc")
    half = await create(http, uploads, Upload_Length="5", Upload_Concat="partial")
    plain = await create(http, uploads, Upload_Length="0")
    other = await part(http, f"{client.url}/v1/upload_file/{await client.task()}", b"abc")
    for wrong in (half, plain, other, "", "nonsense"):
        await create(http, uploads, status=400, Upload_Concat=f"final;{wrong}")
    await create(http, uploads, status=404, Upload_Concat=f"final;{whole[:-4]}0000")
    await create(http, uploads, status=400, Upload_Concat=f"final;{whole}", Upload_Length="3")
