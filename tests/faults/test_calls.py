"""Every fault of a connection or an answer, at every kind of call.

Each time the run goes on, everything ends completed, started once, and collected whole.
"""

import pytest

from tests.endtoend.proxy import Fault
from tests.faults.breakages import OF_ALL, OF_JSON, after_reset, answers
from tests.faults.place import Place
from tests.sample import sampled

API = ("POST access_token", "POST create_task", "POST start_encode2", "POST status")
UPLOADS = ("OPTIONS upload_file", "POST upload_file", "PATCH upload_file", "HEAD upload_file")
OUTPUTS = ("GET outputs",)

#: Calls that every fault is tried at by default; the others are for the slow tests.
SAMPLE = ("POST start_encode2", "PATCH upload_file")


def told_to_break(here: Place, call: str, *faults: Fault) -> None:
    """Have the call fail so; a HEAD needs a PATCH that failed, to be made at all."""
    if call.startswith("HEAD"):
        here.proxy.breaks("PATCH upload_file", after_reset)
    here.proxy.breaks(call, *faults)


@pytest.mark.parametrize("fault", OF_ALL)
@pytest.mark.parametrize("call", sampled([*API, *UPLOADS, *OUTPUTS], *SAMPLE))
async def test_a_connection_that_fails(here: Place, call: str, fault: str) -> None:
    told_to_break(here, call, OF_ALL[fault])
    await here.finishes()


@pytest.mark.parametrize("fault", OF_JSON)
@pytest.mark.parametrize("call", sampled(API, *SAMPLE))
async def test_an_answer_that_is_no_answer(here: Place, call: str, fault: str) -> None:
    told_to_break(here, call, OF_JSON[fault])
    await here.finishes()


@pytest.mark.parametrize("status", [500, 502, 503, 429])
@pytest.mark.parametrize("call", sampled([*API, *UPLOADS, *OUTPUTS], *SAMPLE))
async def test_a_storm_of_errors(here: Place, call: str, status: int) -> None:
    # What the server of uploads can do is asked once an upload: it may do without an answer.
    times = 2 if call.startswith("OPTIONS") else 4
    told_to_break(here, call, *([answers(status)] * times))
    await here.finishes()


@pytest.mark.parametrize("call", sampled([*UPLOADS, *OUTPUTS], *SAMPLE))
async def test_a_web_page_where_none_should_be(here: Place, call: str) -> None:
    told_to_break(here, call, OF_JSON["html"])
    await here.finishes()
