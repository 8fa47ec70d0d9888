"""Checks of files with streams: whole, what the query asks for, and as long as the source."""

from collections import OrderedDict
from pathlib import Path

from orchestrator.model.errors import Transient
from orchestrator.model.items import Item, Output
from orchestrator.query.expected import Expected
from orchestrator.services.verify.boxes import missing_bytes
from orchestrator.services.verify.probing import Found, Prober, Unreadable
from orchestrator.services.verify.reading import read, wrong

#: Lengths may differ by this share, where that is more than the tolerance.
_SHARE = 0.01

#: Sides are rounded to even numbers.
_ROUNDING = 1

NOBODY_SAYS = "nobody says how long it should be: its length was not verified"

#: Sources that were looked into and may be asked for again by another output.
_REMEMBERED = 64


class MediaCheck:
    """``tolerance`` is in seconds."""

    def __init__(self, prober: Prober, tolerance: float) -> None:
        self._prober = prober
        self._tolerance = tolerance
        self._sources: OrderedDict[tuple[str, str], Found | None] = OrderedDict()

    async def __call__(
        self, item: Item, output: Output, path: Path, expected: Expected
    ) -> tuple[str, ...]:
        """What could not be proven. Raises ``VerificationFailed``, ``Transient``.

        The source itself is looked into where nothing else tells, if it is a
        file of this machine.
        """
        if missing := await read(path, lambda: missing_bytes(path)):
            raise wrong(path, "a whole file", f"its last {missing:,} bytes are missing")
        try:
            found = await self._prober.probe(path)
        except Unreadable as error:
            raise wrong(path, "a media file", str(error)) from error
        await self.check_streams(item, path, expected, found)
        check_codecs(path, expected, found)
        await self.check_frame(item, path, expected, found)
        seconds = await self.seconds(item, output, expected)
        if not seconds or found.seconds is None:
            return (NOBODY_SAYS,)
        self.check_length(path, seconds, found.seconds)
        return ()

    def check_length(self, path: Path, seconds: float, found: float) -> None:
        """It is as long as it should be, or nearly. Raises ``VerificationFailed``."""
        if abs(found - seconds) > max(self._tolerance, seconds * _SHARE):
            raise wrong(path, f"{seconds:.2f} s", f"it is {found:.2f} s long")

    async def check_streams(self, item: Item, path: Path, expected: Expected, found: Found) -> None:
        """It holds what it should. Raises ``VerificationFailed``."""
        missing = expected.streams - found.streams
        if doubtful := expected.if_in_source - found.streams:
            source = await self._source(item)
            missing |= doubtful & source.streams if source else frozenset()
        if missing:
            has = " and ".join(sorted(found.streams)) or "nothing"
            wanted = " and ".join(sorted(expected.streams | missing))
            raise wrong(path, wanted, f"it holds {has}")

    async def check_frame(self, item: Item, path: Path, expected: Expected, found: Found) -> None:
        """Its picture is as large as asked for. Raises ``VerificationFailed``."""
        asked, has = expected.frame, found.frame or found.shown
        if asked is None or has is None:
            return
        # As shown, pixels may be of any shape: the lines alone can be compared.
        if near(has, asked if found.frame else (has[0], asked[1])):
            return
        if not expected.upscale and has[1] < asked[1]:
            source = await self._source(item)
            if source is None or source.frame is None or min(source.frame) < asked[1]:
                return  # a smaller source may be left as it is
        raise wrong(path, _sides(asked), f"it is {_sides(has)}")

    async def seconds(self, item: Item, output: Output, expected: Expected) -> float | None:
        """How long the output should be, by the service, else by the source itself."""
        if item.attempt is not None and item.attempt.duration:
            return expected.seconds(item.attempt.duration)
        if output.duration:
            return output.duration
        source = await self._source(item)
        return expected.seconds(source.seconds) if source and source.seconds else None

    async def _source(self, item: Item) -> Found | None:
        """What a local source holds; None where it can't be told."""
        if item.source is None or not item.is_local:
            return None
        key = (item.source, item.fingerprint)
        if key not in self._sources:
            try:
                self._sources[key] = await self._prober.probe(Path(item.source))
            except (Unreadable, Transient):
                self._sources[key] = None
            while len(self._sources) > _REMEMBERED:
                self._sources.popitem(last=False)
        return self._sources[key]


def check_codecs(path: Path, expected: Expected, found: Found) -> None:
    """What is in it was made by the encoders that the query names."""
    for asked, has in ((expected.picture, found.picture), (expected.sound, found.sound)):
        if asked and has and asked != has:
            raise wrong(path, asked, f"it holds {has}")


def near(found: tuple[int, int], asked: tuple[int, int]) -> bool:
    """Whether a frame is the one asked for, give or take rounding."""
    return all(abs(a - b) <= _ROUNDING for a, b in zip(found, asked, strict=True))


def _sides(frame: tuple[int, int]) -> str:
    return f"{frame[0]}x{frame[1]}"
