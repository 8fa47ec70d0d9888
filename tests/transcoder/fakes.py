"""A media half that takes no time: what the HTTP half is tested with."""

import asyncio
import hashlib
from pathlib import Path

from orchestrator.query import EncodeQuery
from orchestrator.transcoder.answers import extension, outline
from orchestrator.transcoder.ports import Encoded, Inputs, MediaError, Notice, Produced, Watcher


class FakeEncoder:
    """ "Encodes" by writing down what it was asked to make of which bytes.

    A source that begins with ``broken`` is refused. Tests hold it half-way with
    ``gate``; ``begun`` is set by each encode, and ``sources`` keeps their digests.
    """

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun = asyncio.Event()
        self.sources: list[str] = []
        self.cancelled = 0
        self.running = 0
        self.most_running = 0
        self.error: Exception | None = None

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
        data = inputs.sources[0].path.read_bytes()
        self.sources.append(hashlib.sha256(data).hexdigest())
        tags = [record["tag"] for record in outline(query)]
        watcher.progress(dict.fromkeys(tags, 25.0))
        self.begun.set()
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        if data.startswith(b"broken"):
            raise MediaError("the source holds no video")
        made = [
            _make(wanted, tag, index, folder, data)
            for index, (wanted, tag) in enumerate(zip(query.format, tags, strict=True))
        ]
        return Encoded(tuple(made), duration=12.5, warnings=(Notice("a warning"),))


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
