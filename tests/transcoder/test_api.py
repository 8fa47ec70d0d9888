"""The four methods: what they answer, and each error code."""

import json
import re
import time
from datetime import UTC, datetime

import pytest

from orchestrator.transcoder import api as api_module
from orchestrator.transcoder.server import Transcoder
from tests.transcoder.client import KEY, ONE_MP4, Client

ALL = [{"output": "mp4", "tag": "480p"}, {"output": "thumbnail", "time": 0.5}]


async def test_access_token(client):
    answer = await client.call("access_token", {"api_key": KEY})
    assert answer["error"] == 0
    assert len(answer["token"]) == 40
    expires = datetime.strptime(answer["expire"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    assert 86000 < expires.timestamp() - time.time() < 87000


@pytest.mark.parametrize(
    ("form", "code", "named"),
    [
        ({}, 14, "api_key"),
        ({"api_key": ""}, 14, "api_key"),
        ({"api_key": "with space"}, 2, "api_key"),
        ({"api_key": "x" * 300}, 2, "api_key"),
        ({"api_key": "ключ"}, 2, "api_key"),
        ({"api_key": KEY + "x"}, 3, "api_key"),
    ],
)
async def test_bad_api_keys(client, form, code, named):
    answer = await client.call("access_token", form)
    assert answer["error"] == code
    assert named in answer["message"]
    assert KEY not in answer["message"]


async def test_create_task(client):
    answer = await client.call("create_task", {"token": await client.session()})
    assert answer["error"] == 0
    assert re.fullmatch(r"[0-9a-f]{32}", answer["task_token"])
    assert answer["upload_url"] == f"{client.url}/v1/upload_file"
    status = await client.status(answer["task_token"])
    assert (status["status"], status["percent"], status["error"]) == ("created", 0, 0)


async def test_bad_session_tokens(client, monkeypatch):
    token = await client.session()
    assert (await client.call("create_task", {}))["error"] == 14
    for malformed in ("x", token[:-1], token.upper() + "0", "Z" * 40):
        assert (await client.call("create_task", {"token": malformed}))["error"] == 4
    forged = token[:-1] + ("0" if token[-1] != "0" else "1")
    assert (await client.call("create_task", {"token": forged}))["error"] == 5
    later = "f" + token[1:8] + token[8:]  # a longer life than was signed
    assert (await client.call("create_task", {"token": later}))["error"] == 5
    monkeypatch.setattr(api_module, "_SESSION", -1)
    assert (await client.call("create_task", {"token": await client.session()}))["error"] == 5


async def test_a_session_outlives_the_process(settings, encoder, http):
    async with Transcoder(settings(), encoder) as first:
        token = await Client(first.url, http).session()
    async with Transcoder(settings(), encoder) as second:
        answer = await Client(second.url, http).call("create_task", {"token": token})
    assert answer["error"] == 0


async def test_a_full_disk_is_busy(settings, encoder, http):
    async with Transcoder(settings(min_free_bytes=10**18), encoder) as service:
        client = Client(service.url, http)
        answer = await client.call("create_task", {"token": await client.session()})
    assert answer["error"] == 8
    assert answer["retry_after"] == 60


async def test_forms_may_be_multipart(client):
    import aiohttp

    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("api_key", KEY)
    assert (await client.call("access_token", form))["error"] == 0


async def test_forms_that_are_none(client):
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=nonsense"}
    async with client.http.post(
        f"{client.url}/v1/access_token", data=b"api_key=x", headers=headers
    ) as response:
        assert (await response.json())["error"] == 14


@pytest.mark.parametrize("name", ["access_token", "create_task", "start_encode2", "status"])
async def test_get_is_not_allowed(client, name):
    async with client.http.get(f"{client.url}/v1/{name}") as response:
        assert response.status == 405


async def test_a_whole_task(client):
    task, status = await client.encode(b"film" * 100, ALL, payload="order 7")
    assert status["status"] == "completed"
    assert status["status_url"] == f"{client.url}/v1/status"
    assert (status["error"], status["error_description"]) == (0, None)
    assert (status["source_size"], status["duration"]) == (400, 12.5)
    assert status["percent"] == 100
    assert status["payload"] == "order 7"
    assert status["warnings"] == [{"message": "a warning"}]
    assert (status["audios"], status["texts"]) == ([], [])
    [video], [image] = status["videos"], status["images"]
    assert video["url"].startswith(f"{client.url}/v1/download/")
    assert video["url"].endswith("/480p.mp4")
    assert image["url"].endswith("/thumbnail.png")
    assert (video["tag"], image["tag"]) == ("video-0-0", "image-0-0")
    assert (video["user_tag"], image["user_tag"]) == ("480p", None)
    assert video["size"] == pytest.approx(17e-6)
    assert (video["bitrate"], video["duration"], video["profile"]) == (800, 12.5, None)
    assert video["storage"]["format"] == "mp4"
    assert video["output_format"] == "mp4"
    assert task not in video["url"]


async def test_percent_is_the_encoders(client, encoder):
    encoder.gate.clear()
    task = await client.task()
    upload = await client.upload(task, b"film")
    await client.start(task, f"tus:{upload}", ALL)
    await encoder.begun.wait()
    status = await client.until(task, "encoding")
    assert status["percent"] == 25
    assert [each["percent"] for each in status["videos"] + status["images"]] == [25, 25]
    assert status["videos"][0]["url"] is None


async def test_a_source_that_is_no_video(client):
    _, status = await client.encode(b"broken film")
    assert (status["status"], status["error"]) == ("error", 1)
    assert status["error_description"] == "the source holds no video"
    [video] = status["videos"]
    assert (video["status"], video["error"], video["url"]) == ("error", 1, None)


async def test_what_breaks_inside_is_not_told(client, encoder):
    encoder.error = RuntimeError("/secret/path")
    _, status = await client.encode(b"film")
    assert status["error_description"] == "internal error"


# --- start_encode2 -----------------------------------------------------------


async def test_the_same_start_again_starts_nothing(client, encoder):
    task = await client.task()
    source = f"tus:{await client.upload(task, b'film')}"
    first = await client.start(task, source, payload="a")
    assert await client.start(task, source, payload="a") == first
    await client.until(task, "completed")
    assert await client.start(task, source, payload="a") == first  # its upload is gone now
    assert len(encoder.sources) == 1


async def test_another_start_is_refused(client):
    task = await client.task()
    source = f"tus:{await client.upload(task, b'film')}"
    await client.start(task, source)
    for answer in (
        await client.start(task, source, payload="x"),
        await client.start(task, source, [{"output": "metadata"}]),
    ):
        assert answer["error"] == 20
        assert "already started" in answer["message"]


async def test_tasks_that_are_not_there(client):
    assert (await client.start("0" * 32, "tus:x"))["error"] == 5
    assert (await client.start("no/token", "tus:x"))["error"] == 4
    assert (await client.start("", "tus:x"))["error"] == 14


async def test_payloads_have_an_end(client):
    task = await client.task()
    source = f"tus:{await client.upload(task, b'film')}"
    assert (await client.start(task, source, payload="ж" * 1001))["error"] == 9
    assert (await client.start(task, source, payload="ж" * 1000))["error"] == 0


@pytest.mark.parametrize(
    ("query", "code", "named"),
    [
        (None, 14, "query"),
        ("{", 20, "not JSON"),
        ("[" * 100_000, 20, "not JSON"),
        ("[]", 19, "wrap"),
        ('{"source": "tus:x", "format": []}', 19, "wrap"),
        ('{"query": "x"}', 20, "object"),
        ('{"query": {"source": "tus:x"}}', 14, "query.format"),
        ('{"query": {"format": [{"output": "mp4"}]}}', 20, "query.source"),
        ('{"query": {"source": "tus:x", "format": [{"output": "bmp"}]}}', 20, "output"),
        ('{"query": {"source": "tus:x", "format": [{"output": "mp4", "bit": 1}]}}', 20, "bit"),
    ],
)
async def test_bad_queries_name_the_field(client, query, code, named):
    form = {"task_token": await client.task(), **({"query": query} if query else {})}
    answer = await client.call("start_encode2", form)
    assert answer["error"] == code
    assert named in answer["message"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"source": "s3://bucket/film.mp4"}, "query.source"),
        ({"source": "ftp://host/"}, "query.source"),
        ({"source": "file:///etc/passwd"}, "query.source"),
        ({"source": "tus:" + "0" * 32}, "query.source"),
        ({"source": "tus:../tasks.sqlite"}, "query.source"),
        (
            {"stitch": ["http://example.com/a", "file:///etc/passwd"], "source": None},
            "query.stitch[1].url",
        ),
        (
            {
                "format": [
                    {
                        "output": "mp4",
                        "destination": {
                            "url": "s3://host.net",
                            "key": "k3y",
                            "secret": "s3cr3t",
                        },
                    }
                ]
            },
            "query.format[0].destination",
        ),
    ],
)
async def test_what_can_not_work_is_said_at_the_start(client, changes, field):
    task = await client.task()
    query = {"source": "http://example.com/film.mp4", "format": ONE_MP4, **changes}
    query = {name: value for name, value in query.items() if value is not None}
    answer = await client.call(
        "start_encode2", {"task_token": task, "query": json.dumps({"query": query})}
    )
    assert (answer["error"], answer["field"]) == (20, field)
    assert field in answer["message"]
    assert "s3cr3t" not in json.dumps(answer)
    assert (await client.status(task))["status"] == "created"


async def test_uploads_of_another_task_are_refused(client):
    mine, other = await client.task(), await client.task()
    upload = await client.upload(other, b"film")
    assert (await client.start(mine, f"tus:{upload}"))["error"] == 20


async def test_half_an_upload_is_refused(client):
    task = await client.task()
    upload = await client.upload(task, b"film", **{"Upload-Length": "5"})
    answer = await client.start(task, f"tus:{upload}")
    assert answer["error"] == 20
    assert "complete" in answer["message"]


# --- status ------------------------------------------------------------------


async def test_status_of_many(client):
    tasks = [await client.task() for _ in range(3)]
    unknown = "f" * 32
    forms = [
        [("task_tokens", ",".join([*tasks, unknown]))],
        [("task_tokens", task) for task in tasks],
        [("task_tokens[]", task) for task in tasks],
        [("task_tokens", f" {tasks[0]} , {tasks[1]}"), ("task_tokens[]", tasks[2])],
    ]
    for form in forms:
        answer = await client.call("status", form)
        assert answer["error"] == 0
        assert set(answer["statuses"]) == set(tasks)


async def test_a_thousand_tokens_and_no_more(client):
    tokens = [f"{number:032x}" for number in range(1001)]
    answer = await client.call("status", {"task_tokens": ",".join(tokens[:1000])})
    assert answer == {"error": 0, "statuses": {}}
    assert (await client.call("status", {"task_tokens": ",".join(tokens)}))["error"] == 13


@pytest.mark.parametrize(
    ("tokens", "code"), [(None, 14), ("", 13), (",", 13), ('["a"]', 13), ("a b", 13)]
)
async def test_bad_tokens(client, tokens, code):
    form = {} if tokens is None else {"task_tokens": tokens}
    assert (await client.call("status", form))["error"] == code


async def test_urls_are_those_that_clients_use(settings, encoder, http):
    async with Transcoder(settings(public_url="https://media.example/"), encoder) as service:
        client = Client(service.url, http)
        task = (await client.call("create_task", {"token": await client.session()}))["task_token"]
        assert (await client.status(task))["status_url"] == "https://media.example/v1/status"
