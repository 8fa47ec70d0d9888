"""The core protocol of tus 1.0.0: OPTIONS, HEAD, PATCH, and how each is refused."""

import pytest

from tests.transcoder.client import BYTES, TUS


@pytest.fixture
async def uploads(client):
    return f"{client.url}/v1/upload_file/{await client.task()}"


@pytest.fixture
async def upload(http, uploads):
    """An upload of 10 bytes that has none yet."""
    async with http.post(uploads, headers={**TUS, "Upload-Length": "10"}) as response:
        assert response.status == 201
        return response.headers["Location"]


async def patch(http, url, data, offset, **headers):
    sent = {**BYTES, "Upload-Offset": str(offset), **headers}
    async with http.patch(url, data=data, headers=sent) as response:
        return response.status, response.headers, await response.text()


async def offset_of(http, url):
    async with http.head(url, headers=TUS) as response:
        assert response.status == 200
        return int(response.headers["Upload-Offset"])


async def test_options_says_what_the_server_can(http, uploads):
    async with http.options(uploads) as response:
        assert response.status == 204
        assert response.headers["Tus-Version"] == "1.0.0"
        assert set(response.headers["Tus-Extension"].split(",")) == {
            "creation",
            "creation-with-upload",
            "creation-defer-length",
            "checksum",
            "termination",
            "expiration",
            "concatenation",
        }
        assert set(response.headers["Tus-Checksum-Algorithm"].split(",")) == {
            "sha1",
            "md5",
            "sha256",
        }
        assert "Tus-Max-Size" not in response.headers


async def test_browsers_are_let_in(http, uploads, upload):
    asks = {"Origin": "https://page.example", "Access-Control-Request-Method": "PATCH"}
    async with http.options(upload, headers=asks) as response:
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "PATCH" in response.headers["Access-Control-Allow-Methods"]
        assert "Upload-Offset" in response.headers["Access-Control-Allow-Headers"]
    async with http.patch(upload, headers=TUS) as refused:
        assert refused.status == 415
        assert refused.headers["Access-Control-Allow-Origin"] == "*"
        assert "Upload-Offset" in refused.headers["Access-Control-Expose-Headers"]


async def test_bytes_add_up(http, upload):
    assert await offset_of(http, upload) == 0
    status, headers, _ = await patch(http, upload, b"01234", 0)
    assert (status, headers["Upload-Offset"]) == (204, "5")
    assert await offset_of(http, upload) == 5
    status, headers, _ = await patch(http, upload, b"56789", 5)
    assert (status, headers["Upload-Offset"]) == (204, "10")


async def test_head_is_never_cached_and_names_length_and_metadata(http, uploads):
    asked = {**TUS, "Upload-Length": "7", "Upload-Metadata": "filename YS5tcDQ=,empty"}
    async with http.post(uploads, headers=asked) as response:
        url = response.headers["Location"]
    async with http.head(url, headers=TUS) as response:
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Upload-Length"] == "7"
        assert response.headers["Upload-Metadata"] == "filename YS5tcDQ=,empty"
        assert response.headers["Tus-Resumable"] == "1.0.0"


async def test_wrong_offset_is_a_conflict_and_changes_nothing(http, upload):
    await patch(http, upload, b"01234", 0)
    status, _, text = await patch(http, upload, b"xxxxx", 3)
    assert status == 409
    assert "5 bytes came" in text
    assert await offset_of(http, upload) == 5


@pytest.mark.parametrize("offset", ["-1", "one", "", "1.0", "9" * 30])
async def test_an_offset_must_be_a_number(http, upload, offset):
    status, _, _ = await patch(http, upload, b"x", offset)
    assert status == 400


async def test_offset_and_content_type_are_required(http, upload):
    async with http.patch(upload, data=b"x", headers=BYTES) as response:
        assert response.status == 400
    headers = {**TUS, "Upload-Offset": "0", "Content-Type": "video/mp4"}
    async with http.patch(upload, data=b"x", headers=headers) as response:
        assert response.status == 415
    assert await offset_of(http, upload) == 0


async def test_more_bytes_than_the_length_are_refused(http, upload):
    status, _, _ = await patch(http, upload, b"x" * 11, 0)
    assert status == 413
    assert await offset_of(http, upload) == 0


async def test_a_chunked_body_is_cut_at_the_length(http, upload):
    async def body():
        yield b"0123456"
        yield b"789abcdef"

    status, _, _ = await patch(http, upload, body(), 0)
    assert status == 413
    assert await offset_of(http, upload) == 10


@pytest.mark.slow
async def test_a_complete_upload_takes_no_more(http, upload):
    await patch(http, upload, b"0123456789", 0)
    assert (await patch(http, upload, b"", 10))[0] == 204
    assert (await patch(http, upload, b"x", 10))[0] == 413


@pytest.mark.parametrize("version", [None, "0.2.2", "1.0.1", "2"])
@pytest.mark.parametrize("method", ["HEAD", "PATCH", "DELETE"])
async def test_other_versions_are_refused_with_ours(http, upload, method, version):
    headers = {**BYTES, "Upload-Offset": "0", "Tus-Resumable": version or ""}
    async with http.request(method, upload, headers=headers) as response:
        assert response.status == 412
        assert response.headers["Tus-Version"] == "1.0.0"
    assert await offset_of(http, upload) == 0


async def test_unknown_uploads_and_tasks_are_not_found(http, client, uploads, upload):
    other_task = f"{client.url}/v1/upload_file/{await client.task()}"
    for url in (f"{uploads}/{'0' * 32}", f"{other_task}/{upload.rpartition('/')[2]}"):
        async with http.head(url, headers=TUS) as response:
            assert response.status == 404
        assert (await patch(http, url, b"x", 0))[0] == 404
    for url in (f"{client.url}/v1/upload_file/{'0' * 32}", f"{client.url}/v1/upload_file"):
        async with http.post(url, headers={**TUS, "Upload-Length": "1"}) as response:
            assert response.status == 404
            assert "task" in await response.text()


async def test_methods_hide_behind_post(http, upload):
    override = {**BYTES, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    async with http.post(upload, data=b"0123456789", headers=override) as response:
        assert (response.status, response.headers["Upload-Offset"]) == (204, "10")
    async with http.post(upload, headers={**TUS, "X-HTTP-Method-Override": "DELETE"}) as response:
        assert response.status == 204
    async with http.head(upload, headers=TUS) as response:
        assert response.status == 404


async def test_other_methods_are_named(http, upload):
    async with http.put(upload, headers=TUS) as response:
        assert response.status == 405
        assert response.headers["Allow"] == "HEAD, PATCH, DELETE"


async def test_a_body_that_looks_compressed_is_taken_as_it_is(http, upload):
    status, _, _ = await patch(http, upload, b"not gzip..", 0, **{"Content-Encoding": "gzip"})
    assert status == 204
