"""What an output goes on with that has an ``incremental_tag``: the renditions made before.

Two streams ask for the same rendition if everything is alike that its segments
hang on: the codec, the frame, the rate or the quality and every other attribute
of the encoding, the part of the source, and how the output is cut, contained
and protected. Names (``tag``, ``chunklist_name``) do not count.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from hashlib import sha256
from typing import Any

from orchestrator.query import Destination, Sound
from orchestrator.transcoder.packaging import Kind, Packing, recall
from orchestrator.transcoder.packaging import Rendition as Packaged
from orchestrator.transcoder.plan.context import Context, Place
from orchestrator.transcoder.plan.packings import sound_is_apart
from orchestrator.transcoder.plan.sizes import Sized
from orchestrator.transcoder.plan.sound import SoundTrack
from orchestrator.transcoder.plan.steps import Ladder
from orchestrator.transcoder.plan.subtitles import Text, copies_captions
from orchestrator.transcoder.ports import MediaError

#: What a client writes to be given a tag.
AUTO = "auto"

#: What no segment hangs on: names, and how the frame was asked for, which is known by its size.
_NAMES = {"tag", "chunklist_name", "size", "width", "height", "resolution"}

#: A rendition whose length differs by more, in seconds or by this share, is of another source.
_SECONDS, _SHARE = 1.0, 0.02


@dataclass(frozen=True, slots=True)
class Chain:
    """Renditions by their identity, what a status said of each, and the numbers given out.

    ``captioned`` says whether the source has captions, None where nobody looked.
    """

    known: Mapping[str, Packaged] = field(default_factory=dict)
    metas: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    used: Mapping[Kind, int] = field(default_factory=dict)
    captioned: bool | None = None


def chain_of(context: Context, place: Place[Ladder]) -> Chain:
    """What earlier jobs made of an output. Raises ``MediaError`` where it can't be gone on with.

    Without a destination files are gone after a day, and were elsewhere before:
    then everything is made again.
    """
    tag = place.asked.incremental_tag
    if tag is None:
        return Chain()
    if not place.asked.destination:
        context.warn(
            f"{place.tag}: incremental_tag needs a destination, where the renditions of the jobs "
            "before are; without one every rendition is encoded"
        )
        return Chain()
    facts = context.means.earlier.get(tag)
    if tag == AUTO or not facts or facts.get("place") is None:
        return Chain()
    if facts["place"] != place_digest(place.asked.destination):
        raise MediaError(
            f"{place.tag}: the renditions of this incremental_tag are at another destination: "
            "send that one, or take a new tag"
        )
    known = {made.rung: made for made in recall(facts["renditions"])}
    return Chain(known, facts.get("metas", {}), facts.get("used", {}), facts.get("captioned"))


def check_length(tag: str, made: Packaged, seconds: float | None) -> None:
    """Raises ``MediaError`` where an earlier rendition is not of this source, by its length."""
    if seconds is None or abs(made.seconds - seconds) <= max(_SECONDS, seconds * _SHARE):
        return
    raise MediaError(
        f"{tag}: the renditions of this incremental_tag are {made.seconds:.1f} s long, and this "
        f"source gives {seconds:.1f} s; another source needs another tag"
    )


def picture_rung(asked: Ladder, packing: Packing, one: Sized) -> str:
    """The identity of a picture; with the sound inside its segments, of both."""
    left_out = _NAMES | (set(Sound.model_fields) if sound_is_apart(asked) else set())
    wish = one.place.asked.model_dump(mode="json", exclude=left_out)
    sides = (one.fit.width, one.fit.height)
    return _rung("video", wish, *sides, copies_captions(asked), *_shared(asked, packing))


def sound_rung(
    asked: Ladder, packing: Packing, wish: Sound, track: SoundTrack | None = None
) -> str:
    """The identity of a sound, of one of the source's tracks."""
    told = (track.track, track.language, track.title) if track else ()
    return _rung("audio", wish.model_dump(mode="json"), told, *_shared(asked, packing))


def text_rung(text: Text, nth: int) -> str:
    """The identity of subtitles: the ``nth`` of their language and title."""
    return _rung("text", text.language, text.title, nth)


def _shared(asked: Ladder, packing: Packing) -> tuple[object, ...]:
    """What the segments of all renditions of an output hang on."""
    cut = (asked.start_time, asked.duration, packing.segment_duration, packing.i_frames_only)
    kinds = (asked.output, packing.segments, packing.hls is not None, sound_is_apart(asked))
    guard = packing.protection
    return (*cut, *kinds, *((type(guard).__name__, *astuple(guard)) if guard else ()))


def _rung(*facts: object) -> str:
    """A digest, so that no secret among ``facts`` can be read."""
    return sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def place_digest(destinations: Sequence[Destination]) -> str | None:
    """Tells places apart; their addresses may hold passwords."""
    urls = [each.url.rstrip("/") for each in destinations]
    return sha256(json.dumps(urls).encode()).hexdigest()[:32] if urls else None
