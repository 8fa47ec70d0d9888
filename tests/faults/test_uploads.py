"""What goes wrong with a tus upload, and with the source while it is read."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.model.items import Item
from orchestrator.model.outcome import Ending
from orchestrator.model.states import State
from orchestrator.services import source_file
from tests.endtoend.proxy import Exchange, Fault, ordinary
from tests.faults.breakages import after_reset, answers, offset
from tests.faults.place import Place
from tests.sample import sampled

PATCH, HEAD = "PATCH upload_file", "HEAD upload_file"


def acting(act: Callable[[], object]) -> Fault:
    """A request that goes through as ever, after ``act()``."""

    async def acted(exchange: Exchange) -> bool:
        act()
        return await ordinary(exchange)

    return acted


@pytest.mark.parametrize("status", [403, 404, 409, 410, 423, 460])
@pytest.mark.parametrize("call", sampled(["POST upload_file", PATCH, HEAD], PATCH))
async def test_a_refusal_that_passes(here: Place, call: str, status: int) -> None:
    if call == HEAD:
        here.proxy.breaks(PATCH, after_reset)
    here.proxy.breaks(call, answers(status))
    if call.startswith("POST") and status == 403:
        # Before an upload there is nothing that could be gone: the account is refused.
        outcome = await here.run()
        assert outcome.ending is Ending.ACCOUNT
    await here.finishes()


@pytest.mark.parametrize("status", [404, 410])
async def test_an_upload_that_is_gone_is_begun_again_under_its_task(
    here: Place, status: int
) -> None:
    here.proxy.breaks(PATCH, ordinary, answers(status))
    await here.finishes()
    assert here.proxy.seen["POST create_task"] == 3


@pytest.mark.parametrize("change", [-70_000, -1_000_000, 1_000, 10_000_000])
@pytest.mark.parametrize("call", [PATCH, HEAD])
async def test_an_offset_that_is_not_so(here: Place, call: str, change: int) -> None:
    if call == HEAD:
        here.proxy.breaks(PATCH, after_reset)
    here.proxy.breaks(call, offset(change))
    await here.finishes()


async def test_a_service_that_loses_bytes_it_had_confirmed(here: Place) -> None:
    def lose() -> None:
        for upload in here.service.uploads.values():
            if len(upload.data) < upload.length:
                del upload.data[len(upload.data) // 2 :]

    here.proxy.breaks(PATCH, ordinary, acting(lose))
    await here.finishes()


async def test_a_file_that_grows_while_it_is_read(here: Place) -> None:
    large = here.files["large.mp4"]

    def grow() -> None:
        with large.open("ab") as file:
            file.write(b"more" * 1000)

    here.proxy.breaks(PATCH, ordinary, acting(grow))
    await here.finishes()


async def test_a_file_that_never_stops_growing_fails_alone(here: Place) -> None:
    large = here.files["large.mp4"]

    def grow() -> None:
        with large.open("ab") as file:
            file.write(b"more" * 1000)

    here.proxy.breaks(PATCH, *[acting(grow)] * 200)
    outcome = await here.run()
    assert outcome.counts == {State.COMPLETED: 2, State.FAILED: 1}
    (failure,) = outcome.failures
    assert failure.error_class == "source_changed"
    assert str(large) in failure.error
    here.audit(without="large.mp4")
    here.proxy.mends()
    await here.finishes()


async def test_a_file_that_shrinks_while_it_is_read(here: Place) -> None:
    large = here.files["large.mp4"]
    here.proxy.breaks(PATCH, ordinary, acting(lambda: os.truncate(large, 1000)))
    await here.finishes()


async def test_a_file_that_is_put_in_place_of_another_meanwhile(here: Place) -> None:
    large = here.files["large.mp4"]

    def swap() -> None:
        beside = large.with_name("beside.mp4")
        beside.write_bytes(large.read_bytes()[::-1])
        beside.replace(large)

    here.proxy.breaks(PATCH, ordinary, acting(swap))
    await here.finishes()


async def test_a_source_that_is_deleted_before_its_upload(here: Place) -> None:
    large = here.files["large.mp4"]
    kept = large.read_bytes()
    here.proxy.breaks("POST access_token", acting(large.unlink))
    await fails_until(here, lambda: large.write_bytes(kept))


async def test_a_source_that_is_deleted_during_its_upload(here: Place) -> None:
    large = here.files["large.mp4"]
    kept = large.read_bytes()
    here.proxy.breaks(PATCH, ordinary, acting(large.unlink))
    await fails_until(here, lambda: large.write_bytes(kept))


async def test_a_source_that_is_deleted_after_its_upload_is_not_missed(here: Place) -> None:
    large = here.files["large.mp4"]
    kept = large.read_bytes()

    def delete(item: Item) -> None:
        if item.source == str(large) and item.state is State.UPLOADED:
            large.unlink()

    outcome = await here.run(delete)
    assert outcome.counts == {State.COMPLETED: 3}
    large.write_bytes(kept)
    here.audit()


async def test_a_folder_in_place_of_a_source(here: Place) -> None:
    large = here.files["large.mp4"]
    kept = large.read_bytes()

    def swap() -> None:
        large.unlink()
        large.mkdir()

    def back() -> None:
        large.rmdir()
        large.write_bytes(kept)

    here.proxy.breaks("POST access_token", acting(swap))
    await fails_until(here, back)


async def test_permission_that_is_lost_on_a_source(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read everything, so the system's answer is given for it."""
    large, really = here.files["large.mp4"], source_file._open

    def refused(path: Path) -> object:
        if path == large:
            raise PermissionError(13, "Permission denied", str(path))
        return really(path)

    here.proxy.breaks(
        "POST access_token", acting(lambda: monkeypatch.setattr(source_file, "_open", refused))
    )
    await fails_until(here, lambda: monkeypatch.setattr(source_file, "_open", really))


async def fails_until(here: Place, mend: Callable[[], object]) -> None:
    """The large file fails alone, and is said to; once mended, a rerun does it."""
    outcome = await here.run()
    assert outcome.ending is Ending.FINISHED
    assert outcome.counts == {State.COMPLETED: 2, State.FAILED: 1}
    (failure,) = outcome.failures
    assert failure.error_class == "source_missing"
    assert str(here.files["large.mp4"]) in failure.error
    here.audit(without="large.mp4")
    mend()
    await here.finishes()
