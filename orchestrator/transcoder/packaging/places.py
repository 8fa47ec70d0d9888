"""Where the files of a rendition go, and how they are called."""

from dataclasses import dataclass

from orchestrator.transcoder.packaging.packing import Packing
from orchestrator.transcoder.packaging.rendition import Format, Track

_EXTENSION: dict[Format, str] = {"ts": ".ts", "mp4": ".m4s", "webm": ".webm", "vtt": ".vtt"}


@dataclass(frozen=True, slots=True)
class Names:
    """How a rendition's files are called: ``stem_1.m4s``, ``stem_init.mp4``."""

    stem: str
    format: Format

    @property
    def media(self) -> str:
        return f"{self.stem}_$Number${_EXTENSION[self.format]}"

    @property
    def init(self) -> str | None:
        extension = {"mp4": ".mp4", "webm": ".webm"}.get(self.format)
        return f"{self.stem}_init{extension}" if extension else None

    def segment(self, number: int) -> str:
        """A segment's file name; they count from 1."""
        return self.media.replace("$Number$", str(number))


@dataclass(frozen=True, slots=True)
class Places:
    """Where a rendition's files go, and how they are called."""

    name: str
    folder: str
    names: Names
    playlist: str
    i_playlist: str

    @property
    def key(self) -> str:
        """What no two renditions may share."""
        return f"{self.folder}/{self.names.stem}"

    @classmethod
    def of(cls, track: Track, packing: Packing) -> "Places":
        name = f"{track.kind}_{track.number}"
        stem = name if packing.single_folder else "segment"
        playlist = f"{name}.m3u8" if packing.single_folder else "chunklist.m3u8"
        if track.chunklist_name is not None:
            stem = track.chunklist_name.removesuffix(".m3u8")
            playlist = f"{stem}.m3u8"
        return cls(
            name=name,
            folder="" if packing.single_folder else name,
            names=Names(stem, "vtt" if track.kind == "text" else packing.segments),
            playlist=playlist,
            i_playlist=f"{playlist.removesuffix('.m3u8')}_iframes.m3u8",
        )
