"""What a plan is made of. Data only; ``commands`` turns it into ffmpeg's words."""

from dataclasses import dataclass

from orchestrator.query import Metadata, Mp4, Thumbnail, Thumbnails


@dataclass(frozen=True, slots=True)
class Rendition:
    """One output that ffmpeg writes.

    ``file`` is relative to the task's folder: a name, or for interval
    thumbnails a folder and a pattern. ``filters`` lead from the decoded picture
    to the output's, ``options`` are all options of the output but its sound's.
    ``sound`` is empty where the output has no sound track. ``seconds`` and
    ``frames`` are what a whole source will give, None where it can't be known;
    ``certain`` says that less of it is a loss, not a last frame held for long.
    """

    tag: str
    kind: str
    index: int
    asked: Mp4 | Thumbnail | Thumbnails
    file: str
    width: int
    height: int
    filters: str
    options: tuple[str, ...]
    sound: tuple[str, ...] = ()
    seconds: float | None = None
    frames: int | None = None
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Pass:
    """One decode of the source, for every rendition that needs the same part of it.

    ``start`` and ``duration`` are in seconds; a duration of None goes on to the
    end. ``lead`` are the seconds before ``start`` that are decoded and thrown
    away, for files in which a seek may miss the keyframe. ``nearby`` starts at
    the keyframe before ``start`` and leaves the choice of the frame to the
    filters. ``twice`` encodes in two passes. ``otherwise`` is what to try where
    this one ended well and wrote nothing.
    """

    renditions: tuple[Rendition, ...]
    video: int
    audio: int | None = None
    start: float = 0.0
    duration: float | None = None
    lead: float = 0.0
    nearby: bool = False
    twice: bool = False
    otherwise: "Pass | None" = None


@dataclass(frozen=True, slots=True)
class Description:
    """The ``metadata`` output: ffprobe's answer as a file."""

    tag: str
    index: int
    asked: Metadata
    file: str


@dataclass(frozen=True, slots=True)
class Plan:
    """How to make every output of a query, less those ``left_out`` (by tag).

    ``warnings`` are for the client.
    """

    passes: tuple[Pass, ...] = ()
    descriptions: tuple[Description, ...] = ()
    left_out: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of all outputs, those left out too, in no order that means anything."""
        made = tuple(made.tag for step in self.passes for made in step.renditions)
        return (*made, *(text.tag for text in self.descriptions), *self.left_out)
