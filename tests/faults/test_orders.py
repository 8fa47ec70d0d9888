"""The same faults at the calls of a service of orders: everything ends done, ordered once."""

from collections import Counter
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from orchestrator.config import load_config
from orchestrator.model.outcome import Ending
from orchestrator.model.states import State
from tests.endtoend.proxy import Fault, Proxy
from tests.faults.breakages import OF_ALL, OF_JSON, after_reset, answers, taken_late
from tests.wiring.test_orders import COLLECT, FOLDER, House, Worker, house  # noqa: F401 - a fixture

PATIENCE = "timeout = 0.4\nconnect = 0.4\n"

START, LOOK = "POST transcode", "GET transcode"
OTHERS = ("POST oauth2", "GET transcoding_profiles", LOOK)
CALLS = (START, *(pytest.param(call, marks=pytest.mark.slow) for call in OTHERS))


@pytest.fixture
async def proxy(house: House) -> AsyncIterator[Proxy]:  # noqa: F811
    """Between the run and the service. Local clips can be read as they are."""
    (house.files / "library").symlink_to(house.folder / "clips")
    async with Proxy(house.server.url) as proxy:
        house.server.url = proxy.url
        yield proxy


async def finishes(
    house: House,  # noqa: F811
    proxy: Proxy,
    call: str,
    *faults: Fault,
    settle: float = 0.2,
) -> None:
    """The call fails so, and a run completes everything; each clip was ordered once."""
    proxy.breaks(call, *faults)
    config = house.folder / "config.toml"
    house.config(PATIENCE)
    config.write_text(config.read_text().replace("settle = 0.2", f"settle = {settle}"))
    mapped = FOLDER.replace("/in", "/library")
    job = house.job(f'[origin_map]\nclips = "{mapped}"\n', COLLECT)
    async with Worker(house):
        outcome = await house.run(load_config(config), job)
    assert outcome.ending is Ending.FINISHED, outcome
    assert outcome.counts == {State.COMPLETED: 3}, outcome
    assert proxy.broken, "a fault that never happened proves nothing"
    origins = [urlsplit(order["asked"]["origin"]).path for order in house.server.orders.values()]
    assert set(Counter(origins).values()) == {1}, origins
    assert len(origins) == 3
    assert len(list(house.folder.glob("outputs/*/iphone.mp4"))) == 3


@pytest.mark.parametrize("fault", OF_ALL)
@pytest.mark.parametrize("call", CALLS)
async def test_a_connection_that_fails(
    house: House,  # noqa: F811
    proxy: Proxy,
    call: str,
    fault: str,
) -> None:
    await finishes(house, proxy, call, OF_ALL[fault])


@pytest.mark.parametrize("fault", OF_JSON)
@pytest.mark.parametrize("call", CALLS)
async def test_an_answer_that_is_no_answer(
    house: House,  # noqa: F811
    proxy: Proxy,
    call: str,
    fault: str,
) -> None:
    await finishes(house, proxy, call, OF_JSON[fault])


@pytest.mark.parametrize("status", [500, 502, 503, 429])
@pytest.mark.parametrize("call", CALLS)
async def test_a_storm_of_errors(
    house: House,  # noqa: F811
    proxy: Proxy,
    call: str,
    status: int,
) -> None:
    await finishes(house, proxy, call, *[answers(status)] * 4)


async def test_an_order_that_the_service_takes_late(
    house: House,  # noqa: F811
    proxy: Proxy,
) -> None:
    await finishes(house, proxy, START, taken_late, settle=3)


@pytest.mark.parametrize("fault", ["html", "a list", "bare", "odd", "empty"])
async def test_a_lost_answer_that_is_looked_up_in_no_list(
    house: House,  # noqa: F811
    proxy: Proxy,
    fault: str,
) -> None:
    """What can't be read says nothing of whether an order is there."""
    proxy.breaks(START, after_reset)
    await finishes(house, proxy, LOOK, *[OF_JSON[fault]] * 3)
