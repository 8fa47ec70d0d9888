"""One picture of a run, from its tally.

Rows keep their places and numbers their columns, so that the eye finds them
again eight times per second; only what changes moves.
"""

from collections.abc import Iterator, Sequence

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from orchestrator.model.ports import Phase
from orchestrator.model.states import State
from orchestrator.report.tally import Flight, Tally
from orchestrator.report.words import UNKNOWN, count, counted, duration, name, pace, size

#: Items shown one by one; more would be read by nobody.
SHOWN = 6

#: Columns before the words of a line without a number.
_LABEL = 14

_VERBS = {State.UPLOADING: "upload", State.ENCODING: "encode", State.COLLECTING: "collect"}
_AT_WORK = (Phase.RUNNING, Phase.SAVING)
_COLOURS = {"upload": "blue", "encode": "magenta", "collect": "cyan"}


def picture(job: str, tally: Tally, now: float, width: int) -> Text:
    """The whole display; ``width`` is the terminal's, in columns."""
    flights = tally.flights()
    rows = [
        _overall(job, tally, now, width),
        *_stages(tally, flights, now),
        *_services(tally),
        Text(),
        *_few(flights, width),
    ]
    return Text("\n", no_wrap=True, overflow="crop").join(rows)


def line(job: str, tally: Tally, now: float) -> str:
    """The same in one line of plain text, for logs and pipes."""
    fraction, left = tally.fraction(), tally.left(now)
    parts = [f"{_done(tally)} done" + (f" ({fraction:.1%})" if fraction is not None else "")]
    if failed := tally.counts[State.FAILED]:
        parts.append(f"{count(failed)} failed")
    parts.append(pace(tally.per_second(now)))
    parts.append(f"{duration(left)} left" if left is not None else "time left unknown")
    uploads = tally.counts[State.UPLOADING]
    flying = f"uploading {count(uploads)}"
    if uploads:
        flying += f" at {size(tally.sent_per_second(now))}/s"
    flying += f", encoding {count(tally.counts[State.ENCODING])}"
    flying += f", collecting {count(tally.counts[State.COLLECTING])}"
    at = "".join(f"; at {each} {', '.join(words)}" for each, words in _shares(tally))
    return f"{job}: {', '.join(parts)}; {flying}{at}"


def _done(tally: Tally) -> str:
    whole = count(tally.total) if tally.total is not None else UNKNOWN
    return f"{count(tally.finished)} of {whole}"


def _overall(job: str, tally: Tally, now: float, width: int) -> Text:
    fraction, left = tally.fraction(), tally.left(now)
    shown = name(job, max(8, width // 6))
    facts = [
        (f"{fraction:6.1%}" if fraction is not None else f"{UNKNOWN:>6}", "bold"),
        (_done(tally), ""),
        (pace(tally.per_second(now)), "dim"),
        (f"{duration(left)} left" if left is not None else f"{UNKNOWN} left", ""),
    ]
    taken = cell_len(shown) + sum(len(words) + 2 for words, _ in facts) + 2
    text = Text(f"{shown}  ", style="bold").append_text(_bar(fraction or 0.0, width - taken))
    for words, style in facts:
        text.append("  ").append(words, style or "not bold")
    return text


def _bar(fraction: float, width: int) -> Text:
    full = round(max(8, width) * fraction)
    return Text("━" * full, "not bold green").append(
        "─" * (max(8, width) - full), "not bold bright_black"
    )


def _stages(tally: Tally, flights: Sequence[Flight], now: float) -> Iterator[Text]:
    counts = tally.counts
    encode = counts[State.STARTING] + counts[State.ENCODING]
    yield _stage("upload", counts[State.UPLOADING], _upload_words(tally, now))
    yield _stage("encode", encode, _encode_words(tally, flights))
    yield _stage("collect", counts[State.COLLECTING], _collect_words(tally, now))
    yield Text(f"  {'items':<{_LABEL}}  ", style="dim").append_text(_items_words(tally))


def _stage(stage: str, number: int, words: str) -> Text:
    text = Text(f"  {stage:<7}", style=_COLOURS[stage] if number else "dim")
    return text.append(f"{count(number):>7}  ", "default").append(words, "dim default")


def _upload_words(tally: Tally, now: float) -> str:
    waiting = tally.counts[State.UPLOADED]
    words = [f"{size(tally.sent_per_second(now))}/s", f"{size(tally.sent_bytes)} sent"]
    return " · ".join(words + ([f"{count(waiting)} wait for a place"] if waiting else []))


def _encode_words(tally: Tally, flights: Sequence[Flight]) -> str:
    working = [flight.percent for flight in flights if flight.phase in _AT_WORK]
    words = f"{count(len(working))} running"
    if working:
        words += f", {sum(working) / len(working):.0f}% on average"
    return f"{words} · {count(tally.phases[Phase.QUEUED])} queued"


def _collect_words(tally: Tally, now: float) -> str:
    return f"{size(tally.got_per_second(now))}/s · {size(tally.got_bytes)} fetched"


def _items_words(tally: Tally) -> Text:
    counts = tally.counts
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{count(counts[State.COMPLETED])} completed", "green")
    failed = counts[State.FAILED]
    text.append(" · ", "dim").append(f"{count(failed)} failed", "bold red" if failed else "dim")
    if cancelled := counts[State.CANCELLED]:
        text.append(f" · {count(cancelled)} cancelled", "dim")
    return text.append(f" · {count(max(0, counts[State.PENDING]))} pending", "dim")


def _services(tally: Tally) -> Iterator[Text]:
    """A line for each service, where there are several."""
    for service, words in _shares(tally):
        label = set_cell_size(name(service, _LABEL), _LABEL)
        yield Text(f"  {label}  ", style="dim").append(" · ".join(words), "dim default")


def _shares(tally: Tally) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """What is on its way at each service, and what it has done in this run."""
    flying = tally.flying() if tally.shares else {}
    for service, share in tally.shares.items():
        yield (
            service,
            (
                f"{count(flying.get(service, 0))} in flight",
                f"{count(share.completed)} completed",
                f"{count(share.failed)} failed",
            ),
        )


def _few(flights: Sequence[Flight], width: int) -> Iterator[Text]:
    """A few items of every stage, as many lines whatever is under way."""
    chosen = list(_chosen(flights))
    for flight in chosen:
        yield _flight(flight, max(16, min(width - 31, 76)))
    yield from [Text()] * (SHOWN - len(chosen))
    more = len(flights) - len(chosen)
    yield Text(f"  and {counted(more, 'more item')} under way" if more else "", style="dim")


def _chosen(flights: Sequence[Flight]) -> Iterator[Flight]:
    """Some of each stage, in the order of the stages: those at work first, then the oldest."""
    by_stage = [
        sorted((f for f in flights if f.state is state), key=lambda f: f.phase is Phase.QUEUED)
        for state in _VERBS
    ]
    room = [0, 0, 0]
    for _ in range(SHOWN):
        open_ = [n for n in range(3) if room[n] < len(by_stage[n])]
        if open_ and sum(room) < SHOWN:
            room[min(open_, key=lambda n: room[n])] += 1
    for stage, places in zip(by_stage, room, strict=True):
        yield from stage[:places]


def _flight(flight: Flight, width: int) -> Text:
    verb = _VERBS[flight.state]
    if flight.state is State.ENCODING:
        detail = flight.phase.value if flight.phase else ""
    else:
        detail = f"of {size(flight.total)}" if flight.total else ""
    shown = set_cell_size(name(flight.key, width), width)
    text = Text(f"  {verb:<7}", style=_COLOURS[verb])
    text.append(f"  {shown}  {flight.fraction:4.0%}  ", "default")
    return text.append(detail, "dim default")
