"""Transparent Edge's client, against a server that keeps to its documents."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from orchestrator.model.errors import (
    AccountProblem,
    BadRequest,
    Busy,
    EncodeFailed,
    OutcomeUnknown,
    Transient,
)
from orchestrator.model.items import Attempt
from orchestrator.model.ports import Phase
from orchestrator.services.edge import EdgeClient, EdgeService
from orchestrator.services.http import Http
from orchestrator.services.refusals import NotThere
from tests.services.contract_service import ServiceContract
from tests.services.edge_server import CLIENT, COMPANY, EdgeServer

ORDER: dict[str, Any] = {
    "origin": "ftp://user:${env:FTP_PASSWORD}@127.0.0.1/film.mp4",
    "destinations": ["ftp://user:secret-of-ftp@127.0.0.1/out"],
    "jobs": [{"label": "iphone", "filename": "watermark.mp4", "profile_id": 666}],
}


@pytest.fixture
async def server() -> AsyncIterator[EdgeServer]:
    async with EdgeServer() as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with Http(timeout=5) as session:
        yield session


@pytest.fixture
def client(server: EdgeServer, http: Http) -> EdgeClient:
    return EdgeClient(http, server.url, COMPANY, *CLIENT)


@pytest.fixture
def service(client: EdgeClient, http: Http) -> EdgeService:
    return again(client, http)


def again(client: EdgeClient, http: Http) -> EdgeService:
    """The service as a new process has it: with nothing in its memory."""
    env = {"FTP_PASSWORD": "secret-of-origin"}
    return EdgeService("edge", client, env=env, told=http.secrets)


async def started(service: EdgeService, **order: Any) -> Attempt:
    attempt = await service.prepare(Attempt(1, "edge", "", ""))
    await service.start(attempt, {"order": {**ORDER, **order}}, None)
    return attempt


class TestContract(ServiceContract):
    @pytest.fixture
    def request_body(self) -> dict[str, Any]:
        return {"order": ORDER}


async def test_an_order_goes_out_with_its_secrets_and_its_marks(service, server):
    attempt = await started(service)
    (order,) = server.orders.values()
    assert order["asked"]["origin"] == "ftp://user:secret-of-origin@127.0.0.1/film.mp4"
    assert order["asked"]["jobs"][0]["label"] == f"iphone~{attempt.task}"


async def test_a_profile_may_be_named(service, server):
    job = {"label": "iphone", "filename": "a.mp4", "profile": "480p"}
    await started(service, jobs=[job])
    (order,) = server.orders.values()
    assert order["asked"]["jobs"][0]["profile_id"] == 666
    with pytest.raises(BadRequest, match="no profile called '8K'"):
        await started(service, jobs=[{**job, "profile": "8K"}])


async def test_a_lost_answer_is_unknown_and_the_order_is_found_by_its_mark(
    service, server, client, http
):
    server.lose_answers = 1
    attempt = await service.prepare(Attempt(1, "edge", "", ""))
    with pytest.raises(OutcomeUnknown):
        await service.start(attempt, {"order": ORDER}, None)
    found = await again(client, http).find(attempt)
    assert found is not None
    assert (found.task, found.phase) == (attempt.task, Phase.QUEUED)
    other = await service.prepare(Attempt(1, "edge", "", ""))
    assert await service.find(other) is None


async def test_many_orders_are_asked_for_in_one_request(service, server):
    tasks = [(await started(service)).task for _ in range(30)]
    await service.report(tasks, None)
    server.calls.clear()
    server.move("ENCODING", 40.0)
    reports = await service.report(tasks, None)
    assert len(reports) == 30
    assert reports[tasks[0]].percent == 40.0
    assert len(server.calls) == 31  # the list, and each order once: its status is new
    server.calls.clear()
    assert len(await service.report(tasks, None)) == 30
    assert server.calls == [("GET", f"/v1/media/{COMPANY}/transcode")]


async def test_after_a_restart_orders_are_found_again(service, server, client, http):
    tasks = [(await started(service)).task for _ in range(3)]
    reports = await again(client, http).report(tasks, None)
    assert sorted(reports) == sorted(tasks)


async def test_a_finished_order_has_its_outputs_and_no_password(service, server):
    attempt = await started(service)
    server.move("FINISHED", 100.0, duration=12.5)
    report = (await service.report([attempt.task], None))[attempt.task]
    assert report.phase is Phase.DONE
    assert report.duration == 12.5
    (output,) = report.outputs
    assert output.url == "ftp://127.0.0.1/out/watermark.mp4"
    assert output.user_tag == "iphone"


@pytest.mark.parametrize(
    ("profile", "url"),
    [
        ({"custom_profiles": [{"profile_type": "hls"}]}, "fi%20lm/master.m3u8"),
        (
            {"custom_profiles": [{"profile_type": "hls", "master_pl_name": "all.m3u8"}]},
            "fi%20lm/all.m3u8",
        ),
        ({"segmentation": True, "custom_profiles": []}, "fi%20lm/master.m3u8"),
        ({"segmentation": False, "custom_profiles": [{"profile_type": "overlay"}]}, "fi%20lm.mp4"),
    ],
)
async def test_an_hls_profile_makes_a_folder_with_its_master_playlist(
    service, server, client, profile, url
):
    made = await client.create_profile({"name": "new", **profile})
    job = {"label": "tv", "filename": "fi lm.mp4", "profile_id": made["id"]}
    attempts = [await started(service, jobs=[job, ORDER["jobs"][0]]) for _ in range(2)]
    server.move("FINISHED", 100.0)
    server.calls.clear()
    reports = await service.report([each.task for each in attempts], None)
    for report in reports.values():
        assert [each.url for each in report.outputs] == [
            f"ftp://127.0.0.1/out/{url}",
            "ftp://127.0.0.1/out/watermark.mp4",
        ]
    asked = [path for _, path in server.calls if "profile" in path]
    assert len(asked) == 1  # they are asked for once


async def test_a_profile_that_is_gone_made_a_file(service, server, client):
    made = await client.create_profile({"name": "new", "segmentation": True})
    job = {"label": "tv", "filename": "film.mp4", "profile_id": made["id"]}
    attempt = await started(service, jobs=[job])
    await client.delete_profile(made["id"])
    server.move("FINISHED", 100.0)
    report = (await service.report([attempt.task], None))[attempt.task]
    assert [each.url for each in report.outputs] == ["ftp://127.0.0.1/out/film.mp4"]


async def test_a_failed_order_says_why(service, server):
    attempt = await started(service)
    server.move("ERROR", comment="can't read ftp://user:secret-of-origin@127.0.0.1/film.mp4")
    report = (await service.report([attempt.task], None))[attempt.task]
    assert report.phase is Phase.FAULTED
    assert isinstance(report.fault, EncodeFailed)
    assert "secret" not in str(report.fault)


async def test_an_unknown_status_means_under_way(service, server):
    attempt = await started(service)
    server.move("DOING_SOMETHING_NEW", 7.0)
    report = (await service.report([attempt.task], None))[attempt.task]
    assert (report.phase, report.percent) == (Phase.RUNNING, 7.0)


async def test_a_token_is_renewed_when_it_is_refused(client, server):
    await client.check()
    server.tokens.clear()
    assert await client.page() == []
    assert len(server.tokens) == 1


async def test_a_token_is_renewed_before_it_runs_out(server, http):
    now = 0.0
    client = EdgeClient(http, server.url, COMPANY, *CLIENT, now=lambda: now)
    await client.page()
    await client.page()
    assert len(server.tokens) == 1
    now = 36000 - 200
    await client.page()
    assert len(server.tokens) == 2


async def test_bad_credentials_are_the_accounts_problem(server, http):
    client = EdgeClient(http, server.url, COMPANY, "nobody", "wrong-secret")
    with pytest.raises(AccountProblem) as caught:
        await client.page()
    assert "wrong-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "error"), [(503, Busy), (429, Busy), (400, BadRequest), (403, AccountProblem)]
)
async def test_refusals_are_of_their_families(client, server, status, error):
    await client.check()
    server.faults.append(lambda request: web.json_response({}, status=status))
    with pytest.raises(error):
        await client.create(ORDER)


async def test_a_broken_server_leaves_an_order_open_and_a_question_not(client, server):
    await client.check()
    server.faults.append(lambda request: web.Response(status=500))
    with pytest.raises(OutcomeUnknown):
        await client.create(ORDER)
    server.faults.append(lambda request: web.Response(status=500))
    with pytest.raises(Transient):
        await client.page()


async def test_profiles_are_made_changed_and_removed(client):
    made = await client.create_profile({"name": "mobile", "video_format": "mp4"})
    assert (await client.profile(made["id"]))["name"] == "mobile"
    assert (await client.update_profile(made["id"], {"name": "small"}))["name"] == "small"
    assert [each["name"] for each in await client.profiles()] == ["480p", "small"]
    await client.delete_profile(made["id"])
    with pytest.raises(NotThere):
        await client.profile(made["id"])


async def test_orders_are_launched_again_and_use_is_told(client, server, service):
    await started(service)
    server.move("ERROR")
    await client.requeue(next(iter(server.orders)))
    assert [order["status"] for order in server.orders.values()] == ["QUEUED"]
    with pytest.raises(NotThere):
        await client.requeue("nothing")
    assert (await client.allowed_values())["video_formats"] == ["mp4"]
    assert await client.consumed_minutes() == {"minutes": 12}
