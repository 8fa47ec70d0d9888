"""How far ffmpeg is, from what its ``-progress`` writes."""

from collections.abc import Callable, Iterable, Mapping

#: Below 100 until the process has ended well: a file is not done before its index is.
_ALMOST = 99.0


class Meter:
    """Turns the lines of ``-progress`` into a percentage that never falls.

    ``frames`` and ``seconds`` are what the whole work will give. Frames count
    where they are known: ``out_time`` is the time of whichever stream is
    furthest, and ``N/A`` while nothing was written. Its field in microseconds
    is called ``out_time_ms`` in older builds and ``out_time_us`` in newer ones;
    both hold microseconds.
    """

    def __init__(self, frames: int | None, seconds: float | None) -> None:
        self._frames, self._seconds = frames, seconds
        self._block: dict[str, str] = {}
        self._seen: tuple[int, ...] = ()
        self.percent = 0.0

    def feed(self, line: str) -> bool:
        """Take one line; whether the work moved on since the last whole block."""
        key, _, value = line.strip().partition("=")
        self._block[key] = value.strip()
        if key != "progress":
            return False
        frame, time = self._number("frame"), self._number("out_time_us", "out_time_ms")
        reached = (frame, time, self._number("total_size"))
        moved, self._seen = reached != self._seen, reached
        self.percent = max(self.percent, min(_ALMOST, self._reached(frame, time)))
        self._block.clear()
        return moved

    def _reached(self, frame: int, micros: int) -> float:
        if self._frames:
            return 100.0 * frame / self._frames
        return 100.0 * micros / 1e6 / self._seconds if self._seconds else 0.0

    def _number(self, *keys: str) -> int:
        for key in keys:
            value = self._block.get(key, "")
            if value.lstrip("-").isdecimal():
                return max(0, int(value))
        return 0


class Board:
    """The percent of every output of a task, told to the task's watcher.

    ``begun`` is the percent by tag that was reached before, elsewhere; what
    comes then makes up the rest.
    """

    def __init__(
        self,
        tags: Iterable[str],
        tell: Callable[[Mapping[str, float]], None],
        begun: Mapping[str, float] | None = None,
    ) -> None:
        self._begun = begun or {}
        self._percents = {tag: self._begun.get(tag, 0.0) for tag in tags}
        self._tell = tell

    def reach(self, tags: Iterable[str], percent: float) -> None:
        """These outputs are this far; what is further already stays there."""
        whole = {tag: self._whole(tag, percent) for tag in tags}
        risen = {tag: to for tag, to in whole.items() if to > self._percents.get(tag, 100.0)}
        if risen:
            self._percents.update(risen)
            self._tell(dict(self._percents))

    def _whole(self, tag: str, percent: float) -> float:
        begun = self._begun.get(tag, 0.0)
        return begun + percent * (100.0 - begun) / 100.0
