"""What every ``Verifier`` keeps to. Subclass, and say what it finds good and bad."""

from pathlib import Path

import pytest

from orchestrator.model.errors import VerificationFailed
from orchestrator.model.items import Output
from orchestrator.model.ports import Verifier
from tests.services.contract_collector import item_of


def stats(outputs: list[Output]) -> list[tuple[int, int] | None]:
    """Size and time of each output's file, None where there is none."""
    files = [Path(each.path) for each in outputs if each.path]
    return [
        (file.stat().st_size, file.stat().st_mtime_ns) if file.exists() else None for file in files
    ]


class VerifierContract:
    """Fixtures to give: ``verifier``, and ``good`` and ``bad``, collected outputs."""

    async def test_what_is_good_passes(self, verifier: Verifier, good: Output) -> None:
        notes = await verifier.verify(item_of(), [good])
        assert isinstance(notes, tuple)
        assert all(isinstance(note, str) for note in notes)

    async def test_what_is_bad_fails_by_name(
        self, verifier: Verifier, good: Output, bad: Output
    ) -> None:
        with pytest.raises(VerificationFailed) as failed:
            await verifier.verify(item_of(), [good, bad])
        assert str(bad.path) in str(failed.value)

    async def test_nothing_is_changed(self, verifier: Verifier, good: Output, bad: Output) -> None:
        before = stats([good, bad])
        with pytest.raises(VerificationFailed):
            await verifier.verify(item_of(), [bad, good])
        assert stats([good, bad]) == before

    async def test_what_was_not_collected_is_not_looked_at(self, verifier: Verifier) -> None:
        left = Output("video-0-0", "video", "s3://bucket/key.mp4")
        assert await verifier.verify(item_of(), [left]) == ()
