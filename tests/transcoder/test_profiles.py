"""``/v1/start_encode``: stored profiles, transfer methods, and what fills them in."""

import json

import pytest

from orchestrator.transcoder.profiles import Profiles
from orchestrator.transcoder.server import Transcoder
from tests.transcoder.client import Client

SMALL = {"output": "mp4", "tag": "small", "height": 120}
TRIO = '[[format]]\noutput = "mp4"\n[[format]]\noutput = "thumbnail"\ntime = 0.5\n'


@pytest.fixture
def stored(settings, tmp_path):
    """Writes a profile, or a transfer method."""

    def write(id_, content, folder="profiles", ending="json"):
        path = settings().data / folder / f"{id_}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))

    return write


@pytest.fixture
async def client(http, settings, encoder, tmp_path):
    async with Transcoder(settings(local_roots=(tmp_path / "library",)), encoder) as service:
        yield Client(service.url, http)


async def begin(client, profiles, **more):
    task = await client.task()
    upload = await client.upload(task, b"film")
    form = {"task_token": task, "profiles": profiles, "uri": f"tus:{upload}", **more}
    form = {name: value for name, value in form.items() if value is not None}
    return task, await client.call("start_encode", form)


async def test_profiles_make_outputs_and_are_named_by_them(client, stored):
    stored("5a2a846a26e88", SMALL)
    stored("both", TRIO, ending="toml")
    task, answer = await begin(client, "5a2a846a26e88,both", payload="order 7")
    assert answer == {"error": 0, "status_url": f"{client.url}/v1/status"}
    status = await client.until(task, "completed", "error")
    assert (status["status"], status["payload"]) == ("completed", "order 7")
    assert [each["profile"] for each in status["videos"]] == ["5a2a846a26e88", "both"]
    assert [each["user_tag"] for each in status["videos"]] == ["small", None]
    assert status["images"][0]["profile"] == "both"


async def test_a_profile_is_read_anew_for_each_start(client, stored):
    stored("one", SMALL)
    await begin(client, "one")
    stored("one", {**SMALL, "tag": "changed"})
    task, _ = await begin(client, "one")
    assert (await client.until(task, "completed"))["videos"][0]["user_tag"] == "changed"


async def test_variables_and_a_transfer_method_make_the_path(client, stored, tmp_path):
    library = tmp_path / "library"
    stored("one", {**SMALL, "path": "{customer}/{task_token}.mp4"})
    stored("two", {"output": "thumbnails", "interval": 10})
    stored("disk", {"url": library.as_uri()}, "transfers")
    more = {"transfer_method": "disk", "output_path_variables": '{"customer": "acme"}'}
    task, answer = await begin(client, "one,two", **more)
    assert answer["error"] == 0, answer
    status = await client.until(task, "completed", "error")
    assert status["status"] == "completed", status["error_description"]
    assert (library / "acme" / f"{task}.mp4").read_bytes() == b"mp4 of 4 bytes\n"
    assert (library / task / "two" / "thumbnails.vtt").exists()


async def test_a_part_of_the_source(client, stored, encoder):
    stored("one", SMALL)
    task, answer = await begin(client, "one", start_time="1.5", duration="2")
    assert answer["error"] == 0
    await client.until(task, "completed")
    [source] = encoder.inputs[0].sources
    assert (source.start, source.duration) == (1.5, 2.0)


async def test_stitching_with_either_method(client, stored, encoder):
    stored("one", SMALL)
    for method in ("start_encode", "start_encode2"):
        task = await client.task()
        parts = [await client.upload(task, data) for data in (b"first", b"second")]
        stitch = [{"url": f"tus:{parts[0]}", "start_time": "1"}, {"url": f"tus:{parts[1]}"}]
        form = {"task_token": task, "profiles": "one", "stitch": json.dumps(stitch)}
        assert (await client.call(method, form))["error"] == 0
        await client.until(task, "completed")
        assert [each.start for each in encoder.inputs[-1].sources] == [1.0, 0.0]


async def test_what_stands_beside_the_formats(client, stored, encoder):
    stored("one", {"format": [SMALL], "retry_on_error": 1})
    stored("two", {"format": [SMALL], "retry_on_error": 0})
    assert (await begin(client, "one"))[1]["error"] == 0
    _, answer = await begin(client, "one,two")
    assert (answer["error"], answer["field"]) == (11, "profiles")
    assert "retry_on_error" in answer["message"]


@pytest.mark.parametrize(
    ("form", "code", "field"),
    [
        ({"profiles": ""}, 14, "profiles"),
        ({"profiles": "../secrets"}, 11, "profiles"),
        ({"profiles": "one,,one"}, 11, "profiles"),
        ({"profiles": "none"}, 12, "profiles"),
        ({"profiles": "broken"}, 11, "profiles"),
        ({"profiles": "with_source"}, 11, "profiles"),
        ({"profiles": "needy"}, 14, "output_path_variables"),
        ({"profiles": "wrong"}, 20, "query.format[0].bit"),
        ({"profiles": "one", "uri": None}, 14, "uri"),
        ({"profiles": "one", "stitch": "[]"}, 20, "uri"),
        ({"profiles": "one", "uri": None, "stitch": "x"}, 20, "stitch"),
        ({"profiles": "one", "start_time": "soon"}, 20, "start_time"),
        ({"profiles": "one", "transfer_method": "none"}, 20, "transfer_method"),
        ({"profiles": "one", "output_path_variables": "[]"}, 20, "output_path_variables"),
        ({"profiles": "one", "output_path_variables": '{"a": "${env:HOME}"}'}, 20, None),
        ({"profiles": "one", "output_path_variables": '{"a": "\\n"}'}, 20, None),
        ({"profiles": "one", "payload": "x" * 1001}, 9, "payload"),
        ({"profiles": "one", "priority": "11"}, 20, "priority"),
        ({"profiles": "one", "task_token": "0" * 32}, 5, None),
    ],
)
async def test_what_is_wrong_is_named(client, stored, form, code, field):
    stored("one", SMALL)
    stored("broken", '{"output": ')
    stored("with_source", {"source": "http://example.com/a.mp4", "format": [SMALL]})
    stored("needy", {**SMALL, "tag": "{customer}"})
    stored("wrong", {**SMALL, "bit": 1})
    _, answer = await begin(client, **form)
    assert answer["error"] == code, answer
    assert answer.get("field") == field or field is None
    assert (field or "") in answer["message"]


async def test_secrets_of_the_environment_stay_the_owners(client, stored, monkeypatch):
    stored("one", SMALL)
    stored("store", {"url": "s3://host.net/b", "key": "k", "secret": "${env:NO_SUCH}"}, "transfers")
    _, answer = await begin(client, "one", transfer_method="store")
    assert (answer["error"], answer["field"]) == (11, "profiles")
    assert "NO_SUCH is not set" in answer["message"]


def test_problems_of_profiles_are_found_without_a_request(tmp_path):
    (tmp_path / "good.json").write_text(json.dumps({**SMALL, "tag": "{customer}", "path": "x"}))
    (tmp_path / "bad.json").write_text(json.dumps([SMALL, {"output": "mp4", "widht": 3}]))
    (tmp_path / "notes.txt").write_text("not a profile")
    profiles = Profiles(tmp_path, tmp_path / "none")
    assert profiles.listed() == (("bad", "good"), ())
    assert profiles.profile("good").problems() == ()
    assert profiles.profile("good").variables == ("customer",)
    [problem] = profiles.profile("bad").problems()
    assert "query.format[1].widht" in problem
    assert 'did you mean "width"?' in problem
