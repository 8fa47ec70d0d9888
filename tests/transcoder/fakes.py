"""A media half that takes no time: what the HTTP half is tested with."""

import asyncio
import hashlib
from pathlib import Path

from orchestrator.query import EncodeQuery
from orchestrator.transcoder.answers import extension, outline
from orchestrator.transcoder.ports import (
    Encoded,
    Inputs,
    MediaError,
    Member,
    Missed,
    Notice,
    Produced,
    Watcher,
)


class FakeEncoder:
    """ "Encodes" by writing down what it was asked to make of which bytes.

    A source that begins with ``broken`` is refused. Tests hold it half-way with
    ``gate``; ``begun`` is set by each encode, and ``sources`` keeps their digests.
    """

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun = asyncio.Event()
        self.landed = asyncio.Semaphore(0)
        self.sources: list[str] = []
        self.cancelled = 0
        self.running = 0
        self.most_running = 0
        self.error: Exception | None = None
        #: How many encodes ``error`` ends; None: all.
        self.errors: int | None = None
        #: Outputs that fail softly, by their index, with the reason.
        self.missed: dict[int, str] = {}
        #: Whether outputs of several files land before they are whole.
        self.landing = False
        self.inputs: list[Inputs] = []

    async def encode(
        self,
        query: EncodeQuery,
        inputs: Inputs,
        folder: Path,
        watcher: Watcher,
    ) -> Encoded:
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            return await self._encode(query, inputs, folder, watcher)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1

    async def _encode(
        self,
        query: EncodeQuery,
        inputs: Inputs,
        folder: Path,
        watcher: Watcher,
    ) -> Encoded:
        self.inputs.append(inputs)
        data = inputs.sources[0].path.read_bytes()
        self.sources.append(hashlib.sha256(data).hexdigest())
        records = outline(query)
        watcher.progress({record["tag"]: 25.0 for record in records})
        self.begun.set()
        await self.gate.wait()
        if self.error is not None and self.errors != 0:
            self.errors = None if self.errors is None else self.errors - 1
            raise self.error
        if data.startswith(b"broken"):
            raise MediaError("the source holds no video")
        made = []
        for index, wanted in enumerate(query.format):
            if index in self.missed:
                continue
            own = [record for record in records if record["index"] == index]
            if wanted.output == "advanced_hls":
                made.append(await self._ladder(own, folder, watcher))
            else:
                made.append(_make(wanted, own[0]["tag"], index, folder, data))
        missed = tuple(
            Missed(next(each["tag"] for each in records if each["index"] == index), index, reason)
            for index, reason in self.missed.items()
        )
        return Encoded(tuple(made), 12.5, (Notice("a warning"),), missed)

    async def _ladder(self, records, folder: Path, watcher: Watcher) -> Produced:
        """A stream after the other; the playlist names those that are there."""
        index = records[0]["index"]
        path = folder / f"ladder-{index}"
        path.mkdir()
        for number in range(1, len(records) + 1):
            (path / f"{number}.ts").write_bytes(b"segment" * number)
            names = "".join(f"{each}.ts\n" for each in range(1, number + 1))
            (path / "playlist.m3u8").write_text(f"#EXTM3U\n{names}", encoding="ascii")
            made = Produced(
                tag=f"video-0-{index}",
                kind="video",
                output="advanced_hls",
                format_index=index,
                path=path,
                entry="playlist.m3u8",
                members=tuple(
                    Member(each["tag"], "video", each["user_tag"], size=7, meta={"width": 320})
                    for each in records[:number]
                ),
                facts={"rungs": number},
            )
            if self.landing:
                await watcher.landed(made)
                self.landed.release()
                await self.gate.wait()
        return made


def _make(wanted, tag: str, index: int, folder: Path, data: bytes) -> Produced:
    body = f"{wanted.output} of {len(data)} bytes\n".encode()
    path, entry = folder / f"{index}.{extension(wanted)}", None
    if wanted.output == "thumbnails":
        path, entry = folder / str(index), "thumbnails.vtt"
        path.mkdir()
        (path / "1.png").write_bytes(body)
        (path / "thumbnails.vtt").write_text("WEBVTT\n", encoding="ascii")
    else:
        path.write_bytes(body)
    return Produced(
        tag=tag,
        kind={"v": "video", "i": "image", "t": "text"}[tag[0]],
        output=wanted.output,
        format_index=index,
        path=path,
        user_tag=wanted.tag,
        entry=entry,
        size=len(body),
        duration=12.5 if wanted.output == "mp4" else None,
        bitrate=800 if wanted.output == "mp4" else None,
        meta={"width": 320},
    )
