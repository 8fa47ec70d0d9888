"""Writing DASH manifests (ISO/IEC 23009-1): static, segments by number with exact times."""

import base64
import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import groupby
from urllib.parse import quote
from uuid import UUID
from xml.etree.ElementTree import Element, SubElement, indent, register_namespace, tostring

from orchestrator.transcoder.packaging.drm import PLAYREADY, Pssh, headers
from orchestrator.transcoder.packaging.packing import Caption, Cenc, Packing
from orchestrator.transcoder.packaging.rendition import Rendition, Segment

_DASH = "urn:mpeg:dash:schema:mpd:2011"
_CENC = "urn:mpeg:cenc:2013"
_MSPR = "urn:microsoft:playready"
_LAURL = "https://dashif.org/CPS"
_LIVE, _CMAF = "urn:mpeg:dash:profile:isoff-live:2011", "urn:mpeg:dash:profile:cmaf:2019"
_FULL = "urn:mpeg:dash:profile:full:2011"
#: Transfer characteristics as numbered by ISO/IEC 23091-2.
_TRANSFER = "urn:mpeg:mpegB:cicp:TransferCharacteristics"
_CURVES = {"PQ": "16", "HLG": "18"}
_ROLE = "urn:mpeg:dash:role:2011"
_CHANNELS = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"

for _prefix, _namespace in (("cenc", _CENC), ("mspr", _MSPR), ("dashif", _LAURL)):
    register_namespace(_prefix, _namespace)


def mpd(renditions: Sequence[Rendition], packing: Packing) -> str:
    """The MPD over the renditions that there are.

    Renditions that players may switch between without a break (one codec, one
    language) make an AdaptationSet.
    """
    root = Element(
        "MPD",
        {
            "xmlns": _DASH,
            "profiles": _profiles(packing),
            "type": "static",
            "mediaPresentationDuration": _duration(max(each.seconds for each in renditions)),
            "minBufferTime": _duration(math.ceil(_longest(renditions))),
        },
    )
    period = SubElement(root, "Period", {"id": "0", "start": "PT0S"})
    ordered = sorted(renditions, key=_switchable)
    main = _main_sound(ordered)
    for index, (_, same) in enumerate(groupby(ordered, key=_switchable)):
        _adaptation_set(period, index, tuple(same), packing, main)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _profiles(packing: Packing) -> str:
    if packing.segments == "webm":
        return _FULL
    return f"{_LIVE},{_CMAF}" if packing.hls else _LIVE


def _longest(renditions: Iterable[Rendition]) -> float:
    return max(
        (seg.duration / each.timescale for each in renditions for seg in each.segments), default=1
    )


def _duration(seconds: float) -> str:
    return f"PT{seconds:.6f}".rstrip("0").rstrip(".") + "S"


def _switchable(made: Rendition) -> tuple[int, str, str, str, str, str]:
    order = ("video", "audio", "text").index(made.kind)
    family = made.codecs[0].partition(".")[0] if made.codecs else ""
    apart = made.name if made.kind == "text" else ""
    title = made.title or "" if made.kind == "audio" else ""
    return order, family, made.hdr or "", made.language or "", title, apart


def _adaptation_set(
    period: Element,
    index: int,
    same: Sequence[Rendition],
    packing: Packing,
    main: Rendition | None,
) -> None:
    first = same[0]
    made = SubElement(period, "AdaptationSet", {"id": str(index), "contentType": first.kind})
    if first.language:
        made.set("lang", first.language)
    if first.kind != "text":
        made.set("segmentAlignment", "true")
        made.set("startWithSAP", "1")
    if first.kind == "video":
        made.set("maxWidth", str(max(each.width for each in same)))
        made.set("maxHeight", str(max(each.height for each in same)))
        made.set("par", _par(first))
    if isinstance(packing.protection, Cenc) and first.kind != "text":
        _content_protection(made, packing.protection)
    if first.hdr:
        curve = {"schemeIdUri": _TRANSFER, "value": _CURVES[first.hdr]}
        SubElement(made, "SupplementalProperty", curve)
    if first.title:
        SubElement(made, "Label").text = first.title
    if first.kind == "video":
        _accessibility(made, packing.captions)
    if first.kind in ("audio", "text"):
        sound = "main" if main in same else "alternate"
        role = "subtitle" if first.kind == "text" else sound
        SubElement(made, "Role", {"schemeIdUri": _ROLE, "value": role})
    for each in sorted(same, key=lambda it: it.peak):
        _representation(made, each)


def _main_sound(renditions: Iterable[Rendition]) -> Rendition | None:
    """The sound to begin with: the one marked so, else the first."""
    sounds = [each for each in renditions if each.kind == "audio"]
    return next((each for each in sounds if each.default), sounds[0] if sounds else None)


def _par(made: Rendition) -> str:
    """The picture's shape as seen."""
    shape = Fraction(made.width, made.height) * Fraction(made.sar.replace(":", "/"))
    return f"{shape.numerator}:{shape.denominator}"


def _content_protection(made: Element, cenc: Cenc) -> None:
    common = {"schemeIdUri": "urn:mpeg:dash:mp4protection:2011", "value": "cenc"}
    common[f"{{{_CENC}}}default_KID"] = str(UUID(bytes=cenc.key_id))
    SubElement(made, "ContentProtection", common)
    for each in headers(cenc):
        _key_system(made, each, cenc.la_url)


def _key_system(made: Element, header: Pssh, la_url: str | None) -> None:
    system = SubElement(made, "ContentProtection", {"schemeIdUri": f"urn:uuid:{header.system}"})
    SubElement(system, f"{{{_CENC}}}pssh").text = header.base64
    if header.system != PLAYREADY:
        return
    system.set("value", "MSPR 2.0")
    SubElement(system, f"{{{_MSPR}}}pro").text = base64.b64encode(header.data).decode()
    if la_url:
        SubElement(system, f"{{{_LAURL}}}Laurl").text = la_url


def _accessibility(made: Element, captions: Sequence[Caption]) -> None:
    """Captions in the picture (SCTE 214-1, 6.11)."""
    for kind, prefix in (("608", "CC"), ("708", "SERVICE")):
        told = [each for each in captions if each.channel.startswith(prefix)]
        if not told:
            continue
        value = ";".join(_channel(each, kind) for each in told)
        scheme = f"urn:scte:dash:cc:cea-{kind}:2015"
        SubElement(made, "Accessibility", {"schemeIdUri": scheme, "value": value})


def _channel(caption: Caption, kind: str) -> str:
    language = caption.language or "und"
    if kind == "608":
        return f"{caption.channel}={language}"
    return f"{caption.channel.removeprefix('SERVICE')}=lang:{language}"


def _representation(parent: Element, made: Rendition) -> None:
    text = made.kind == "text"
    facts = {"id": made.name, "bandwidth": str(made.peak)}
    facts["mimeType"] = "text/vtt" if text else f"{made.kind}/{made.format}"
    if made.codecs:
        facts["codecs"] = ",".join(made.codecs)
    if made.kind == "video":
        facts |= {"width": str(made.width), "height": str(made.height), "sar": made.sar}
        facts |= {"frameRate": made.rate} if made.rate else {}
    if made.sampling:
        facts["audioSamplingRate"] = str(made.sampling)
    each = SubElement(parent, "Representation", facts)
    if made.channels:
        count = {"schemeIdUri": _CHANNELS, "value": str(made.channels)}
        SubElement(each, "AudioChannelConfiguration", count)
    if text:
        SubElement(each, "BaseURL").text = _path(made, str(made.whole))
    else:
        _template(each, made)


def _path(made: Rendition, file: str) -> str:
    return quote(f"{made.folder}/{file}" if made.folder else file, safe="/$")


def _template(parent: Element, made: Rendition) -> None:
    facts = {
        "timescale": str(made.timescale),
        "initialization": _path(made, str(made.init)),
        "media": _path(made, made.media),
        "startNumber": "1",
    }
    timeline = SubElement(SubElement(parent, "SegmentTemplate", facts), "SegmentTimeline")
    end: int | None = None
    for segment in made.segments:
        end = _entry(timeline, segment, end)


def _entry(timeline: Element, segment: Segment, end: int | None) -> int:
    """Add a segment; one as long as the last and right behind it only counts it up."""
    last = timeline[-1] if len(timeline) else None
    gap = segment.start != end
    if last is not None and not gap and last.get("d") == str(segment.duration):
        last.set("r", str(int(last.get("r", 0)) + 1))
    else:
        facts = {"t": str(segment.start)} if gap else {}
        SubElement(timeline, "S", {**facts, "d": str(segment.duration)})
    return segment.start + segment.duration
