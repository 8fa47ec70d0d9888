"""Orders over the work queue: placed, listed, told of, launched again, and kept."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.server import Transcoder
from orchestrator.transcoder.settings import EdgeAccount
from tests.storage.servers import KEY as USER
from tests.storage.servers import SECRET as PASSWORD
from tests.storage.servers import ftp_server
from tests.transcoder.client import KEY
from tests.transcoder.edge.conftest import PROFILE, Plain, an_order


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[tuple[Path, str]]:
    """A folder, and the URL of an FTP server over it."""
    root = tmp_path_factory.mktemp("ftp")
    with ftp_server(root) as port:
        yield root, f"ftp://{USER}:{PASSWORD}@127.0.0.1:{port}"


@pytest.fixture
def orders(place) -> Any:
    root, url = place

    def make(profile: int, name: str = "film", **changes: Any) -> dict[str, Any]:
        (root / f"{name}.mp4").write_bytes(b"bytes of " + name.encode())
        usual = {"origin": f"{url}/{name}.mp4", "destinations": [f"{url}/out-{name}"]}
        return an_order(profile, **{**usual, **changes})

    return make


async def test_an_order_is_done_and_told_of(plain, orders, place):
    order = orders(await plain.profile())
    order["jobs"][0]["thumbnails"] = [
        {"filename": "nombre.jpg", "label": "label", "width": "720", "height": "480", "time": 0.3}
    ]
    placed = await plain.place(order)
    assert placed["http"] == 201
    assert placed["status"] in ("QUEUED", "DOWNLOADING")
    done = await plain.until(placed["order_id"], "FINISHED", "ERROR")
    assert done["status"] == "FINISHED", done
    assert done["comment"] == f"Order {placed['order_id']} finished"
    assert (done["filename"], done["label"]) == ("watermark.mp4", "iphone")
    assert (done["duration"], done["size"]) == (12.5, 13)
    names = sorted(path.name for path in (place[0] / "out-film").iterdir())
    assert names == ["nombre.jpg", "watermark.mp4"]
    assert PASSWORD not in json.dumps(done)


async def test_progress_is_that_of_each_job(plain, orders, encoder):
    encoder.gate.clear()
    order = orders(await plain.profile(), "slow")
    order["jobs"].append({"label": "b", "filename": "b.ts", "profile": "ts"})
    await plain.profile(name="ts", video_format="mpegts")
    id_ = (await plain.place(order))["order_id"]
    await encoder.begun.wait()
    told = await plain.order(id_)
    assert told["status"] == "ENCODING"
    assert [job["progress"] for job in told["transcodingjob_set"]] == [25.0, 25.0]
    assert [job["profile"]["name"] for job in told["transcodingjob_set"]] == ["480p", "ts"]
    encoder.gate.set()
    told = await plain.until(id_, "FINISHED")
    assert [job["progress"] for job in told["transcodingjob_set"]] == [100.0, 100.0]


async def test_lists_are_paged_searched_and_newest_first(plain, orders):
    profile = await plain.profile()
    placed = []
    for name in ("one", "two", "three"):
        order = orders(profile, name)
        order["jobs"][0]["label"] = f"Label {name}~mark{name}"
        placed.append((await plain.place(order))["order_id"])
    for id_ in placed:
        await plain.until(id_, "FINISHED")

    async def ids(query: str) -> list[str]:
        status, found = await plain.call("GET", f"transcode{query}")
        assert status == 200
        assert all(set(each) == {"id", "created_on", "status"} for each in found)
        return [each["id"] for each in found]

    assert await ids("") == placed[::-1]
    assert await ids("/") == placed[::-1]
    assert await ids("?limit=1&offset=1") == [placed[1]]
    assert await ids("?search=~marktwo") == [placed[1]]
    assert await ids("?search=LABEL%20three&output=std") == [placed[2]]
    assert await ids("?search=watermark") == placed[::-1]
    assert await ids(f"?search={placed[0]}") == [placed[0]]
    assert await ids("?search=pass-of") == []
    assert await ids("?filters=status:ERROR") == []
    assert len(await ids("?filters=status:finished,error&limit=2")) == 2
    for wrong in ("offset=1", "limit=x", "limit=-1", "output=csv", "filters=color:red"):
        assert (await plain.call("GET", f"transcode?{wrong}"))[0] == 400


async def test_priority_orders_the_queue(edge_settings, encoder, http, orders):
    encoder.gate.clear()
    async with Transcoder(edge_settings(workers=1), encoder) as service:
        plain = Plain(service.url, http)
        await plain.login()
        profile = await plain.profile()
        first = await plain.place(orders(profile, "first"))
        await encoder.begun.wait()
        ids = [first["order_id"]]
        for name, priority in (("usual", None), ("low", 5), ("high", 10), ("mid", 7)):
            more = {} if priority is None else {"priority": priority}
            ids.append((await plain.place(orders(profile, name, **more)))["order_id"])
        encoder.gate.set()
        for id_ in ids:
            await plain.until(id_, "FINISHED")
    assert encoder.sources == [_digest(name) for name in ("first", "high", "mid", "usual", "low")]


def _digest(name: str) -> str:
    return hashlib.sha256(b"bytes of " + name.encode()).hexdigest()


async def test_a_failed_order_is_launched_again_and_others_are_not(plain, orders, encoder):
    encoder.error, encoder.errors = MediaError("the source holds no video"), 1
    id_ = (await plain.place(orders(await plain.profile(), "again")))["order_id"]
    failed = await plain.until(id_, "ERROR")
    assert failed["comment"] == f"Order {id_} failed: the source holds no video"
    status, told = await plain.call("POST", f"transcode_requeue/{id_}/")
    assert (status, told["order_id"]) == (200, id_)
    assert (await plain.until(id_, "FINISHED"))["comment"] == f"Order {id_} finished"
    assert (await plain.call("POST", f"transcode_requeue/{id_}"))[0] == 409
    assert (await plain.call("POST", "transcode_requeue/1-2"))[0] == 404
    listed = (await plain.call("GET", "transcode"))[1]
    assert [each["id"] for each in listed] == [id_]


async def test_orders_survive_a_restart(edge_settings, encoder, http, orders):
    settings = edge_settings()
    encoder.error, encoder.errors = MediaError("broken"), 1
    async with Transcoder(settings, encoder) as service:
        plain = Plain(service.url, http)
        token = await plain.login()
        profile = await plain.profile()
        failed = (await plain.place(orders(profile, "failed")))["order_id"]
        await plain.until(failed, "ERROR")
        encoder.begun.clear()
        encoder.gate.clear()
        running = (await plain.place(orders(profile, "running")))["order_id"]
        await encoder.begun.wait()
    stored = b"".join(path.read_bytes() for path in settings.data.glob("tasks.sqlite*"))
    assert running.encode() in stored
    assert PASSWORD.encode() not in stored
    encoder.gate.set()
    async with Transcoder(settings, encoder) as service:
        plain = Plain(service.url, http)
        plain.headers = {"Authorization": f"Bearer {token['access_token']}"}  # none is stored
        assert (await plain.until(running, "FINISHED"))["order_id"] == running
        assert (await plain.call("POST", f"transcode_requeue/{failed}/"))[0] == 200
        await plain.until(failed, "FINISHED")
        minutes = (await plain.call("GET", "transcoding/consumed_minutes/"))[1]
    assert minutes["minutes"] == pytest.approx(2 * 12.5 / 60, abs=0.001)
    assert list(minutes["months"].values()) == [minutes["minutes"]]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"priority": 4}, "order.priority"),
        ({"origin": None}, "order.origin"),
        ({"origin": "ftp://user:secret-word@127.0.0.1/"}, "order.origin"),
        ({"destinations": ["s3://bucket-name"]}, "order.destinations[0]"),
        (
            {"destinations": ["ftp://h/x", "ftp://user:secret-word@h/../x"]},
            "order.destinations[1]",
        ),
        ({"jobs": []}, "order.jobs"),
        (
            {"jobs": [{"label": "a", "filename": "a.mp4", "profile_id": 666}]},
            "order.jobs[0].profile_id",
        ),
        ({"jobs": [{"label": "a", "filename": "a.mp4", "profile": "8K"}]}, "order.jobs[0].profile"),
        (
            {"thumbnails": [{"filename": "a.webp", "width": 8, "height": 8}]},
            "order.thumbnails",
        ),
        ({"post_process": [{"drm": {"key": "x", "key_id": "1" * 32}}]}, "order.post_process[0]"),
        (
            {"post_process": [{"drm": {"key": "1" * 32, "key_id": "1" * 32, "pssh": "psshdata2"}}]},
            "order.post_process[0].drm.pssh",
        ),
    ],
)
async def test_what_cannot_be_done_is_refused_when_it_is_placed(plain, changes, field):
    told = await plain.place(an_order(await plain.profile(), **changes))
    assert told["http"] == 400
    assert told["field"].startswith(field)
    assert told["field"] in told["detail"]
    assert "secret-word" not in json.dumps(told)
    assert (await plain.call("GET", "transcode"))[1] == []


async def test_drm_is_for_mp4_alone_and_hls_jobs_need_folders(plain):
    ts, hls = await plain.profile(video_format="mpegts"), await plain.profile(segmentation=True)
    drm = [{"drm": {"key": "1" * 32, "key_id": "2" * 32}}]
    for profile in (ts, hls):
        told = await plain.place(an_order(profile, post_process=drm))
        assert (told["http"], told["field"]) == (400, "order.jobs[0].profile_id")
    jobs = [{"label": n, "filename": f"a.{n}", "profile_id": hls} for n in ("mp4", "m3u8")]
    told = await plain.place(an_order(hls, jobs=jobs))
    assert (told["http"], told["field"]) == (400, "order.jobs")


async def test_a_busy_service_says_when_to_come_back(edge_settings, encoder, http):
    async with Transcoder(edge_settings(min_free_bytes=2**62), encoder) as service:
        plain = Plain(service.url, http)
        await plain.login()
        order = an_order(await plain.profile())
        form = {"order": json.dumps(order)}
        url = f"{plain.media}/transcode/"
        async with http.post(url, data=form, headers=plain.headers) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "60")


@pytest.fixture
async def two(edge_settings, encoder) -> AsyncIterator[Transcoder]:
    clients = {
        "one": EdgeAccount(secret="secret-of-one", company="111"),
        "two": EdgeAccount(secret="secret-of-two", company="222"),
    }
    async with Transcoder(edge_settings(edge_clients=clients), encoder) as transcoder:
        yield transcoder


async def test_companies_do_not_see_each_other(two, http):
    one, other = Plain(two.url, http, "111"), Plain(two.url, http, "222")
    await one.login("one", "secret-of-one")
    await other.login("two", "secret-of-two")
    profile = await one.profile()
    id_ = (await one.place(an_order(profile)))["order_id"]
    assert (await other.call("GET", f"transcode/{id_}"))[0] == 404
    assert (await other.call("GET", "transcode"))[1] == []
    assert (await other.call("POST", f"transcode_requeue/{id_}"))[0] == 404
    assert (await other.call("GET", f"transcoding_profile/{profile}/"))[0] == 404
    assert (await other.call("PUT", f"transcoding_profile/{profile}/", json=PROFILE))[0] == 404
    assert (await other.call("DELETE", f"transcoding_profile/{profile}/"))[0] == 404
    assert (await other.place(an_order(profile)))["http"] == 400
    other.media = one.media
    assert (await other.call("GET", "transcode"))[0] == 404


async def test_tokens_are_asked_for(service, http):
    plain = Plain(service.url, http)
    refused = await plain.login(secret="wrong")
    assert (refused["status"], refused["error"]) == (401, "invalid_client")
    assert (await plain.login(client="nobody"))["status"] == 401
    assert (await plain.login(client="nobody", secret=""))["status"] == 401
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Bearer {'0' * 74}"}):
        plain.headers = headers
        status, told = await plain.call("GET", "transcode")
        assert (status, bool(told["detail"])) == (401, True)
    token = await plain.login()
    assert (token["token_type"], token["expires_in"]) == ("Bearer", 36000)
    plain.headers = {"Authorization": f"Bearer {token['refresh_token']}"}
    assert (await plain.call("GET", "transcode"))[0] == 401
    form = {"client_id": "orchestrator", "client_secret": KEY, "grant_type": "refresh_token"}
    url = f"{service.url}/v1/oauth2/access_token/"
    async with http.post(url, data={**form, "refresh_token": token["refresh_token"]}) as answer:
        again = await answer.json()
    plain.headers = {"Authorization": f"Bearer {again['access_token']}"}
    assert (await plain.call("GET", "transcode"))[0] == 200
    async with http.post(url, data={**form, "refresh_token": token["access_token"]}) as answer:
        assert (await answer.json())["error"] == "invalid_grant"
    async with http.post(url, data={**form, "grant_type": "password"}) as answer:
        assert (await answer.json())["error"] == "unsupported_grant_type"


async def test_forms_that_a_plus_or_an_ampersand_would_change_are_refused(plain):
    order = an_order(await plain.profile())
    url = f"{plain.media}/transcode/"
    kind = {**plain.headers, "Content-Type": "application/x-www-form-urlencoded"}

    async def raw(body: str) -> tuple[int, str]:
        async with plain.http.post(url, data=body.encode(), headers=kind) as answer:
            return answer.status, json.dumps(await answer.json())

    for sign in ("+", "&", "%2B"):
        order["origin"] = f"ftp://user:pa{sign}ss@127.0.0.1:9/film.mp4"
        status, told = await raw(f"order={json.dumps(order)}")
        assert (status, "--data-urlencode" in told) == (400, True)
        assert (await plain.place(order))["http"] == 201  # encoded, it is what it is
    for wrong in ("", "order=", "order=[]", "order={", "other=1", 'order={"a":1}&more=2'):
        assert (await raw(wrong))[0] == 400
    async with plain.http.post(url, json=order, headers=plain.headers) as answer:
        assert answer.status == 400
        assert "form" in (await answer.json())["detail"]


async def test_form_data_holds_the_order_as_text_or_as_a_file(plain, tmp_path):
    order = tmp_path / "order.json"
    order.write_text(json.dumps(an_order(await plain.profile())), encoding="utf-8")
    for field in (f"order=<{order}", f"order=@{order}"):
        bearer = f"Authorization: {plain.headers['Authorization']}"
        process = await asyncio.create_subprocess_exec(
            *("curl", "-sS", "-H", bearer, "-F", field, f"{plain.media}/transcode"),
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await process.communicate()
        assert json.loads(said)["order_id"]
    assert len((await plain.call("GET", "transcode"))[1]) == 2
