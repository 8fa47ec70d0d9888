"""What a plan is made of. Data only; ``commands`` turns passes into ffmpeg's words.

A plan is a list of steps in the order in which they run. A pass writes files:
outputs that are whole by then, or the parts of one that a later step packages.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.query import (
    AdvancedDash,
    AdvancedHls,
    Format,
    HlsAudio,
    Metadata,
    SpeechToText,
    Vmaf,
    WebmDash,
)
from orchestrator.query.outputs import AudioStream, Stream
from orchestrator.transcoder.packaging import Kind, Packing
from orchestrator.transcoder.packaging import Rendition as Packaged
from orchestrator.transcoder.ports import Notice

#: What a rendition was asked for by: an output of its own, or a stream of one.
Asked = Format | Stream | AudioStream

#: Outputs that players choose a stream of.
Ladder = AdvancedHls | AdvancedDash | WebmDash | HlsAudio


@dataclass(frozen=True, slots=True)
class Input:
    """A file that ffmpeg opens, from ``start`` on for ``duration`` seconds.

    ``nearby`` starts at the keyframe before ``start`` and leaves the choice of
    the frame to the filters. ``options`` are further ones of the input, for
    files that we made ourselves.
    """

    path: Path
    start: float = 0.0
    duration: float | None = None
    nearby: bool = False
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """How a pass comes by its picture and its sound.

    ``picture`` and ``sounds`` are pads of ffmpeg's filter graph: streams of an
    input (``0:1``), or names that ``head``, the beginning of the graph, gives
    them. ``lead`` are the seconds at the beginning that are decoded and thrown
    away, for files in which a seek may miss the keyframe.
    """

    inputs: tuple[Input, ...]
    picture: str | None = None
    sounds: tuple[str, ...] = ()
    head: str = ""
    lead: float = 0.0


@dataclass(frozen=True, slots=True)
class Chain:
    """A stream that is filtered and encoded: the filters, and its encoder's options.

    ``filters`` lead from a decoded stream to the encoder. They may have side
    chains with labels of their own, which hold the rendition's tag.
    """

    filters: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Further:
    """A stream that is taken as it is from a file of its own, such as subtitles."""

    file: Input
    stream: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rendition:
    """One file that ffmpeg writes.

    ``file`` is relative to the task's folder: a name, or for interval
    thumbnails a folder and a pattern. ``copied`` are streams of the source that
    are not decoded (``0:1``), ``track`` is the place of the sound among the
    reading's. ``options`` are the file's own. ``seconds`` and ``frames`` are
    what a whole source will give, None where it can't be known; ``certain``
    says that less of it is a loss, not a last frame held for long. ``boxes`` go into
    the video's sample entry of an mp4 once it is written. A ``part`` is
    no output by itself but is packaged; those not ``told`` have tags that no
    client knows.
    """

    tag: str
    kind: str
    index: int
    asked: Asked
    file: str
    picture: Chain | None = None
    sound: Chain | None = None
    track: int = 0
    copied: tuple[str, ...] = ()
    further: tuple[Further, ...] = ()
    options: tuple[str, ...] = ()
    width: int = 0
    height: int = 0
    seconds: float | None = None
    frames: int | None = None
    certain: bool = True
    boxes: bytes = b""
    part: bool = False
    told: bool = True


@dataclass(frozen=True, slots=True)
class Pass:
    """One decode of the source, for every rendition that needs the same part of it.

    ``duration`` is how long each output is at most, in seconds; None goes on to
    the end. ``twice`` encodes in two passes. ``otherwise`` is what to try where
    this one ended well and wrote nothing.
    """

    renditions: tuple[Rendition, ...]
    reading: Reading
    duration: float | None = None
    twice: bool = False
    otherwise: "Pass | None" = None

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of what it writes, as clients know them."""
        return tuple(made.tag for made in self.renditions if made.told)


@dataclass(frozen=True, slots=True)
class Description:
    """The ``metadata`` output: ffprobe's answer as a file."""

    tag: str
    index: int
    asked: Metadata
    file: str

    @property
    def tags(self) -> tuple[str, ...]:
        """The output's tag."""
        return (self.tag,)


@dataclass(frozen=True, slots=True)
class Transcription:
    """The ``speech_to_text`` output: what is said, as files in ``folder``.

    ``joined`` writes the sound of a film of several sources into one file first;
    without it the one source is listened to.
    """

    tag: str
    index: int
    asked: SpeechToText
    folder: str
    joined: Pass | None = None

    @property
    def tags(self) -> tuple[str, ...]:
        """The output's tag."""
        return (self.tag,)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The ``vmaf`` output: the scores of ``distorted``, with the film as reference."""

    tag: str
    index: int
    asked: Vmaf
    distorted: Path
    file: str

    @property
    def tags(self) -> tuple[str, ...]:
        """The output's tag."""
        return (self.tag,)


@dataclass(frozen=True, slots=True)
class Subtitling:
    """Subtitles as a WebVTT ``file``: those of an ``asset``, or of a ``stream`` of the source.

    From ``start`` on for ``duration`` seconds, counted from there. ``field`` is
    what a complaint is about, ``index`` the output's.
    """

    index: int
    file: str
    field: str
    asset: Path | None = None
    stream: int | None = None
    start: float = 0.0
    duration: float | None = None

    @property
    def tags(self) -> tuple[str, ...]:
        """It is a part of an output."""
        return ()


@dataclass(frozen=True, slots=True)
class Cut:
    """A part that becomes one rendition of a ladder: its files, and its place there.

    ``number`` counts from 1 per kind. ``sound`` goes into the video's own
    segments. ``group`` joins a video to its choice of sounds. ``rung`` is its
    identity over the jobs of a chain (``chain``). Those ``told`` are streams
    that the client asked for.
    """

    tag: str
    kind: Kind
    number: int
    file: str
    sound: str | None = None
    group: str = "audio"
    language: str | None = None
    title: str | None = None
    default: bool = False
    chunklist_name: str | None = None
    user_tag: str | None = None
    rung: str = ""
    told: bool = True
    duration: float | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A rendition that an earlier job of the chain made, and that is asked for again.

    ``tag`` and ``user_tag`` are those of its stream in this query; a sound beside
    pictures has none. ``meta`` is what the earlier status said of it.
    """

    made: Packaged
    tag: str | None = None
    user_tag: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Package:
    """Parts are packaged, and the output's manifests written with them in it.

    ``last`` says that no more will come for this output. ``tag`` is the output's.
    ``kept`` are named by its manifests and nothing is done to them. ``used`` is
    the highest number per kind that the chain gave out before, ``captioned``
    whether it found captions in the source (None: nobody looked).
    """

    tag: str
    kind: str
    index: int
    asked: Ladder
    packing: Packing
    cuts: tuple[Cut, ...]
    last: bool = True
    kept: tuple[Kept, ...] = ()
    used: Mapping[Kind, int] = field(default_factory=dict)
    captioned: bool | None = None

    @property
    def tags(self) -> tuple[str, ...]:
        """The streams that no pass makes; clients know the streams alone."""
        return tuple(each.tag for each in self.kept if each.tag)


Step = Pass | Description | Transcription | Comparison | Subtitling | Package


@dataclass(frozen=True, slots=True)
class Plan:
    """How to make every output of a query, less those ``left_out`` (by tag).

    ``warnings`` are for the client, and so are ``notices``, of kinds that the
    documents name.
    """

    steps: tuple[Step, ...] = ()
    left_out: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of all that is made and of what is left out, in no order that means anything."""
        made = tuple(tag for step in self.steps for tag in step.tags)
        return tuple(dict.fromkeys((*made, *self.left_out)))
