"""The plan of an order: the query's own, with what its formats can't say put right."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from orchestrator.query import AdvancedHls, CodecParameters, Format, Logo, Mp4, Stream, Webm
from orchestrator.transcoder.edge.profile import Overlay, Profile
from orchestrator.transcoder.edge.query import OrderQuery
from orchestrator.transcoder.plan import (
    Material,
    Means,
    Pass,
    Plan,
    Rendition,
    Step,
    compile_softly,
)
from orchestrator.transcoder.plan.containers import CONTAINERS
from orchestrator.transcoder.plan.steps import Chain
from orchestrator.transcoder.ports import MediaError, Missed
from orchestrator.transcoder.streams import Probe

#: What a bitrate that must not be passed aims at; what an encoder's buffer lends it at
#: the beginning goes into the rest, so it is a share of the film's length, in seconds.
_BELOW, _BUFFER = 0.95, 0.05
_LEAST_BUFFER, _MOST_BUFFER = 0.1, 1.0
#: The muxer of a picture alone, by its codec.
_BARE: Final = {"h264": "h264", "hevc": "hevc", "mpeg2video": "mpeg2video"}
#: The bitrates that encoders of MPEG audio and AC-3 take, kbit/s (ISO/IEC 11172-3,
#: table of layer II; ATSC A/52, table 5.18).
_RATES: Final[Mapping[str, tuple[int, ...]]] = {
    "mp2": (64, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    "ac3": (64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640),
}
_PLAIN: Final = ("-map_chapters", "-1")


def compile_order(
    query: OrderQuery, film: Material, means: Means
) -> tuple[Plan, tuple[Missed, ...]]:
    """How to make every file of an order. Raises ``MediaError``."""
    asked = _with_overlays(_restrained(query, film.probe), film, means)
    plan, missed = compile_softly(asked, film, means)
    steps = tuple(_adapted(step, query, film.probe) for step in plan.steps)
    return replace(plan, steps=steps), missed


def overlay_key(overlay: Overlay) -> str:
    """Under which name an overlay's image is among the assets once it has its size."""
    return f"{overlay.url}#{overlay.scale_width}x{overlay.scale_height}"


# --- restrict_bitrate ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Limit:
    """The source's bitrate in kbit/s, and the seconds that an encoder keeps it over."""

    rate: float
    buffer: float

    @classmethod
    def of(cls, probe: Probe) -> "_Limit":
        seconds = (probe.duration or 0.0) * _BUFFER
        return cls(_bitrate(probe), min(max(seconds, _LEAST_BUFFER), _MOST_BUFFER))

    @property
    def aim(self) -> int:
        """What the encoder is told, which keeps what comes out below the rate."""
        return max(1, int(self.rate * _BELOW))

    @property
    def size(self) -> int:
        """The buffer's, in kbit."""
        return max(1, int(self.rate * self.buffer))

    def holds(self, profile: Profile) -> bool:
        """Whether it is what a profile is restricted to."""
        return profile.restrict_bitrate and self.rate < profile.video_bitrate


def _restrained(query: OrderQuery, probe: Probe) -> OrderQuery:
    """With the source's bitrate where a profile wants no more than that."""
    limit = _Limit.of(probe)
    formats = tuple(
        _limited(each, limit) if made.profile and limit.holds(made.profile) else each
        for each, made in zip(query.format, query.made, strict=True)
    )
    return query.model_copy(update={"format": formats})


def _bitrate(probe: Probe) -> float:
    """The picture's kbit/s; where the file does not say, what its sounds leave of the whole."""
    video = probe.video[0] if probe.video else None
    if video is None:
        return float("inf")
    sounds = sum(each.bitrate or 0 for each in probe.audio)
    rate = video.bitrate or max(0, (probe.bitrate or 0) - sounds)
    return rate / 1000 if rate else float("inf")


def _limited(asked: Format, limit: _Limit) -> Format:
    if isinstance(asked, AdvancedHls):
        streams = tuple(each.model_copy(update=_capped(each, limit)) for each in asked.stream)
        return asked.model_copy(update={"stream": streams})
    if isinstance(asked, Mp4 | Webm):
        return asked.model_copy(update=_capped(asked, limit))
    return asked


def _capped(asked: Mp4 | Webm | Stream, limit: _Limit) -> dict[str, Any]:
    unit = 1000 if asked.video_codec == "libx264" else 1  # Mbit/s, or kbit/s
    given = asked.video_codec_parameters or CodecParameters()
    most = {"max_rate": limit.aim / unit, "bufsize": limit.size / unit}
    return {
        "bitrate": limit.aim,
        "video_codec_parameters": given.model_copy(update=most),
    }


# --- overlays --------------------------------------------------------------------------


def _with_overlays(query: OrderQuery, film: Material, means: Means) -> OrderQuery:
    """With each image where it belongs in a picture of the size that comes out."""
    if not any(made.profile and made.profile.overlay for made in query.made):
        return query
    bare = [_drawn(each, ()) for each in query.format]
    plan, _ = compile_softly(query.model_copy(update={"format": tuple(bare)}), film, means)
    frames = {made.index: (made.width, made.height) for made in _renditions(plan) if made.picture}
    for index, made in enumerate(query.made):
        overlay = made.profile.overlay if made.profile else None
        if overlay is not None and index in frames:
            bare[index] = _drawn(bare[index], (_logo(overlay, *frames[index]),))
    return query.model_copy(update={"format": tuple(bare)})


def _renditions(plan: Plan) -> Iterator[Rendition]:
    for step in plan.steps:
        if isinstance(step, Pass):
            yield from (made for made in step.renditions if made.kind == "video")


def _drawn(asked: Format, logos: tuple[Logo, ...]) -> Format:
    if isinstance(asked, AdvancedHls):
        streams = tuple(each.model_copy(update={"logo": logos}) for each in asked.stream)
        return asked.model_copy(update={"stream": streams})
    return asked.model_copy(update={"logo": logos}) if isinstance(asked, Mp4 | Webm) else asked


def _logo(asked: Overlay, width: int, height: int) -> Logo:
    across = _offset(asked.horizontal, width - asked.scale_width, asked.offset_x)
    down = _offset(asked.vertical, height - asked.scale_height, asked.offset_y)
    return Logo(source=overlay_key(asked), x=across, y=down, opacity=asked.opacity)


def _offset(side: str, room: int, offset: int) -> int:
    """From the left or the top; ``room`` is what the image leaves of the picture."""
    wanted = {"center": room // 2, "right": room - offset, "bottom": room - offset}
    return max(0, wanted.get(side, offset))


# --- codecs and containers -------------------------------------------------------------


def _adapted(step: Step, query: OrderQuery, probe: Probe) -> Step:
    if not isinstance(step, Pass):
        return step
    return replace(step, renditions=tuple(_file(made, query, probe) for made in step.renditions))


def _file(made: Rendition, query: OrderQuery, probe: Probe) -> Rendition:
    profile = query.made[made.index].profile
    if profile is None or profile.hls or profile.video_codec == "webm":
        return made
    _check_copies(profile, probe)
    made = _picture(made, profile, probe)
    made = _sound(made, profile, probe)
    if profile.video_format == "mpegts":
        return replace(made, file=f"{made.tag}.ts", options=(*_PLAIN, *_copy(made), "-f", "mpegts"))
    if profile.video_format == "rawvideo":
        return _bare(made, profile, probe)
    return replace(made, options=(*_copy(made), *made.options))


def _picture(made: Rendition, profile: Profile, probe: Probe) -> Rendition:
    if profile.video_codec == "copy":
        stream = f"0:{probe.video[0].index}"
        return replace(made, picture=None, copied=(stream, *made.copied))
    if profile.video_codec == "mpeg2video" and made.picture is not None:
        options = _mpeg2(profile, _Limit.of(probe))
        return replace(made, picture=replace(made.picture, options=options))
    return made


def _mpeg2(profile: Profile, limit: _Limit) -> tuple[str, ...]:
    """Groups of half a second, which is what receivers expect."""
    rate = profile.video_bitrate
    most: tuple[str, ...] = ()
    if limit.holds(profile):
        rate = limit.aim
        most = ("-maxrate", f"{rate}k", "-bufsize", f"{limit.size}k")
    return ("-c:v", "mpeg2video", "-b:v", f"{rate}k", *most, "-g", "12", "-pix_fmt", "yuv420p")


def _sound(made: Rendition, profile: Profile, probe: Probe) -> Rendition:
    if made.sound is None:
        return made
    if profile.audio_codec == "copy":
        stream = f"0:{probe.audio[0].index}"
        return replace(made, sound=None, copied=(*made.copied, stream))
    rates = _RATES.get(profile.audio_codec)
    if rates is None:
        return made
    rate = min(rates, key=lambda each: abs(each - profile.audio_bitrate))
    told = {"-c:a": profile.audio_codec, "-b:a": f"{rate}k"}
    return replace(made, sound=_with_options(made.sound, told))


def _with_options(chain: Chain, told: Mapping[str, str]) -> Chain:
    """The encoder's options, which come in pairs, with other values for some."""
    pairs = zip(chain.options[::2], chain.options[1::2], strict=True)
    options = (word for name, value in pairs for word in (name, told.get(name, value)))
    return replace(chain, options=tuple(options))


def _copy(made: Rendition) -> tuple[str, ...]:
    """The words for streams that are not encoded; ``-c`` would hold for all."""
    picture = () if made.picture is not None else ("-c:v", "copy")
    sound = () if made.sound is not None else ("-c:a", "copy")
    return (*picture, *sound) if made.copied else ()


def _bare(made: Rendition, profile: Profile, probe: Probe) -> Rendition:
    """The picture's stream without a container: it has no sound, and no times to check."""
    names = {"copy": probe.video[0].codec, "mpeg2video": "mpeg2video"}
    codec = names.get(profile.video_codec, "h264")
    if codec not in _BARE:
        raise MediaError(f"{made.tag}: {codec} can't be stored as rawvideo")
    streams = made.copied[:1] if profile.video_codec == "copy" else ()
    made = replace(made, sound=None, copied=streams, file=f"{made.tag}.{codec}", seconds=None)
    return replace(made, options=(*_PLAIN, *_copy(made), "-f", _BARE[codec]))


def _check_copies(profile: Profile, probe: Probe) -> None:
    """Raises ``MediaError`` where the container has no place for what is copied."""
    if profile.video_format == "rawvideo":
        return
    container = CONTAINERS["ts" if profile.video_format == "mpegts" else "mp4"]
    wanted: list[tuple[Any, Any, str]] = []
    if profile.video_codec == "copy":
        wanted += [(each.codec, container.video, "picture") for each in probe.video[:1]]
    if profile.audio_codec == "copy":
        wanted += [(each.codec, container.sound, "sound") for each in probe.audio[:1]]
    for codec, held, what in wanted:
        if held is not None and codec not in held:
            raise MediaError(
                f"profile {profile.name}: {profile.video_format} can't hold the source's {what} "
                f"({codec}) as it is"
            )
