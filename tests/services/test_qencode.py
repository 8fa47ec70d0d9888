"""The Qencode client: tokens, starts, reports, and every error code."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.model.errors import (
    AccountProblem,
    BadInput,
    BadRequest,
    Busy,
    OrchestratorError,
    OutcomeUnknown,
    TaskLost,
    Transient,
)
from orchestrator.model.items import Attempt
from orchestrator.model.ports import Phase
from orchestrator.services.http import Http
from orchestrator.services.qencode import QencodeService
from tests.services.contract_service import ServiceContract
from tests.services.fault_server import CLOSE, answer, fault_server
from tests.services.qencode_server import API_KEY, QencodeServer, qencode_server

ATTEMPT = Attempt(1, "test", "", "")
QUERY = {"query": {"source": "tus:abc", "format": [{"output": "mp4"}]}}
ENV = {"S3_SECRET": "wJalrXUtn/FEMI"}


@pytest.fixture
async def server() -> AsyncIterator[QencodeServer]:
    async with qencode_server() as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with Http() as client:
        yield client


@pytest.fixture
def service(http: Http, server: QencodeServer) -> QencodeService:
    return QencodeService("cloud", http, server.url + "/", API_KEY, env=ENV)


class TestContract(ServiceContract):
    @pytest.fixture
    def request_body(self) -> Mapping[str, Any]:
        return QUERY


async def test_a_task_says_where_to_upload(service: QencodeService) -> None:
    attempt = await service.prepare(ATTEMPT)
    assert attempt.upload_to == f"/v1/upload_file/{attempt.task}"


async def test_one_token_serves_all_who_ask_at_once(
    service: QencodeService, server: QencodeServer
) -> None:
    await asyncio.gather(*[service.prepare(ATTEMPT) for _ in range(8)])
    assert server.log.count("access_token") == 1


async def test_a_refused_token_is_renewed_once_for_all(
    service: QencodeService, server: QencodeServer
) -> None:
    await service.prepare(ATTEMPT)
    server.good.clear()
    await asyncio.gather(*[service.prepare(ATTEMPT) for _ in range(8)])
    assert server.log.count("access_token") == 2


async def test_a_token_that_is_refused_again_stops_the_run(
    service: QencodeService, server: QencodeServer
) -> None:
    server.refusals["create_task"] = [{"error": 4}, {"error": 5, "message": "again"}]
    with pytest.raises(AccountProblem, match="again"):
        await service.prepare(ATTEMPT)


@pytest.mark.parametrize(
    ("expire", "renewals"),
    [
        ("1970-01-01 01:00:00", 1),
        ("1970-01-01T00:10:00Z", 2),
        ("nonsense", 1),
        (None, 1),
        ("1969-01-01 00:00:00", 2),
    ],
)
async def test_tokens_are_renewed_before_they_expire(
    http: Http, server: QencodeServer, expire: Any, renewals: int
) -> None:
    now = [0.0]
    server.expire = expire
    service = QencodeService("x", http, server.url, API_KEY, env={}, now=lambda: now[0])
    for now[0] in (0.0, 29.0, 550.0):
        await service.prepare(ATTEMPT)
    assert server.log.count("access_token") == renewals


async def test_a_start_resolves_secrets_as_it_sends(
    service: QencodeService, server: QencodeServer
) -> None:
    attempt = await service.prepare(ATTEMPT)
    query = {"query": {**QUERY["query"], "callback_url": "https://x/?s=${env:S3_SECRET}"}}
    assert await service.start(attempt, query, "for me & you") == "/v1/status"
    (sent,) = server.started
    assert sent["query"]["query"]["callback_url"] == "https://x/?s=wJalrXUtn/FEMI"
    assert sent["payload"] == "for me & you"
    with pytest.raises(BadInput, match="NOT_SET"):
        await service.start(attempt, {"query": {"source": "${env:NOT_SET}"}}, None)


async def test_no_secret_is_repeated(service: QencodeService, server: QencodeServer) -> None:
    attempt = await service.prepare(ATTEMPT)
    echo = f"bad {API_KEY} {server.tokens[0]} wJalrXUtn/FEMI"
    server.refusals["start_encode2"] = [{"error": 9, "message": echo}]
    with pytest.raises(BadRequest, match=r"bad \*\*\* \*\*\* \*\*\*"):
        await service.start(attempt, {"query": {"source": "${env:S3_SECRET}"}}, None)
    wrong = QencodeService("x", service._http, server.url, "another-secret-key", env={})
    with pytest.raises(AccountProblem) as failed:
        await wrong.check()
    assert "another-secret-key" not in str(failed.value)
    assert "error 3" in str(failed.value)


async def test_a_start_whose_answer_is_lost(http: Http) -> None:
    attempt = replace(ATTEMPT, task="a" * 32)
    async with fault_server(CLOSE, answer(b"<html>"), answer({"error": 1})) as faults:
        service = QencodeService("x", http, faults.url, API_KEY, env={})
        for _ in range(3):
            with pytest.raises(OutcomeUnknown):
                await service.start(attempt, QUERY, None)


CODES: list[tuple[int, type[OrchestratorError], type[OrchestratorError]]] = [
    (1, Transient, OutcomeUnknown),
    (2, AccountProblem, AccountProblem),
    (3, AccountProblem, AccountProblem),
    (4, AccountProblem, TaskLost),
    (5, AccountProblem, TaskLost),
    (6, AccountProblem, AccountProblem),
    (7, Transient, OutcomeUnknown),
    (8, Busy, Busy),
    (9, BadRequest, BadRequest),
    (10, AccountProblem, AccountProblem),
    (11, BadRequest, BadRequest),
    (12, BadRequest, BadRequest),
    (13, BadRequest, BadRequest),
    (14, BadRequest, BadRequest),
    (19, BadRequest, BadRequest),
    (77, BadRequest, BadRequest),
]


@pytest.mark.parametrize(("code", "preparing", "starting"), CODES)
async def test_error_codes(
    service: QencodeService,
    server: QencodeServer,
    code: int,
    preparing: type[OrchestratorError],
    starting: type[OrchestratorError],
) -> None:
    refusal = {"error": code, "message": "the field x"}
    server.refusals = {"create_task": [refusal] * 2, "start_encode2": [refusal]}
    with pytest.raises(preparing, match=f"error {code}, .*: the field x"):
        await service.prepare(ATTEMPT)
    with pytest.raises(starting, match=f"error {code}, "):
        await service.start(replace(ATTEMPT, task="t"), QUERY, None)


@pytest.mark.parametrize(
    ("refusal", "delay"),
    [
        ({"error": 8, "retry_after": 30}, 30),
        ({"error": "8", "message": "retry in 45 seconds"}, 45),
        ({"error": 8}, None),
    ],
)
async def test_busy(
    service: QencodeService, server: QencodeServer, refusal: dict[str, Any], delay: float | None
) -> None:
    server.refusals["create_task"] = [refusal]
    with pytest.raises(Busy) as failed:
        await service.prepare(ATTEMPT)
    assert failed.value.delay == delay


async def test_many_tasks_in_one_request(service: QencodeService, server: QencodeServer) -> None:
    for task, status in (("a", "encoding"), ("b", "completed"), ("c", "created")):
        server.tasks[task] = {"status": status}
    server.tasks["d"] = None
    reports = await service.report(["a", "b", "c", "d", "e"], None)
    assert {task: report.phase for task, report in reports.items()} == {
        "a": Phase.RUNNING,
        "b": Phase.DONE,
    }
    assert server.log == ["status"]


async def test_one_bad_token_does_not_hide_the_others(
    service: QencodeService, server: QencodeServer
) -> None:
    tasks = [f"t{n}" for n in range(9)]
    for task in tasks:
        server.tasks[task] = {"status": "queued"}
    reports = await service.report([*tasks[:4], "bad", *tasks[4:]], f"{server.url}/v1/status")
    assert list(reports) == tasks
    assert await service.report(["e"], None) == {}


async def test_answers_that_are_not_understood(
    service: QencodeService, server: QencodeServer
) -> None:
    server.refusals = {
        "create_task": [{"error": 0}],
        "status": [{"error": 0}, {"error": 0, "statuses": {"a": "what"}}],
        "access_token": [{"error": 0, "token": 7}],
    }
    for _ in range(2):
        with pytest.raises(Transient, match="answer not understood"):
            await service.prepare(ATTEMPT)
    with pytest.raises(Transient, match="answer not understood"):
        await service.report(["a"], None)
    assert await service.report(["a"], None) == {}
