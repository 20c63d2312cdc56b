"""`make chaos`: break everything for a while, and check whether any acknowledged write is lost.

    python -m chaos [--seconds S] [--faults N] [--seed N] [--only FAULT] [--naive] [--json FILE]

Exits with 1 if anything is wrong. The same seed gives the same faults in the same order.
"""

from __future__ import annotations

import argparse
import itertools
import json
import secrets
import signal
import sys
import time
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from statistics import median_low

from rich.console import Console
from rich.table import Table

from chaos.injector import RECOVERY_SECONDS, Inflicted
from chaos.run import Outcome, Plan, run


def main() -> None:
    """Run, report, and judge."""
    options = _arguments()
    plan = Plan(
        seconds=options.seconds,
        faults=options.faults,
        seed=options.seed,
        naive=options.naive,
        only=options.only,
        lease=options.lease,
        rate=options.rate,
    )
    console = Console(width=120)
    console.print(f"{plan.faults} faults in {plan.seconds:.0f} s, seed {plan.seed} …")
    # Ending it ends everything it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    began, numbers = time.monotonic(), itertools.count(1)

    def tell(fault: Inflicted) -> None:
        recovery = (
            f"not over within {RECOVERY_SECONDS:.0f} s"
            if fault.recovery is None
            else f"over after {fault.recovery:.1f} s"
        )
        console.print(
            f"{fault.mended - began:6.0f} s  {next(numbers)}/{plan.faults}  {fault.name}: {recovery}", style="dim"
        )

    outcome = run(plan, tell)
    report(outcome, console)
    if options.json:
        options.json.write_text(json.dumps({**asdict(outcome), "lost": outcome.lost}, indent=2) + "\n")
    sys.exit(1 if outcome.lost else 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60, help="how long, about")
    parser.add_argument("--faults", type=int, default=20, help="how many")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="the seed of the faults")
    parser.add_argument("--only", default="", metavar="FAULT", help="only faults whose names contain this")
    parser.add_argument("--naive", action="store_true", help="commit, then send: see it lose")
    parser.add_argument("--lease", type=int, default=5, help="seconds of a worker's lease")
    parser.add_argument("--rate", type=float, default=6, help="writes, and orders, per second")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the report here")
    return parser.parse_args()


def report(outcome: Outcome, console: Console) -> None:
    """Print what was done, and the outcome."""
    faults = Table("fault", "times", "recovery p50 / max", title="Faults", title_justify="left")
    by_name: dict[str, list[float]] = defaultdict(list)
    for each in outcome.inflicted:
        by_name[each.name].append(float("inf") if each.recovery is None else each.recovery)
    for name, seconds in sorted(by_name.items()):
        faults.add_row(name, str(len(seconds)), f"{median_low(seconds):.2f} / {max(seconds):.2f} s")
    console.print(faults)
    books = Table("what", "wrong", "of", title="Accounting", title_justify="left")
    for entry in outcome.entries:
        books.add_row(entry.what, str(entry.wrong), str(entry.of), style="bold red" if entry.wrong else "")
        for example in entry.examples:
            books.add_row(f"  {example[:300]}", "", "", style="red")
    console.print(books)
    for name, number in outcome.counted.items():
        console.print(f"{name}: {number:.10g}")
    for each in outcome.inflicted:
        if each.error:
            console.print(f"{each.name} could not do all it should: {each.error}"[:400], style="dim")
    console.print("Something is wrong." if outcome.lost else "Nothing was lost.", style="bold")


if __name__ == "__main__":
    main()
