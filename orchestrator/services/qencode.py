"""Qencode's transcoding API, and every service that speaks it."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from orchestrator.model.errors import TaskLost, Transient
from orchestrator.model.items import Attempt
from orchestrator.model.ports import TaskReport
from orchestrator.query import resolve_secrets
from orchestrator.services.http import Http
from orchestrator.services.qencode_answers import TokenRefused, TokensRefused, fault_in
from orchestrator.services.qencode_status import read_status
from orchestrator.services.redact import redact
from orchestrator.services.renewed_token import Granted, RenewedToken
from orchestrator.services.urls import absolute, relative

_STATUS = "/v1/status"

#: How a secret that is to be filled in begins, in JSON too.
_SECRET = b"${env:"

#: A shorter value than this is no secret, and blanking it would spoil messages.
_SHORTEST_SECRET = 6


class QencodeService:
    """One account at a service. Its base URL is ``base``, without ``/v1``.

    ``env`` holds what ``${env:NAME}`` in a request stands for. ``now`` gives
    UNIX seconds. ``http`` is this account's own: secrets are told to it, so
    that no message shows them.
    """

    def __init__(
        self,
        name: str,
        http: Http,
        base: str,
        api_key: str,
        *,
        env: Mapping[str, str],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._name = name
        self._http = http
        self._base = base.rstrip("/")
        self._api_key = api_key
        self._env = _Noting(env, http.secrets)
        self._now = now
        self._session = RenewedToken(self._access_token, now)
        http.secrets.add(api_key)

    @property
    def name(self) -> str:
        """The name under ``[services]`` in the config."""
        return self._name

    async def prepare(self, attempt: Attempt) -> Attempt:
        """Create a task: the attempt with its ``task`` and ``upload_to``."""
        answer = await self._with_token("create_task")
        task, upload_url = answer.get("task_token"), answer.get("upload_url")
        if not isinstance(task, str) or not task:
            raise Transient("create_task: answer not understood: it has no task_token")
        upload_to = None
        if isinstance(upload_url, str) and upload_url:
            upload_to = f"{relative(upload_url.rstrip('/'), self._base)}/{task}"
        return attempt.but(task=task, upload_to=upload_to)

    async def start(self, attempt: Attempt, request: Mapping[str, Any], payload: str | None) -> str:
        """Start ``attempt.task`` on ``request``, the query wrapped in ``query``.

        The answer is the task's status URL.
        Raises ``TaskLost`` where the service does not know the task token.
        """
        if attempt.task is None:
            raise ValueError(f"attempt {attempt.number} was not prepared")
        query = orjson.dumps(request)
        if _SECRET in query:
            query = orjson.dumps(resolve_secrets(request, self._env))
        fields = {"task_token": attempt.task, "query": query.decode()}
        if payload is not None:
            fields["payload"] = payload
        url = self._base + "/v1/start_encode2"
        try:
            answer = await self._ask(url, fields, idempotent=False)
        except TokenRefused as error:
            raise TaskLost(str(error)) from error
        status_url = str(answer.get("status_url"))
        return relative(status_url, self._base) if "://" in status_url else _STATUS

    async def find(self, attempt: Attempt) -> TaskReport | None:
        """The task's report, from the main endpoint; None where it was never started."""
        if attempt.task is None:
            return None
        return (await self.report([attempt.task], None)).get(attempt.task)

    async def report(
        self, tasks: Sequence[str], status_url: str | None
    ) -> Mapping[str, TaskReport]:
        """Reports of ``tasks`` in one request.

        One token that the service finds bad makes it refuse them all (error
        13): then the halves are asked for apart, until that one is alone.
        """
        url = absolute(status_url or _STATUS, self._base)
        try:
            answer = await self._ask(url, {"task_tokens": ",".join(tasks)}, idempotent=True)
        except (TokensRefused, TokenRefused):
            if len(tasks) < 2:
                return {}
            half = len(tasks) // 2
            first = await self.report(tasks[:half], status_url)
            return {**first, **await self.report(tasks[half:], status_url)}
        statuses = answer.get("statuses")
        if not isinstance(statuses, (dict, list)):
            raise Transient(f"{redact(url)}: answer not understood: it has no statuses")
        known = statuses if isinstance(statuses, dict) else {}
        reports = (
            read_status(task, known.get(task), self._base, self._http.secrets) for task in tasks
        )
        return {report.task: report for report in reports if report is not None}

    async def check(self) -> str:
        """Trade the API key for a token."""
        await self._session.renewed(await self._session.token())
        return f"{self._name}: {redact(self._base)} answers and takes the API key"

    async def _with_token(self, method: str) -> dict[str, Any]:
        """Call a method that takes the session's token; renew it once if it is refused."""
        url = f"{self._base}/v1/{method}"
        token = await self._session.token()
        try:
            return await self._ask(url, {"token": token}, idempotent=True)
        except TokenRefused:
            token = await self._session.renewed(token)
            return await self._ask(url, {"token": token}, idempotent=True)

    async def _access_token(self) -> Granted:
        url = self._base + "/v1/access_token"
        answer = await self._ask(url, {"api_key": self._api_key}, idempotent=True)
        token = answer.get("token")
        if not isinstance(token, str) or not token:
            raise Transient("access_token: answer not understood: it has no token")
        self._http.secrets.add(token)
        expiry = _moment(answer.get("expire"))
        return token, None if expiry is None else expiry - self._now()

    async def _ask(
        self, url: str, fields: Mapping[str, str], *, idempotent: bool
    ) -> dict[str, Any]:
        answer: dict[str, Any] = await self._http.call(
            "POST", url, data=fields, idempotent=idempotent
        )
        if answer.get("error") == 0:
            return answer
        fault = fault_in(answer, redact(url), idempotent=idempotent, secrets=self._http.secrets)
        if fault is not None:
            raise fault
        return answer


class _Noting(Mapping[str, str]):
    """An environment that notes each value that was asked for as a secret."""

    def __init__(self, env: Mapping[str, str], secrets: set[str]) -> None:
        self._env, self._secrets = env, secrets

    def __getitem__(self, name: str) -> str:
        value = self._env[name]
        if len(value) >= _SHORTEST_SECRET:
            self._secrets.add(value)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._env)

    def __len__(self) -> int:
        return len(self._env)


def _moment(said: object) -> float | None:
    """``expire``, a date and time in UTC as in "2020-12-31 23:59:59": its UNIX seconds."""
    if not isinstance(said, str):
        return None
    try:
        named = datetime.fromisoformat(said.strip())
        return (named if named.tzinfo else named.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
