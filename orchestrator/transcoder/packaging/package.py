"""Packaging an output: each track becomes a rendition on disk, all by itself."""

import asyncio
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from orchestrator.transcoder.packaging import hls
from orchestrator.transcoder.packaging.aes import encrypt_file
from orchestrator.transcoder.packaging.cutting import TS_START_MS, Cut, cut
from orchestrator.transcoder.packaging.joined import Joiner
from orchestrator.transcoder.packaging.packager import Packager
from orchestrator.transcoder.packaging.packing import Aes128, Packing
from orchestrator.transcoder.packaging.places import Names, Places
from orchestrator.transcoder.packaging.rendition import Hdr, Rendition, Segment, Track
from orchestrator.transcoder.packaging.subtitles import Text, read_text
from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.probe import probe
from orchestrator.transcoder.streams import Probe
from orchestrator.transcoder.toolchain import Toolchain

_INPUT = "in"
#: What Shaka Packager puts into transport streams (names of ffprobe).
_TS_BY_PACKAGER = frozenset({"h264", "aac", "ac3", "eac3"})
_IN_TS = _TS_BY_PACKAGER | {"hevc", "mp3"}
_MP3 = "mp4a.40.34"
#: ffprobe's words for transfer curves.
_HDR: dict[str, Hdr] = {"smpte2084": "PQ", "arib-std-b67": "HLG"}


class Packaging:
    """Packages the renditions of one output into ``folder``, several at a time if wanted.

    ``limit`` is in seconds, for each run of a program. No file of a rendition is
    in its place before all of them are made; the master manifest is not written
    here (``write_manifests``).
    """

    def __init__(
        self, toolchain: Toolchain, packing: Packing, folder: Path, *, limit: float = 3600.0
    ) -> None:
        self._toolchain, self._packing, self._folder = toolchain, packing, folder
        self._packager = Packager(toolchain.packager, limit)
        self._joiner = Joiner(toolchain, limit)
        self._taken: set[str] = set()

    async def add(self, track: Track) -> Rendition:
        """Cut, protect and describe one track. Raises ``MediaError``.

        When it fails or is cancelled, no process and no file of it is left.
        """
        places = Places.of(track, self._packing)
        self._claim(places)
        work = Path(await asyncio.to_thread(_work_folder, self._folder))
        try:
            if track.kind == "text":
                made = await asyncio.to_thread(self._text, track, places, work)
            else:
                made = await self._media(track, places, work)
            return await asyncio.to_thread(self._settle, made, work)
        except BaseException as error:
            self._taken.discard(places.key)
            if isinstance(error, OSError):
                reason = error.strerror or "a file error"
                raise MediaError(f"packaging failed: {reason}") from error
            raise
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def keep(self, made: Rendition) -> None:
        """A rendition that lies at the output's place already: no file of it is written over."""
        self._taken.add(f"{made.folder}/{made.media.partition('_$Number$')[0]}")

    def _claim(self, places: Places) -> None:
        masters = (self._packing.hls, self._packing.dash)
        if places.key in self._taken or (not places.folder and places.playlist in masters):
            raise MediaError("chunklist_name: two renditions of the output have the same name")
        self._taken.add(places.key)

    async def _media(self, track: Track, places: Places, work: Path) -> Rendition:
        found = await self._look(track)
        made, codecs = await self._cut(track, places.names, work, found)
        if isinstance(self._packing.protection, Aes128):
            made = await asyncio.to_thread(_encrypted, work, made, self._packing.protection)
        base = replace(
            self._facts(track, places, made.segments, made.timescale),
            codecs=codecs,
            init=made.init,
            i_frames=made.i_frames,
            i_playlist=places.i_playlist if made.i_frames else None,
        )
        return _with_picture(base, found) if track.kind == "video" else _with_sound(base, found)

    def _facts(
        self, track: Track, places: Places, segments: tuple[Segment, ...], timescale: int
    ) -> Rendition:
        """What holds for all kinds."""
        return Rendition(
            kind=track.kind,
            name=places.name,
            folder=places.folder,
            format=places.names.format,
            codecs=(),
            timescale=timescale,
            media=places.names.media,
            segments=segments,
            playlist=places.playlist if self._packing.hls else None,
            group=track.group,
            language=track.language,
            title=track.title,
            default=track.default,
            rung=track.rung,
        )

    async def _look(self, track: Track) -> Probe:
        found = await probe(self._toolchain, track.path)
        if not (found.video if track.kind == "video" else found.audio):
            raise MediaError(f"packaging failed: there is no {track.kind} in the encoded file")
        return found

    async def _cut(
        self, track: Track, names: Names, work: Path, found: Probe
    ) -> tuple[Cut, tuple[str, ...]]:
        """The segments, and their codecs as in RFC 6381."""
        codec = found.video[0].codec if track.kind == "video" else found.audio[0].codec
        i_frames = self._packing.i_frames_only and track.kind == "video" and bool(self._packing.hls)
        codecs = [await self._codec(track.path, codec, names, work)]
        if track.sound is None and not _needs_joiner(codec, names):
            made = await cut(self._packager, work, _INPUT, names, self._packing, i_frames=i_frames)
            return made, tuple(codecs)
        self._check_joined(names)
        inputs = [(track.path, "v" if track.kind == "video" else "a")]
        if track.sound is not None:
            inputs.append((track.sound, "a"))
            sound = (await probe(self._toolchain, track.sound)).audio
            codecs.append(await self._codec(track.sound, sound[0].codec, names, work))
        made = await self._joiner.cut(work, inputs, names, self._packing.segment_duration)
        if i_frames:
            made = replace(made, i_frames=await self._joiner.i_frames(work, made))
        return made, tuple(codecs)

    def _check_joined(self, names: Names) -> None:
        if self._packing.dash is not None or names.format == "webm":
            raise MediaError("DASH keeps every stream apart, and takes no mp3: use aac")
        if self._packing.protection and not isinstance(self._packing.protection, Aes128):
            raise MediaError(
                "cenc_drm and fps_drm need separate_audio 1, and in TS segments H.264 with AAC"
            )

    async def _codec(self, path: Path, codec: str, names: Names, work: Path) -> str:
        if names.format == "ts" and codec not in _IN_TS:
            raise MediaError(f"TS segments can't hold {codec}: set fmp4 to 1")
        if codec == "mp3":
            return _MP3
        await asyncio.to_thread(_link, path, work / _INPUT)
        info = await self._packager.info(work, _INPUT)
        return _plain_codec(info.get("codec_string", codec))

    def _text(self, track: Track, places: Places, work: Path) -> Rendition:
        """A text in segments for HLS, in one file for DASH. Blocks."""
        content = track.path.read_text(encoding="utf-8-sig", errors="replace")
        text = read_text(content)
        seconds = track.duration or text.seconds or self._packing.segment_duration
        whole = f"{places.names.stem}.vtt" if self._packing.dash else None
        if whole:
            (work / whole).write_text(content, encoding="utf-8")
        segments = (
            self._text_segments(text, seconds, places.names, work)
            if self._packing.hls
            else (Segment(str(whole), 0, round(seconds * 1000), len(content.encode())),)
        )
        return replace(self._facts(track, places, segments, 1000), whole=whole)

    def _text_segments(
        self, text: Text, seconds: float, names: Names, work: Path
    ) -> tuple[Segment, ...]:
        ticks = TS_START_MS * 90 if self._packing.segments == "ts" else 0
        start = 0
        made: list[Segment] = []
        pieces = text.pieces(self._packing.segment_duration, seconds, ticks)
        for number, (length, content) in enumerate(pieces, 1):
            path = work / names.segment(number)
            path.write_text(content, encoding="utf-8")
            size = path.stat().st_size
            if isinstance(self._packing.protection, Aes128):
                size = encrypt_file(path, self._packing.protection)
            made.append(Segment(path.name, start, round(length * 1000), size))
            start += made[-1].duration
        return tuple(made)

    def _settle(self, made: Rendition, work: Path) -> Rendition:
        """Write the playlists, and put everything in its place, playlists last. Blocks."""
        target = self._folder / made.folder
        target.mkdir(parents=True, exist_ok=True)
        files = [each.file for each in made.segments]
        files += [name for name in (made.init, made.whole) if name and name not in files]
        if made.playlist:
            text = hls.media_playlist(made, self._packing.protection)
            (work / made.playlist).write_text(text, encoding="utf-8")
            files.append(made.playlist)
        if made.i_playlist:
            text = hls.i_frame_playlist(made, self._packing.protection)
            (work / made.i_playlist).write_text(text, encoding="utf-8")
            files.append(made.i_playlist)
        for file in files:
            (work / file).replace(target / file)
        return made


def _work_folder(folder: Path) -> str:
    """On the same disk as the output, so that files move there in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    return tempfile.mkdtemp(prefix=".packing-", dir=folder)


def _link(path: Path, link: Path) -> None:
    """A name of ours for a file, whatever signs its path has."""
    link.unlink(missing_ok=True)
    link.symlink_to(path.absolute())


def _needs_joiner(codec: str, names: Names) -> bool:
    return codec == "mp3" or (names.format == "ts" and codec not in _TS_BY_PACKAGER)


def _plain_codec(codec: str) -> str:
    """VP8 has no profiles: ``vp8`` is all that players know."""
    return "vp8" if codec.startswith("vp08") else codec


def _encrypted(work: Path, made: Cut, protection: Aes128) -> Cut:
    """Every segment encrypted; the initialization section stays clear, as the playlist says."""
    segments = tuple(
        replace(each, size=encrypt_file(work / each.file, protection)) for each in made.segments
    )
    return replace(made, segments=segments)


def _with_picture(made: Rendition, found: Probe) -> Rendition:
    video = found.video[0]
    return replace(
        made,
        width=video.width,
        height=video.height,
        rate=str(video.rate) if video.rate else None,
        sar=f"{video.sar.numerator}:{video.sar.denominator}",
        hdr=_HDR.get(video.color_trc),
    )


def _with_sound(made: Rendition, found: Probe) -> Rendition:
    return replace(made, channels=found.audio[0].channels, sampling=found.audio[0].rate)
