"""Writing HLS playlists (RFC 8216; ``SAMPLE-AES-CTR`` from its second edition's draft)."""

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from urllib.parse import quote

from orchestrator.transcoder.packaging.drm import key_tags
from orchestrator.transcoder.packaging.packing import Aes128, Caption, Packing, Protection
from orchestrator.transcoder.packaging.rendition import Rendition, average, peak

_SUBTITLES, _CAPTIONS = "subtitles", "captions"


def media_playlist(made: Rendition, protection: Protection | None) -> str:
    """The playlist of one rendition's segments."""
    tags = _keys(made, protection)
    version = 6 if made.init else 3
    if any("KEYFORMAT" in tag for tag in tags):
        version = max(version, 5)
    seconds = [segment.duration / made.timescale for segment in made.segments]
    lines = [*_head(version, seconds), "#EXT-X-MEDIA-SEQUENCE:1", "#EXT-X-INDEPENDENT-SEGMENTS"]
    lines += [*_map(made), *tags]
    for segment, length in zip(made.segments, seconds, strict=True):
        lines += [f"#EXTINF:{length:.6f},", quote(segment.file)]
    return _text(lines)


def i_frame_playlist(made: Rendition, protection: Protection | None) -> str:
    """The playlist of one rendition's I-frames, as byte ranges of its segments.

    Under AES-128 the ranges are those of the clear segment: players widen them
    to whole cipher blocks (RFC 8216, 6.3.6).
    """
    tags = _keys(made, protection)
    version = 5 if made.init or any("KEYFORMAT" in tag for tag in tags) else 4
    lines = [*_head(version, [frame.seconds for frame in made.i_frames]), "#EXT-X-I-FRAMES-ONLY"]
    lines += [*_map(made), *tags]
    for frame in made.i_frames:
        lines += [f"#EXTINF:{frame.seconds:.6f},", f"#EXT-X-BYTERANGE:{frame.size}@{frame.offset}"]
        lines.append(quote(frame.file))
    return _text(lines)


def master_playlist(renditions: Sequence[Rendition], packing: Packing) -> str:
    """The master playlist over the renditions that there are.

    Sound in a group of its own is named beside the pictures, and is a variant of
    its own where there is no picture.
    """
    texts = [each for each in renditions if each.kind == "text"]
    sounds = [each for each in renditions if each.kind == "audio"]
    videos = sorted((each for each in renditions if each.kind == "video"), key=lambda it: it.peak)
    captions = packing.captions if videos else ()
    new = any(caption.channel.startswith("SERVICE") for caption in captions)
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{7 if new else 4}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    if any(not _is_joined(video) for video in videos):
        lines += _media(sounds, "AUDIO")
    lines += _media(texts, "SUBTITLES")
    lines += [_caption(each) for each in captions]
    for each in videos or sorted(sounds, key=lambda it: it.peak):
        lines += _variant(each, [] if each.kind == "audio" else sounds, texts, captions)
    lines += [_i_frame_variant(each) for each in videos if each.i_playlist]
    return _text(lines)


def _keys(made: Rendition, protection: Protection | None) -> tuple[str, ...]:
    """Key systems know no text, so only AES-128 protects it."""
    if made.kind == "text" and not isinstance(protection, Aes128):
        return ()
    return key_tags(protection)


def _head(version: int, seconds: Sequence[float]) -> list[str]:
    target = max(1, *(math.floor(each + 0.5) for each in seconds))
    return [
        "#EXTM3U",
        f"#EXT-X-VERSION:{version}",
        f"#EXT-X-TARGETDURATION:{target}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
    ]


def _map(made: Rendition) -> list[str]:
    """Before the key, so that it stays clear: it holds no media (RFC 8216, 4.3.2.5)."""
    return [f'#EXT-X-MAP:URI="{quote(made.init)}"'] if made.init else []


def _text(lines: list[str]) -> str:
    media = any(line.startswith("#EXTINF") for line in lines)
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if media else []), ""])


def _uri(made: Rendition, file: str | None) -> str:
    return quote(f"{made.folder}/{file}" if made.folder else str(file))


def _quoted(value: str) -> str:
    """A quoted-string, which holds neither quotes nor line breaks (RFC 8216, 4.2)."""
    plain = "".join(sign if sign.isprintable() else " " for sign in value)
    return f'"{plain.replace(chr(34), chr(39))}"'


def _media(choices: Sequence[Rendition], kind: str) -> Iterator[str]:
    """EXT-X-MEDIA tags; in each group the one marked so, else the first, is the default.

    Texts are never on by themselves.
    """
    names: set[tuple[str, str]] = set()
    defaults = _defaults(choices) if kind == "AUDIO" else {c.name for c in choices if c.default}
    for each in choices:
        group = each.group if kind == "AUDIO" else _SUBTITLES
        name = each.title or each.language or each.name
        name = f"{name} ({each.name})" if (group, name) in names else name
        names.add((group, name))
        parts = [f"TYPE={kind}", f"GROUP-ID={_quoted(group)}", f"NAME={_quoted(name)}"]
        parts += [f"LANGUAGE={_quoted(each.language)}"] if each.language else []
        parts += [f"DEFAULT={'YES' if each.name in defaults else 'NO'}", "AUTOSELECT=YES"]
        parts += [f'CHANNELS="{each.channels}"'] if each.channels else []
        parts += ["FORCED=NO"] if kind == "SUBTITLES" else []
        yield f'#EXT-X-MEDIA:{",".join(parts)},URI="{_uri(each, each.playlist)}"'


def _defaults(sounds: Sequence[Rendition]) -> set[str]:
    chosen: dict[str, Rendition] = {}
    for each in sounds:
        held = chosen.setdefault(each.group, each)
        if each.default and not held.default:
            chosen[each.group] = each
    return {each.name for each in chosen.values()}


def _caption(each: Caption) -> str:
    language = f",LANGUAGE={_quoted(each.language)}" if each.language else ""
    return (
        f'#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="{_CAPTIONS}",NAME={_quoted(each.name)}'
        f'{language},DEFAULT=NO,AUTOSELECT=YES,INSTREAM-ID="{each.channel}"'
    )


def _is_joined(video: Rendition) -> bool:
    return len(video.codecs) > 1


def group_of(video: Rendition, sounds: Sequence[Rendition]) -> list[Rendition]:
    """The sounds that play with a picture: its own group's, or, until that lands, another's."""
    if _is_joined(video) or not sounds:
        return []
    groups = {each.group for each in sounds}
    group = video.group if video.group in groups else sounds[0].group
    return [each for each in sounds if each.group == group]


def _variant(
    made: Rendition,
    sounds: Sequence[Rendition],
    texts: Sequence[Rendition],
    captions: Sequence[Caption],
) -> list[str]:
    beside = group_of(made, sounds)
    codecs = dict.fromkeys((*made.codecs, *(codec for each in beside for codec in each.codecs)))
    parts = [f"BANDWIDTH={_sum('peak', made, beside, texts)}"]
    parts.append(f"AVERAGE-BANDWIDTH={_sum('average', made, beside, texts)}")
    parts.append(f'CODECS="{",".join(codecs)}"')
    if made.kind == "video":
        parts.append(_resolution(made))
        parts += [f"FRAME-RATE={float(Fraction(made.rate)):.3f}"] if made.rate else []
        parts += [f"VIDEO-RANGE={made.hdr}"] if made.hdr else []
    parts += [f"AUDIO={_quoted(beside[0].group)}"] if beside else []
    parts += [f'SUBTITLES="{_SUBTITLES}"'] if texts else []
    if made.kind == "video":
        parts.append(f'CLOSED-CAPTIONS="{_CAPTIONS}"' if captions else "CLOSED-CAPTIONS=NONE")
    return [f"#EXT-X-STREAM-INF:{','.join(parts)}", _uri(made, made.playlist)]


def _resolution(made: Rendition) -> str:
    """At which to show the picture (RFC 8216, 4.3.4.2)."""
    width, height = made.shown
    return f"RESOLUTION={width}x{height}"


def _sum(
    what: str, made: Rendition, sounds: Sequence[Rendition], texts: Sequence[Rendition]
) -> int:
    """The rate of the dearest choice that can play together (RFC 8216, 4.3.4.2)."""
    rates: int = getattr(made, what)
    for choices in (sounds, texts):
        rates += max((getattr(each, what) for each in choices), default=0)
    return rates


def _i_frame_variant(made: Rendition) -> str:
    frames = [(frame.seconds, frame.size) for frame in made.i_frames]
    hdr = f"VIDEO-RANGE={made.hdr}," if made.hdr else ""
    return (
        f"#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={peak(frames)},AVERAGE-BANDWIDTH={average(frames)},"
        f'CODECS="{made.codecs[0]}",{_resolution(made)},{hdr}'
        f'URI="{_uri(made, made.i_playlist)}"'
    )
