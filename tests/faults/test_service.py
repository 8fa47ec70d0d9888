"""What the service itself does: tokens that run out, requests that it takes late, restarts."""

import pytest

from orchestrator.model.items import Item
from tests.endtoend.proxy import Exchange, ordinary
from tests.endtoend.recording import BUSY, LOST, UNHEARD
from tests.faults.breakages import answers, taken_late
from tests.faults.place import Place
from tests.sample import sampled


@pytest.mark.parametrize("state", ["uploading", "uploaded", "starting", "encoding"])
async def test_a_token_that_expires_in_the_middle(here: Place, state: str) -> None:
    def seen(item: Item) -> None:
        if item.state == state:
            here.service.expire_tokens()

    await here.finishes(seen)


async def test_a_token_that_is_refused_while_many_use_it(here: Place) -> None:
    async def expired(exchange: Exchange) -> bool:
        here.service.expire_tokens()
        return await ordinary(exchange)

    here.proxy.breaks("POST create_task", expired, expired, expired)
    await here.finishes()


@pytest.mark.parametrize("trouble", [BUSY, LOST, UNHEARD])
@pytest.mark.parametrize(
    "call",
    sampled(
        ["access_token", "create_task", "start_encode2", "status", "POST", "PATCH", "output"],
        "start_encode2",
        "PATCH",
    ),
)
async def test_trouble_again_and_again(here: Place, call: str, trouble: str) -> None:
    here.service.orders[call] += [trouble] * 3
    await here.finishes()


@pytest.mark.parametrize("status", [502, 504])
async def test_a_start_that_a_gateway_gave_up_on(here: Place, status: int) -> None:
    """The gateway's answer says nothing about what became of the start behind it."""

    async def given_up(exchange: Exchange) -> bool:
        await exchange.effect()
        await exchange.reply(b"HTTP/1.1 %d Told\r\nContent-Length: 0\r\n\r\n" % status)
        return exchange.reusable

    here.proxy.breaks("POST start_encode2", given_up, given_up, given_up)
    await here.finishes()


async def test_a_status_that_is_lost_while_a_start_is_looked_up(here: Place) -> None:
    async def unheard(exchange: Exchange) -> bool:
        await exchange.effect()
        exchange.cut()
        return False

    here.proxy.breaks("POST start_encode2", unheard)
    here.proxy.breaks("POST status", *[answers(500)] * 3)
    await here.finishes()


@pytest.mark.slow
async def test_a_start_that_the_service_takes_late(here: Place) -> None:
    config = here.folder / "config.toml"
    config.write_text(config.read_text().replace("settle = 0.1", "settle = 3"))
    here.proxy.breaks("POST start_encode2", taken_late)
    await here.finishes()
