"""A service that says "busy" beyond a capacity which moves between 50 and 500. Simulated.

The scenario was fixed before anything was measured with it, but for what is said below to
be of later. A night of 20,000 encodes, lognormal (sigma 0.6) around 5 minutes of mean,
longest first by a guess that is wrong by a factor (lognormal, sigma 0.4), as
``order = "longest"`` guesses by size, so that no tail of long ones hides what a policy
does. Five kinds of weather:

- walk: every minute the capacity takes a step of 5 % (one standard deviation) up or
  down. This is what the goals are for.
- walk, 10 s named: the same, and each refusal asks for a pause of 10 seconds. For our
  gate alone; scripts that sleep by themselves do not read it.
- walk, a quarter as fast: such a step every four minutes, which says how much of what
  is lost is the price of news. For our gate alone, without a goal, and added later.
- stands still: the capacity stays what it is at first, as most accounts' does. For our
  gate alone, without a goal, and added later.
- leaps: every 5 to 15 minutes the capacity is anywhere, from one minute to the next.
  Shown without a goal, for this can't be had at once: encodes of 300 s in c places pay,
  at 2 %, for one refusal in 15,000/c seconds, so for about eight from one leap to the
  next, and learning a fall takes several of them. A rise is silent until a start is
  risked beyond what is known, so it lies idle for minutes of the ten that it lasts.

A start is answered after 0.2 s. An end is seen 0 to 10 s late; by our gate, since later,
when the product's own poller sees it, set as for a Qencode account and told percents that
err. Running encodes share a capacity that has fallen below them, so the bound is true: the time at
which the capacity so far adds up to the work. All policies have the same capacity and
encodes for the same seed, on a virtual clock; no seed was used to tune the gate. One night
of the walk says little, as makespans lie some 1.5 % apart: the goals are held over twenty
(five at first).
"""

import random
import sys
from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from benchmarks.admission.account import Account, Capacity, Weather, leap, stay, walk
from benchmarks.admission.policies import OURS, POLICIES, Policy
from benchmarks.harness import Goal, Result, table
from tests.simulation.clock import run_virtually

SEEDS = tuple(range(11, 31))

#: The seeds of weathers without a goal.
FEW = SEEDS[:5]

ITEMS = 20_000

#: Seconds that an encode takes, on average.
ENCODE = 300.0

#: At most this share of starts refused, and this much of the bound: the goals.
MOST_REFUSED, LONGEST = 0.02, 1.05

WALK = Weather("walk", walk, (60, 60))
NAMED = Weather("walk, 10 s named", walk, (60, 60), delay=10.0)
CALM = Weather("walk, a quarter as fast", walk, (240, 240))
STILL = Weather("stands still", stay, (600, 600))
LEAPS = Weather("leaps", leap, (300, 900))

#: What scripts are not tried in.
FOR_OURS = (NAMED, CALM, STILL)

Figures = dict[str, float]


def encodes(seed: int, count: int) -> list[float]:
    """So many durations in seconds, the same for the same seed; the longest by guess last."""
    chance = random.Random(f"items {seed}")
    lengths = [chance.lognormvariate(0, 0.6) for _ in range(count)]
    lengths.sort(key=lambda length: length * chance.lognormvariate(0, 0.4))
    scale = ENCODE * count / sum(lengths)
    return [length * scale for length in lengths]


def night(weather: Weather, policy: Policy, seed: int, count: int = ITEMS) -> Figures:
    """One policy in one weather: calls, the share of them refused, makespan over bound."""
    work = encodes(seed, count)
    capacity = Capacity(weather, seed)
    bound = capacity.done_after(sum(work))

    async def run() -> Account:
        account = Account(capacity, weather.delay)
        await policy(account, work, random.Random(seed))
        await account.idle()
        return account

    random.seed(seed)  # the gate's jitter
    account = run_virtually(run)
    return {
        "calls": account.calls,
        "refused": account.refused / max(1, account.calls),
        "makespan": account.last_end / bound,
    }


def summary(nights: Sequence[Figures]) -> Figures:
    """The mean over the seeds, and the worst of them."""
    found = {name: mean(one[name] for one in nights) for name in nights[0]}
    worst = {f"worst {name}": max(one[name] for one in nights) for name in nights[0]}
    return {"nights": len(nights)} | found | worst


def bench() -> dict[str, Figures]:
    """Every policy in every weather."""
    found = {}
    for weather in (WALK, NAMED, CALM, STILL, LEAPS):
        for name, policy in POLICIES.items():
            if weather in FOR_OURS and name != OURS:
                continue
            print(f"  {weather.name}: {name}", file=sys.stderr, flush=True)
            seeds = SEEDS if weather is WALK else FEW
            found[f"{weather.name}: {name}"] = summary(
                [night(weather, policy, seed) for seed in seeds]
            )
    return found


def goals(found: Mapping[str, Figures]) -> dict[str, Goal]:
    """What is asked of the gate, in the mean over the seeds."""
    ours = found[f"{WALK.name}: {OURS}"]
    return {
        "walk, 2 % / refused": Goal(1.0, MOST_REFUSED / ours["refused"]),
        "walk, 1.05 bound / makespan": Goal(1.0, LONGEST / ours["makespan"]),
    }


def shown(found: Mapping[str, Figures]) -> str:
    """The table for people."""
    heads = [
        "capacity: policy",
        "nights",
        "starts",
        "refused",
        "worst",
        "makespan / bound",
        "worst",
    ]
    rows = [
        [
            name,
            f"{each['nights']:.0f}",
            f"{each['calls']:,.0f}",
            f"{100 * each['refused']:.2f} %",
            f"{100 * each['worst refused']:.2f} %",
            f"{each['makespan']:.3f}",
            f"{each['worst makespan']:.3f}",
        ]
        for name, each in found.items()
    ]
    return table(heads, rows)


def main() -> None:
    """Run the benchmark."""
    print(
        f"{ITEMS:,} encodes of {ENCODE:.0f} s (lognormal), seeds from {SEEDS[0]} on: "
        "the mean over the nights, and the worst"
    )
    found = bench()
    figures: dict[str, Any] = {
        name: {key: round(value, 4) for key, value in each.items()} for name, each in found.items()
    }
    result = Result("busy", {"seeds": SEEDS, "items": ITEMS} | figures, goals(found))
    print(shown(found))
    print(f"\n{result.verdict()}")
    print(result.line())


if __name__ == "__main__":
    main()
