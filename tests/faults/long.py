#!/usr/bin/env python3
"""Ten thousand requests with a fault of a random kind on a random machine every twenty seconds: none wrong, none lost.

    long.py LAMINA PYTHON [--workers apart] [--seed N] [--requests 10000] [--rate 25] [--every 20]

The seed is printed; the same one gives the same faults. While the head lives no request may fail; where it was killed, clients try
again until it is back. Prints how long recoveries took: the time without an answer, and the time until all machines compute again
once the fault is over.
"""
import argparse
import dataclasses
import os
import pathlib
import random
import statistics
import sys
import tempfile
import time

import leaks
import network
from testbed import MACHINES, Testbed, longest_silence, plan, prepare

KINDS = ("kill", "stop", "damaged store", "head killed", "partition")
RETRY_SECONDS = 60
# Memory and files are compared with what they were after so many faults: pools and caches have filled by then.
WARM_UP_FAULTS = 3


@dataclasses.dataclass
class Fault:
    kind: str
    machines: tuple[str, ...]
    hold: float  # seconds that it lasts, where it does
    begin: float = 0.0
    over: float = 0.0
    whole: float = 0.0

    @staticmethod
    def random(chance: random.Random, kinds: tuple[str, ...]) -> "Fault":
        kind = chance.choice(kinds)
        machines = tuple(chance.sample(MACHINES, 2 if kind == "partition" and chance.random() < 0.3 else 1))
        return Fault(kind, machines, chance.uniform(0.2, 8.0))

    def steps(self) -> tuple[list[list[str]], list[list[str]]]:
        """What begins it, and what ends it `hold` seconds later."""
        match self.kind:
            case "kill":
                return [["kill", *self.machines]], []
            case "damaged store":
                return [["corrupt", *self.machines], ["kill", *self.machines]], []
            case "stop":
                return [["stop", *self.machines]], [["continue", *self.machines]]
            case "partition":
                return [["cut", *self.machines]], [["heal", *self.machines]]
            case _:
                return [["kill", "head"]], [["restart", "head"]]

    def run(self, bed: Testbed) -> None:
        first, last = self.steps()
        before = bed.deployment.status()["recovery"]["recoveries"]
        self.begin = time.monotonic()
        for step in first:
            bed.perform(step)
        if last and self.kind != "head killed":
            time.sleep(self.hold)
        if not last:
            bed.perform(["wait", "recoveries", before + 1])
        for step in last:
            bed.perform(step)
        self.over = time.monotonic()
        bed.wait_until_whole()
        self.whole = time.monotonic()

    def said(self) -> str:
        held = f" for {self.hold:.1f} s" if self.kind in ("stop", "partition") else ""
        return f"{self.kind}{'' if self.kind == 'head killed' else ' ' + '-'.join(self.machines)}{held}"


def cause(bed: Testbed, options: argparse.Namespace, chance: random.Random, faults: list[Fault]) -> list[str]:
    kinds = KINDS if options.workers == "apart" else KINDS[:-1]
    before = None
    next_one = time.monotonic() + options.every / 4
    while bed.load.sent < options.requests:
        if time.monotonic() < next_one:
            time.sleep(0.1)
            continue
        next_one = time.monotonic() + options.every
        fault = Fault.random(chance, kinds)
        print(f"  {bed.load.sent} requests; {fault.said()}", end="", flush=True)
        faults.append(fault)
        fault.run(bed)
        print(f"; whole {fault.whole - fault.over:.2f} s after it was over", flush=True)
        if len(faults) == WARM_UP_FAULTS:
            time.sleep(1)
            before = leaks.holdings(bed.pids())
    bed.load.stopping.set()
    bed.wait_until_whole()
    return leaks.beyond(before, bed.pids) if before else []


def failures(answers: list, faults: list[Fault]) -> list[str]:
    """Requests that were never answered, and those that failed at first though no head was killed meanwhile."""
    lost = [one for one in answers if one.status != 200]
    problems = [f"{len(lost)} requests lost: {lost[0]}"] if lost else []
    gone = [(fault.begin, fault.whole) for fault in faults if fault.kind == "head killed"]
    # A connection that a client has kept since before is found broken when it is used the next time.
    again = [one for one in answers if one.tries > 1 and not any(one.end > begin and one.opened < end for begin, end in gone)]
    if again:
        problems.append(f"{len(again)} requests failed at first though the head lived: {again[0]}")
    return problems


def report(answers: list, faults: list[Fault]) -> None:
    print(f"  {len(answers)} requests, {sum(one.status == 200 and not one.right for one in answers)} wrong, "
          f"{sum(one.status != 200 for one in answers)} lost, {sum(one.tries > 1 for one in answers)} tried again by their clients")
    print("  | fault | times | no answer for, s: median, worst | whole again after, s: median, worst |")
    print("  | --- | --- | --- | --- |")
    for kind in KINDS:
        some = [fault for fault in faults if fault.kind == kind]
        if not some:
            continue
        silences = [longest_silence(answers, fault.begin, fault.whole + 1) for fault in some]
        wholes = [fault.whole - fault.over for fault in some]
        print(f"  | {kind} | {len(some)} | {statistics.median(silences):.2f}, {max(silences):.2f} "
              f"| {statistics.median(wholes):.2f}, {max(wholes):.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lamina", type=pathlib.Path)
    parser.add_argument("python", type=pathlib.Path)
    parser.add_argument("--workers", choices=["local", "apart"], default="local")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=25, help="requests a second")
    parser.add_argument("--every", type=float, default=20, help="seconds from fault to fault")
    options = parser.parse_args()
    net = None
    if options.workers == "apart":
        if problem := network.may_enter():
            print(f"skipped: {problem}")
            sys.exit(1 if os.environ.get("LAMINA_REQUIRE_FAULTS") else 77)
        network.enter()
        net = network.Network(MACHINES)
    print(f"workers {options.workers}, seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        lamina = options.lamina.resolve()
        prepare(lamina, options.python.absolute(), folder)
        plan(lamina, folder, "three", "no", "no")
        bed = Testbed(lamina, folder, "long", rate=options.rate, retry=RETRY_SECONDS, heartbeat=500, net=net)
        problems, faults = [], []
        try:
            problems = cause(bed, options, random.Random(options.seed), faults)
            answers = bed.load.stop()
            problems += bed.check_answers(answers) + failures(answers, faults)
            report(answers, faults)
        except RuntimeError as problem:
            problems.append(str(problem))
        finally:
            problems += bed.close()
        for problem in problems:
            print(f"  FAILED: {problem}")
        if problems:
            print(bed.deployment.log.read_text()[-20000:])
            for name in MACHINES if net else ():
                print(f"{name}:\n{(bed.state / name / 'worker.log').read_text()[-3000:]}")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
