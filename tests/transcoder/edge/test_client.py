"""The engine's own client of orders, against the embedded service."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from orchestrator.model.errors import BadRequest
from orchestrator.model.ports import Phase
from orchestrator.services.edge import EdgeClient, EdgeService
from orchestrator.services.http import Http
from orchestrator.services.refusals import NotThere
from orchestrator.transcoder.server import Transcoder
from tests.services.contract_service import ServiceContract
from tests.transcoder.client import KEY
from tests.transcoder.edge.conftest import CLIENT, COMPANY, PROFILE, an_order


@pytest.fixture
async def client(edge_settings, encoder) -> AsyncIterator[EdgeClient]:
    async with Transcoder(edge_settings(), encoder) as transcoder, Http(timeout=10) as session:
        yield EdgeClient(session, transcoder.url, COMPANY, CLIENT, KEY)


class TestContract(ServiceContract):
    @pytest.fixture
    async def service(self, client) -> EdgeService:
        await client.create_profile(PROFILE)
        return EdgeService("edge", client, env={}, told=set())

    @pytest.fixture
    def request_body(self) -> dict[str, Any]:
        order = an_order(0)
        order["jobs"] = [{"label": "iphone", "filename": "a.mp4", "profile": "480p"}]
        return {"order": order}

    async def test_an_order_is_found_again_by_another_process(
        self, service, client, attempt, request_body
    ):
        attempt = await service.prepare(attempt)
        await service.start(attempt, request_body, None)
        other = EdgeService("edge", client, env={}, told=set())
        found = await other.find(attempt)
        assert found is not None
        assert found.phase in (Phase.QUEUED, Phase.RUNNING)


async def test_every_call_of_the_client(client):
    made = await client.create_profile(PROFILE)
    assert await client.profiles() == [made]
    assert (await client.update_profile(made["id"], {**PROFILE, "name": "b"}))["name"] == "b"
    assert "mp4" in (await client.allowed_values())["video_formats"]
    assert (await client.consumed_minutes())["minutes"] == 0
    assert await client.page() == []
    order = await client.create(an_order(made["id"]))
    assert [each["id"] for each in await client.page(search="watermark")] == [order["order_id"]]
    with pytest.raises(BadRequest):
        await client.create(an_order(666))
    with pytest.raises(NotThere):
        await client.requeue("1-1")
    await client.delete_profile(made["id"])
    with pytest.raises(NotThere):
        await client.profile(made["id"])
