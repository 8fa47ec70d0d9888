"""Checks of HLS and DASH: every file that the manifests name, every rendition of the ladder."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.model.errors import OutputMissing
from orchestrator.model.items import Item, Output
from orchestrator.query.expected import Expected
from orchestrator.services.collect import further_masters
from orchestrator.services.folder_output import name_of
from orchestrator.services.streaming import Contents, Home, Named, Rendition, look_into
from orchestrator.services.verify.media import NOBODY_SAYS, MediaCheck, check_codecs, near
from orchestrator.services.verify.probing import Found, Prober, Unreadable
from orchestrator.services.verify.reading import check_there, joined, read, wrong

_PROTECTED = "it is protected: only its files and their lengths were verified, not what is in them"

#: What plays beside a ladder: its files are verified, and no more.
_BESIDE = frozenset({"i-frames", "subtitle"})


@dataclass(frozen=True, slots=True)
class Ladder:
    """A collected output for streaming. ``streams`` are what the service told of it."""

    folder: Path
    streams: Sequence[Output]
    contents: Contents

    @property
    def master(self) -> Path:
        """The file that players open."""
        return self.folder / name_of(self.streams[0])

    def paths(self, files: Sequence[Named]) -> list[Path]:
        """Where these are on the disk."""
        return [self.folder / file.path for file in files]

    def list_of(self, made: Rendition) -> Path:
        """What names a rendition's files, to speak of it."""
        return self.folder / made.name


async def open_ladder(
    folder: Path, streams: Sequence[Output], expected: Expected | None
) -> tuple[Ladder, int]:
    """What lies in ``folder``, and how many bytes it has.

    Raises ``VerificationFailed`` where a file is missing, empty, or can't be understood.
    """

    async def bytes_of(named: Named) -> bytes:
        path = folder / named.path
        return await read(path, path.read_bytes)

    try:
        home = Home(streams[0].url)
        contents = await look_into(home, further_masters(streams[0], expected), bytes_of)
    except OutputMissing as error:
        master = folder / name_of(streams[0])
        raise wrong(master, "playlists that name their files", str(error)) from error
    ladder = Ladder(folder, streams, contents)
    files = ladder.paths([*contents.files, *(named for named, _ in contents.lists)])
    return ladder, await read(ladder.master, lambda: check_there(files))


class LadderCheck:
    """``decode`` decodes every rendition whole."""

    def __init__(self, prober: Prober, media: MediaCheck, *, decode: bool) -> None:
        self._prober, self._media, self._decode = prober, media, decode

    async def __call__(
        self, item: Item, ladder: Ladder, expected: Sequence[Expected]
    ) -> tuple[str, ...]:
        """What could not be proven. ``expected`` is what each stream should be.

        Raises ``VerificationFailed``, ``Transient``.
        """
        playing = [each for each in ladder.contents.renditions if each.kind not in _BESIDE]
        for each in ladder.contents.renditions:
            if not each.ended:
                raise wrong(
                    ladder.list_of(each), "a finished playlist", "#EXT-X-ENDLIST is missing"
                )
        found = [(each, await self._look(ladder, each)) for each in playing]
        notes = await self._check_lengths(item, ladder, playing, expected[0])
        await self._check_rungs(item, ladder, found, expected)
        if self._decode:
            await self._check_decodes(ladder, playing)
        return (*notes, _PROTECTED) if any(each.protected for each in playing) else notes

    async def _look(self, ladder: Ladder, made: Rendition) -> Found:
        """What the first segment holds: the same as all of them."""
        if made.protected:
            return Found(frozenset({made.kind or "video"}), made.seconds, shown=made.frame)
        files = ladder.paths((*made.heads, made.media[0]))
        about = ladder.list_of(made)
        try:
            async with joined(files) as head:
                found = await self._prober.probe(head)
        except Unreadable as error:
            raise wrong(files[-1], f"a segment of {about.name}", str(error)) from error
        frames = [each for each in (found.frame, found.shown) if each]
        if made.frame and found.frame and not any(near(each, made.frame) for each in frames):
            told = f"{made.frame[0]}x{made.frame[1]}, as its playlist says"
            raise wrong(about, told, f"it is {found.frame[0]}x{found.frame[1]}")
        return found

    async def _check_lengths(
        self, item: Item, ladder: Ladder, playing: Sequence[Rendition], expected: Expected
    ) -> tuple[str, ...]:
        """All are as long as the source."""
        seconds = await self._media.seconds(item, ladder.streams[0], expected)
        told = [each for each in playing if each.seconds is not None]
        if not seconds or not told:
            return (NOBODY_SAYS,)
        for each in told:
            self._media.check_length(ladder.list_of(each), seconds, each.seconds or 0.0)
        return ()

    async def _check_rungs(
        self,
        item: Item,
        ladder: Ladder,
        found: Sequence[tuple[Rendition, Found]],
        expected: Sequence[Expected],
    ) -> None:
        """Each stream that the service told of has a rendition that is what was asked for."""
        sounds = any("audio" in each.streams for _, each in found)
        left = _rungs(found, expected[0])
        if len(left) < len(expected):
            count = f"{len(expected)} renditions, as the service told"
            raise wrong(ladder.master, count, f"there are {len(left)}")
        for wanted, (made, has) in _paired(expected, left):
            about = ladder.list_of(made)
            if not made.protected:
                beside = has.streams | {"audio"} if sounds else has.streams
                await self._media.check_streams(item, about, wanted, replace(has, streams=beside))
            await self._media.check_frame(item, about, wanted, has)
            check_codecs(about, wanted, replace(has, sound=_sound(wanted, has, found)))

    async def _check_decodes(self, ladder: Ladder, playing: Sequence[Rendition]) -> None:
        for each in playing:
            if each.protected:
                continue
            heads, media = ladder.paths(each.heads), ladder.paths(each.media)
            if complaint := await self._prober.decode_joined(heads, media):
                decodes = "a rendition that decodes without errors"
                raise wrong(ladder.list_of(each), decodes, complaint)


def _rungs(
    found: Sequence[tuple[Rendition, Found]], expected: Expected
) -> list[tuple[Rendition, Found]]:
    """The renditions that the streams of the query became; the others go with them."""
    kind = "audio" if expected.streams == {"audio"} else "video"
    return [(made, has) for made, has in found if kind in has.streams]


def _sound(wanted: Expected, has: Found, found: Sequence[tuple[Rendition, Found]]) -> str:
    """The codec of what is heard with a rendition: its own, else the one beside it."""
    beside = [each.sound for _, each in found if each.sound]
    if has.sound or not beside:
        return has.sound
    return wanted.sound if wanted.sound in beside else beside[0]


def _fits(wanted: Expected, has: Found) -> bool:
    frame = wanted.frame is None or (has.frame is not None and near(has.frame, wanted.frame))
    return frame and (not wanted.picture or not has.picture or has.picture == wanted.picture)


def _paired(
    expected: Sequence[Expected], found: Sequence[tuple[Rendition, Found]]
) -> Iterator[tuple[Expected, tuple[Rendition, Found]]]:
    """Each stream with the rendition that is as asked for, the rest with what is left."""
    left = list(found)
    rest: list[Expected] = []
    for wanted in sorted(expected, key=lambda each: each.frame is None):
        at = next((place for place, (_, has) in enumerate(left) if _fits(wanted, has)), None)
        if at is None:
            rest.append(wanted)
        else:
            yield wanted, left.pop(at)
    yield from zip(rest, left, strict=False)
