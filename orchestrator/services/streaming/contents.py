"""What an output for streaming is made of, by its own playlists and manifests.

The same walk serves collecting, which reads them from the service, and
verification, which reads what was collected.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from orchestrator.model.errors import OutputMissing
from orchestrator.services.streaming.dash import Representation, read_mpd
from orchestrator.services.streaming.hls import Listed, Master, Media, read_playlist
from orchestrator.services.streaming.home import Home, Named

#: Reads a small file of the output. Its errors are the caller's own.
Read = Callable[[Named], Awaitable[bytes]]

#: A ladder of hundreds of renditions is no ladder.
_MOST_PLAYLISTS = 1000


@dataclass(frozen=True, slots=True)
class Rendition:
    """One choice of a player's: a picture, a sound, a text, or a picture's I-frames.

    ``kind`` is ffprobe's word (``video``, ``audio``, ``subtitle``), ``i-frames``, or
    "" where nobody says. ``heads`` come before ``media`` and hold none. ``frame``
    is width and height, ``seconds`` the length that its playlist tells, both None
    where it does not. ``ended``: nothing will be added.
    """

    name: str
    kind: str
    frame: tuple[int, int] | None
    heads: tuple[Named, ...]
    media: tuple[Named, ...]
    seconds: float | None
    protected: bool = False
    ended: bool = True

    @property
    def files(self) -> tuple[Named, ...]:
        """All that it takes to play it, in order."""
        return (*self.heads, *self.media)


@dataclass(frozen=True, slots=True)
class Contents:
    """``lists`` are playlists and manifests as read, each behind those that it names."""

    lists: tuple[tuple[Named, bytes], ...]
    renditions: tuple[Rendition, ...]

    @property
    def files(self) -> tuple[Named, ...]:
        """Everything but the lists, each file once."""
        found = {file.path: file for each in self.renditions for file in each.files}
        return tuple(found.values())


async def look_into(home: Home, beside: Sequence[str], read: Read) -> Contents:
    """What the output consists of that begins with ``home.entry``.

    ``beside`` are names of further master playlists in the folder (CMAF has one of
    each kind). Keys are not part of an output, and not looked at. Raises
    ``OutputMissing`` where a list can't be understood or leads out of the folder.
    """
    walk = _Walk(home, read)
    found: list[Rendition] = []
    for master in (*map(home.beside, beside), home.entry):
        if master.path not in walk.lists:
            found += await walk.master(master)
    contents = Contents(tuple(walk.lists.values()), _each_once(found))
    for file in contents.files:
        if file.path in walk.lists:
            raise OutputMissing(f"{file.path} names itself, or another playlist, as a segment")
    return contents


def _each_once(found: Sequence[Rendition]) -> tuple[Rendition, ...]:
    """Of one rendition in two manifests (CMAF) the one of which more is known."""
    best: dict[tuple[object, ...], Rendition] = {}
    for each in found:
        key = (each.kind == "i-frames", *(file.path for file in each.media))
        known = best.get(key)
        if known is None or (known.seconds is None and each.seconds is not None):
            best[key] = each
    return tuple(best.values())


class _Walk:
    """``lists`` fills in the order in which the files may be put into their places."""

    def __init__(self, home: Home, read: Read) -> None:
        self._home, self._read = home, read
        self.lists: dict[object, tuple[Named, bytes]] = {}

    async def master(self, master: Named) -> list[Rendition]:
        data = await self._read(master)
        if master.path.suffix.lower() == ".mpd":
            # In a thread, as all that may take long: a line can stand for a day of segments.
            found = await asyncio.to_thread(_of_mpd, self._home, master, data)
        else:
            found = await self._of_hls(master, data)
        self.lists[master.path] = (master, data)
        return found

    async def _of_hls(self, master: Named, data: bytes) -> list[Rendition]:
        told = _understood(master, data)
        if isinstance(told, Media):
            return [_of_playlist(self._home, master, Listed("", ""), told)]
        if len(told.listed) > _MOST_PLAYLISTS:
            raise OutputMissing(f"{master.path} names too many playlists")
        found = []
        for listed in told.listed:
            named = self._home.named(listed.uri, master)
            if named.path == master.path:
                raise OutputMissing(f"{master.path} names itself as a media playlist")
            if named.path in self.lists:
                continue
            body = await self._read(named)
            media = _understood(named, body)
            if isinstance(media, Master):
                raise OutputMissing(f"{named.path} should be a media playlist and is a master")
            found.append(await asyncio.to_thread(_of_playlist, self._home, named, listed, media))
            self.lists[named.path] = (named, body)
        return found


def _understood(named: Named, data: bytes) -> Master | Media:
    try:
        return read_playlist(data)
    except OutputMissing as error:
        raise OutputMissing(f"{named.path}: {error}") from error


def _of_playlist(home: Home, playlist: Named, listed: Listed, media: Media) -> Rendition:
    named = [(uri, home.named(uri, playlist)) for uri in media.files]
    return Rendition(
        name=str(playlist.path),
        kind=listed.kind,
        frame=listed.frame,
        heads=tuple(file for uri, file in named if uri in media.heads),
        media=tuple(file for uri, file in named if uri not in media.heads),
        seconds=media.seconds,
        protected=media.protected,
        ended=media.ended,
    )


def _of_mpd(home: Home, manifest: Named, data: bytes) -> list[Rendition]:
    try:
        found = read_mpd(data, manifest.url)
    except OutputMissing as error:
        raise OutputMissing(f"{manifest.path}: {error}") from error
    return [_of_representation(home, manifest, each) for each in found]


def _of_representation(home: Home, manifest: Named, each: Representation) -> Rendition:
    return Rendition(
        name=f"{manifest.path} ({each.name})",
        kind=each.kind,
        frame=each.frame,
        heads=tuple(home.named(url, manifest) for url in each.heads),
        media=tuple(home.named(url, manifest) for url in each.media),
        seconds=each.seconds,
        protected=each.protected,
    )
