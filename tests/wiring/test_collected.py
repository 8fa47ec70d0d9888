"""From a source to verified outputs, through the transcoder in this process, over HTTP."""

import asyncio
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from orchestrator.config import load_config
from orchestrator.model.errors import VerificationFailed
from orchestrator.model.items import Attempt, Item, Output, Row
from orchestrator.model.ports import Phase, TaskReport
from orchestrator.model.states import State
from orchestrator.query import QencodeRecipe, load_job
from orchestrator.wiring.routes import Route, open_route
from orchestrator.wiring.verification import build_verifier
from tests.media import coded_clip

JOB = """
manifest = "."
[collect]
into = "outputs/{stem}"
verify = "decode"
[[query.format]]
output = "mp4"
height = 48
start_time = 0.5
tag = "small"
[[query.format]]
output = "thumbnail"
image_format = "jpg"
[[query.format]]
output = "thumbnails"
interval = 0.5
tag = "row"
[[query.format]]
output = "metadata"
"""


@dataclass
class Watcher:
    async def created(self, upload_url: str) -> None: ...

    def sent(self, offset: int, total: int) -> None: ...


async def encoded(route: Route, recipe: QencodeRecipe, item: Item) -> tuple[Item, TaskReport]:
    """The item after its encode, and what the service reports of it."""
    attempt = await route.service.prepare(Attempt(1, "local", "", "", started_at=time.time() - 60))
    remote = await route.uploader.upload(Path(item.source or ""), attempt, Watcher())
    item = replace(item, attempt=replace(attempt, remote_source=remote))
    assert item.attempt is not None
    assert item.attempt.task is not None
    await route.service.start(item.attempt, recipe.request(item), None)
    while True:
        report = (await route.service.report([item.attempt.task], None))[item.attempt.task]
        assert report.phase is not Phase.FAULTED, report.fault
        if report.phase is Phase.DONE:
            return item.noting(State.COLLECTING, duration=report.duration), report
        await asyncio.sleep(0.05)


@pytest.mark.timeout(60)
async def test_what_the_transcoder_makes_is_collected_and_verified(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[collect]\nmin_free = "1MiB"\n')
    (tmp_path / "job.toml").write_text(JOB)
    source = coded_clip(tmp_path / "a.mp4", seconds=2, sound=1, size="128x96", rate="10")
    config, job = load_config(tmp_path / "config.toml"), load_job(tmp_path / "job.toml")
    notes: list[str] = []
    verifier = build_verifier(config.collect, job, config.service("local"), notes.append)
    assert verifier is not None
    row = Row("a", str(source), fields={"stem": "a"})
    item = Item(1, row.key, State.PENDING, row.source, fields=row.fields)
    async with open_route(config, "local", job) as route:
        item, report = await encoded(route, QencodeRecipe(job), item)
        assert await route.room.hold(item, report.outputs) is None
        outputs = await route.collector.collect(item, report.outputs, lambda *_: None)
        route.room.let_go(item)
    assert await verifier.verify(item, outputs) == ()
    assert len(outputs) == 4
    small, still = (_collected(outputs, kind) for kind in ("video", "image"))
    await asyncio.to_thread(_swap, small, still)
    with pytest.raises(VerificationFailed):
        await verifier.verify(item, outputs)
    assert notes == []


def _collected(outputs: tuple[Output, ...], kind: str) -> Path:
    paths = (Path(each.path or "") for each in outputs if each.kind == kind)
    return next(path for path in paths if path.is_file())


def _swap(one: Path, other: Path) -> None:
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
