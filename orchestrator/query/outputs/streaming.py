"""Outputs that players choose a stream of: HLS and DASH.

The documents have what is encoded on each stream, and how it is packaged on
the format.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from orchestrator.query import sound, video
from orchestrator.query.codec import VideoCodec
from orchestrator.query.destination import StoredFolder
from orchestrator.query.frame import Frame
from orchestrator.query.outputs.common import Captioned, Clip, Tagged, Wanted
from orchestrator.query.outputs.videos import WebmCodec, WebmSound
from orchestrator.query.places import FileName, as_file_name
from orchestrator.query.protection import CencDrm, Protected
from orchestrator.query.sound import AudioCodec, Sound
from orchestrator.query.values import Flag, Whole, as_text, as_whole, refuse
from orchestrator.query.video import Video

#: Attributes that the documents do not move to the streams: on a format they
#: hold for each of its streams that does not say otherwise.
FOR_ALL_STREAMS: Final = frozenset(
    {"resize_mode", "framerate_limit", "hdr_to_sdr", "deinterlace", "audio_pan"}
    | {"optimize_bitrate", "min_crf", "max_crf", "adjust_crf"}
)

_LONGEST_TAG = 255
_LONGEST_SEGMENT = 300

StreamingSound = Annotated[Literal["aac", "libfdk_aac"], sound.CODEC]


class Stream(Frame, Video, Sound, Tagged):
    """One rendition of a streaming output: its picture and its sound."""

    video_codec: Annotated[VideoCodec, video.CODEC] = "libx264"
    audio_codec: Annotated[AudioCodec, sound.CODEC] = "aac"
    chunklist_name: FileName | None = None


class Mp4Stream(Stream):
    """One rendition in MPEG-TS or fragmented MP4."""

    video_codec: Annotated[Literal["libx264", "libx265", "libsvtav1"], video.CODEC] = "libx264"
    audio_codec: StreamingSound = "aac"


class WebmStream(Stream):
    """One rendition in WebM."""

    video_codec: WebmCodec = "libvpx-vp9"
    audio_codec: WebmSound = "libopus"


class AudioStream(Sound, Tagged):
    """One rendition of sound alone."""

    audio_codec: StreamingSound = "aac"
    chunklist_name: FileName | None = None


def _name_ending(suffix: str) -> BeforeValidator:
    def read(value: object) -> str:
        name = as_file_name(value)
        if not name.lower().endswith(suffix) or len(name) == len(suffix):
            raise refuse(f"is no name of a {suffix} file", f'write it as in "master{suffix}"')
        return name

    return BeforeValidator(read)


#: The documents' name for a master playlist of HLS.
HLS_NAME: Final = "playlist.m3u8"

HlsName = Annotated[str, _name_ending(".m3u8")]
DashName = Annotated[str, _name_ending(".mpd")]


def _incremental(value: object) -> str:
    text = as_text(value)
    if not text.strip() or len(text) > _LONGEST_TAG or not text.isprintable():
        hint = 'write "auto", or the tag of the jobs before'
        raise refuse(f"must be a line of at most {_LONGEST_TAG} characters", hint)
    return text


class Streaming(Clip, StoredFolder, Wanted):
    """What HLS and DASH outputs have in common; ``segment_duration`` is in seconds."""

    segment_duration: Annotated[Whole, Field(ge=1, le=_LONGEST_SEGMENT)] = 9
    incremental_tag: Annotated[str, BeforeValidator(_incremental)] | None = None
    packager_version: Annotated[Literal[1, 2], BeforeValidator(as_whole)] = 1
    playlist_name: FileName

    @property
    def tag(self) -> None:
        """The documents have tags on the streams."""

    @property
    def playlists(self) -> tuple[str, ...]:
        """The names of the master playlists."""
        return (self.playlist_name,)

    @model_validator(mode="before")
    @classmethod
    def _share_with_streams(cls, sent: Any) -> Any:
        if not isinstance(sent, Mapping):
            return sent
        known = cls.model_fields["stream"].annotation
        shared = {
            name: value
            for name, value in sent.items()
            if name in FOR_ALL_STREAMS and value is not None and name in _names_in(known)
        }
        streams = sent.get("stream")
        if not shared or not (streams is None or isinstance(streams, list | tuple)):
            return sent
        rest = {name: value for name, value in sent.items() if name not in shared}
        rest["stream"] = [
            {**shared, **each} if isinstance(each, Mapping) else each
            for each in (streams if streams is not None else [{}])
        ]
        return rest

    @model_validator(mode="after")
    def _destination_is_a_folder(self) -> Self:
        for each in self.destination:
            if each.url.lower().endswith((".m3u8", ".mpd")):
                hint = "write the folder; playlist_name names the playlist"
                raise refuse("names a file where many are stored", hint, field="destination")
        return self


def _names_in(annotation: Any) -> frozenset[str]:
    """The attributes of the streams that an annotation ``tuple[X, ...]`` is made of."""
    return frozenset(annotation.__args__[0].model_fields)


class _Hls(Streaming, Protected):
    """``single_folder`` puts all files into one folder, not one for each stream."""

    playlist_name: HlsName = HLS_NAME
    fmp4: Flag = False
    single_folder: Flag = False


class AdvancedHls(_Hls, Captioned):
    """An HLS output: a master playlist and a rendition for each stream.

    ``fmp4`` makes segments of fragmented MP4 in place of MPEG-TS. With
    ``separate_audio`` the sound is a rendition of its own.
    """

    output: Literal["advanced_hls"]
    stream: Annotated[tuple[Mp4Stream, ...], Field(min_length=1)] = (Mp4Stream(),)
    i_frames_only: Flag = False
    separate_audio: Flag = True

    @model_validator(mode="after")
    def _segments_hold_the_codec(self) -> Self:
        for place, stream in enumerate(self.stream):
            if stream.video_codec == "libsvtav1" and not self.fmp4:
                field = f"stream[{place}].video_codec"
                raise refuse("AV1 does not fit into MPEG-TS", "set fmp4 to 1", field=field)
        return self

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        if self.single_folder:
            _refuse_twice((each.chunklist_name for each in self.stream), self.playlist_name)
        return self


class HlsAudio(_Hls):
    """An HLS output of sound alone."""

    output: Literal["hls_audio"]
    stream: Annotated[tuple[AudioStream, ...], Field(min_length=1)] = (AudioStream(),)

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        if self.single_folder:
            _refuse_twice((each.chunklist_name for each in self.stream), self.playlist_name)
        return self


class _Dash(Streaming, Captioned):
    playlist_name: DashName = "playlist.mpd"


class AdvancedDash(_Dash):
    """A DASH output in fragmented MP4.

    ``create_m3u8_playlist`` adds HLS playlists of the same segments (CMAF).
    """

    output: Literal["advanced_dash"]
    stream: Annotated[tuple[Mp4Stream, ...], Field(min_length=1)] = (Mp4Stream(),)
    create_m3u8_playlist: Flag = False
    cenc_drm: CencDrm | None = None

    @property
    def playlists(self) -> tuple[str, ...]:
        """The names of the master playlists, DASH's first."""
        return (self.playlist_name, HLS_NAME) if self.create_m3u8_playlist else super().playlists


class WebmDash(_Dash):
    """A DASH output in WebM."""

    output: Literal["webm_dash"]
    stream: Annotated[tuple[WebmStream, ...], Field(min_length=1)] = (WebmStream(),)


def _refuse_twice(names: Iterable[str | None], master: str) -> None:
    """Two playlists of one folder can't have one name."""
    taken = {master}
    for place, name in enumerate(names):
        if name in taken:
            field = f"stream[{place}].chunklist_name"
            raise refuse("is the name of another playlist", "give it its own", field=field)
        if name is not None:
            taken.add(name)
