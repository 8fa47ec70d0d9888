"""What every ``Service`` keeps to. Subclass, and say how to make one."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.model.items import Attempt
from orchestrator.model.ports import Phase, Service


class ServiceContract:
    """Fixtures to give: ``service``, and ``request_body`` that it accepts."""

    @pytest.fixture
    def attempt(self) -> Attempt:
        return Attempt(1, "test", "", "")

    async def test_it_can_be_checked(self, service: Service) -> None:
        assert service.name in await service.check()

    async def test_each_preparation_is_a_task_of_its_own(
        self, service: Service, attempt: Attempt
    ) -> None:
        one, two = await service.prepare(attempt), await service.prepare(attempt)
        assert one.task
        assert two.task
        assert one.task != two.task
        assert replace(one, task=None, upload_to=None) == attempt

    async def test_a_start_that_never_happened_is_not_found(
        self, service: Service, attempt: Attempt
    ) -> None:
        assert await service.find(await service.prepare(attempt)) is None
        assert await service.find(replace(attempt, task="0" * 32)) is None

    async def test_a_start_is_found_and_reported(
        self, service: Service, attempt: Attempt, request_body: Mapping[str, Any]
    ) -> None:
        attempt = await service.prepare(attempt)
        assert attempt.task
        status_url = await service.start(attempt, request_body, "payload")
        found = await service.find(attempt)
        assert found is not None
        assert found.task == attempt.task
        assert found.phase in Phase
        reports = await service.report([attempt.task, "0" * 32], status_url)
        assert list(reports) == [attempt.task]
        assert 0 <= reports[attempt.task].percent <= 100
