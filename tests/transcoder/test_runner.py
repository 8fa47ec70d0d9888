"""Running processes: progress, reasons, limits, and that nothing is ever left."""

import asyncio
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.transcoder.processes import child
from orchestrator.transcoder.progress import Board, Meter
from orchestrator.transcoder.runner import EncodeError, Limits, Stuck, run
from tests.media import children

# --- the meter ---------------------------------------------------------------


def block(meter: Meter, end: str = "continue", **fields: object) -> bool:
    moved = [meter.feed(f"{key}={value}\n") for key, value in fields.items()]
    return meter.feed(f"progress={end}\n") or any(moved)


def test_frames_tell_the_percent_where_they_are_known():
    meter = Meter(200, 8.0)
    block(meter, frame=50, out_time_ms=7_900_000)
    assert meter.percent == 25.0


def test_time_tells_it_otherwise_and_its_fields_hold_microseconds():
    meter = Meter(None, 8.0)
    block(meter, out_time_us="N/A", out_time_ms="N/A")
    assert meter.percent == 0.0
    block(meter, out_time_ms=2_000_000)
    assert meter.percent == 25.0
    block(meter, out_time_us=4_000_000, out_time_ms=4_000_000)
    assert meter.percent == 50.0
    block(meter, out_time_us=-40_000)
    assert meter.percent == 50.0


def test_without_an_end_there_is_no_percent():
    meter = Meter(None, None)
    block(meter, frame=50, out_time_us=1_000_000)
    assert meter.percent == 0.0


def test_only_a_change_counts_as_a_step_forward():
    meter = Meter(100, None)
    assert block(meter, frame=1, fps=9.0)
    assert not block(meter, frame=1, fps=3.0)
    assert block(meter, frame=1, total_size=48)


@given(st.lists(st.tuples(st.integers(-5, 500), st.text(max_size=6)), max_size=20))
def test_the_percent_never_falls_and_stays_below_the_end(steps):
    meter, seen = Meter(100, 4.0), [0.0]
    for frame, noise in steps:
        meter.feed(f"{noise}\n")
        block(meter, frame=frame)
        seen.append(meter.percent)
    assert seen == sorted(seen)
    assert seen[-1] < 100


def test_the_board_tells_only_what_rose():
    told: list[dict[str, float]] = []
    board = Board(("a", "b"), lambda percents: told.append(dict(percents)))
    board.reach(("a",), 40)
    board.reach(("a",), 30)
    board.reach(("a", "b"), 40)
    assert told == [{"a": 40, "b": 0}, {"a": 40, "b": 40}]


# --- the runner, with scripts in ffmpeg's place ------------------------------


async def play(
    tmp_path: Path, script: str, *, told: list[float] | None = None, **limits: float
) -> int:
    """Run a script as if it were ffmpeg."""
    return await run(
        (sys.executable, "-c", script),
        folder=tmp_path,
        source=Path("/srv/secret/clip.mp4"),
        meter=Meter(100, None),
        tell=(told if told is not None else []).append,
        limits=Limits(**limits),
    )


SPEAKS = """
for frame in (10, 40, 40, 30, 100):
    print(f"frame={frame}\\nprogress=continue", flush=True)
"""


async def test_progress_arrives_while_it_runs_and_ends_at_100(tmp_path):
    told: list[float] = []
    assert await play(tmp_path, SPEAKS, told=told) == 0
    assert told == sorted(told)
    assert set(told) == {10.0, 40.0, 99.0, 100.0}


async def test_complaints_about_the_source_are_counted_and_ours_are_not(tmp_path):
    lines = [
        "[h264 @ 0x1] [error] error while decoding MB 1 1",
        "[aac @ 0x1] [error] channel element 0.0 is not allocated",
        "[mov,mp4,m4a,3gp,3g2,mj2 @ 0x1] [error] partial file",
        "[libx264 @ 0x1] [error] not about the source",
        "[mp4 @ 0x1] [error] nor this",
        "[out#0/mp4 @ 0x1] [error] nor that",
    ]
    assert await play(tmp_path, f"import sys\nsys.stderr.write({chr(10).join(lines)!r})") == 3


@pytest.mark.parametrize(
    ("said", "status", "reason"),
    [
        ("[out#0/mp4] [error] Error writing: No space left on device", 1, "disk is full"),
        ("[vost#0:0] [error] Cannot allocate memory", 1, "ran out of memory"),
        ("[fc#0] [error] odd thing in /srv/secret/clip.mp4", 1, "odd thing in clip.mp4"),
        ("", 7, "it gave no reason"),
        ("[vist#0:0] [error] Decode error rate 1 exceeds maximum 0.66", 69, "can't be decoded"),
    ],
)
async def test_a_failure_is_told_in_plain_words(tmp_path, said, status, reason):
    script = f"import sys\nprint({said!r}, file=sys.stderr)\nsys.exit({status})"
    with pytest.raises(EncodeError, match=reason) as caught:
        await play(tmp_path, script)
    assert "/srv" not in str(caught.value)


async def test_a_flood_on_stderr_neither_blocks_nor_fills_the_memory(tmp_path):
    flood = "import sys\nfor n in range(100_000): sys.stderr.write(f'[h264 @ 1] [error] {n}\\n')"
    assert await play(tmp_path, flood) == 100_000


async def test_being_killed_from_outside_says_so(tmp_path):
    with pytest.raises(EncodeError, match=r"ended from outside \(signal 9\)"):
        await play(tmp_path, "import os\nos.kill(os.getpid(), 9)")


async def test_a_program_that_is_not_there_is_an_error_in_words(tmp_path):
    with pytest.raises(EncodeError, match="could not be started"):
        await run(
            (str(tmp_path / "nope"),),
            folder=tmp_path,
            source=tmp_path,
            meter=Meter(None, None),
            tell=lambda _: None,
            limits=Limits(),
        )


HANGS = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
while True:
    print("frame=1\\nprogress=continue", flush=True)
    time.sleep(0.02)
"""


async def test_one_that_stands_still_is_ended(tmp_path):
    with pytest.raises(Stuck, match=r"stood still for 0\.3 seconds"):
        await play(tmp_path, HANGS, stall=0.3)
    assert children() == []


async def test_one_that_takes_too_long_is_ended(tmp_path):
    with pytest.raises(Stuck, match=r"took longer than 0\.3 seconds"):
        await play(tmp_path, HANGS, wall=0.3)
    assert children() == []


async def test_cancelling_ends_it_and_all_that_it_started(tmp_path):
    # The grandchild holds no pipe of ours, and would outlive a mere kill of its parent.
    script = (
        "import subprocess, sys\n"
        "quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "nap = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
        "print('grandchild', subprocess.Popen(nap, **quiet).pid, file=open('pid', 'w'))\n"
    )
    reached = asyncio.Event()
    running = asyncio.create_task(
        run(
            (sys.executable, "-c", script + HANGS),
            folder=tmp_path,
            source=tmp_path,
            meter=Meter(100, None),
            tell=lambda _: reached.set(),
            limits=Limits(),
        )
    )
    await reached.wait()
    grandchild = os.pidfd_open(int((tmp_path / "pid").read_text().split()[1]))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert children() == []
    assert select.select([grandchild], [], [], 10)[0]
    os.close(grandchild)


async def test_the_niceness_is_added(tmp_path):
    script = "import os, sys\nprint(os.nice(0), file=open('nice', 'w'))"
    await run(
        (sys.executable, "-c", script),
        folder=tmp_path,
        source=tmp_path,
        meter=Meter(None, None),
        tell=lambda _: None,
        limits=Limits(nice=3),
    )
    assert int((tmp_path / "nice").read_text()) == min(19, os.nice(0) + 3)


PARENT = """
import asyncio, sys
from orchestrator.transcoder.processes import child

async def main():
    nap = [sys.executable, "-c", "import time; time.sleep(600)"]
    async with child(nap) as process:
        print(process.pid, flush=True)
        await process.wait()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child to its parent")
def test_children_die_with_a_parent_that_was_killed():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        orphan = os.pidfd_open(int(parent.stdout.readline()))
        parent.send_signal(signal.SIGKILL)
        assert select.select([orphan], [], [], 10)[0]
        os.close(orphan)


async def test_a_child_can_be_waited_for_and_leaves_nothing():
    async with child((sys.executable, "-c", "print(1)")) as process:
        assert (await process.communicate())[0] == b"1\n"
    assert children() == []
