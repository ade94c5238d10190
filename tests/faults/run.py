#!/usr/bin/env python3
"""Runs schedules of faults against a real pipeline under load, and checks every answer.

    run.py LAMINA PYTHON SCHEDULE…

A schedule is text, one step a line, '#' begins a comment:

    rate 50                     requests a second, the whole time
    retry 20                    clients try again so many seconds when refused or cut off; without it never
    heartbeat 200               milliseconds, of the deployment
    keep constraints            the layers have to be where they are: nothing else fits
    machines one                where the three layers are: one machine, or three (without it)
    workers apart               on machines with networks of their own, started again by the test; without it the head's own
    memory vm2:209715200        bytes that this machine has
    disk vm2                    what it keeps is on a small disk; `head` for the head's directory
    at 2.0 kill vm2             kill -9; vm1 to vm3 are machines, `head` is the head
    at 2.0 stop vm2 / continue vm2
    at 2.0 restart head         the same command again; waits until it serves
    at 2.0 corrupt vm2          a byte of each file in the worker's store is changed; `forget vm2`: its files are removed
    at 2.0 cut vm2 / heal vm2   its link loses all that is sent, both ways; `cut vm1 vm2`: the link between them
    at 2.0 slow vm2 4mbit / fast vm2
    at 2.0 fill vm2 / free vm2  no more room on its disk
    at 2.0 exhaust vm2          its memory is taken, until the kernel ends it
    at 2.0 wait recoveries 1    until the status counts so many; also `wait whole`: all machines are there and compute, or
                                `wait whole 8`: in so many seconds; `wait gone vm2`, `wait unused vm2`: planned without it
    end 6
    expect failed <= 0          requests that were not answered; `wrong` is always 0
    expect status 503           those that failed have failed so
    expect recoveries >= 1
    expect silence <= 3         the longest time between two right answers, seconds
    expect log ran out of memory    words that the head's log has

Every request is counted: answered rightly, failed with a stated error, or the run fails. At the end no process, file or control
group is left, and each process has as many threads, files and as much memory as before the faults (leaks.py has the bounds).

Steps of the second half of the list need rights of root. Where they are lacking such schedules are skipped, and the end is 77 if
all were; it is an error where LAMINA_REQUIRE_FAULTS is set.
"""
import operator
import os
import pathlib
import sys
import tempfile
import time

import leaks
import network
from testbed import MACHINES, Testbed, longest_silence, plan, prepare

COMPARE = {"<=": operator.le, ">=": operator.ge, "==": operator.eq}
WARM_UP_SECONDS = 1.0
SKIPPED = 77


class Schedule:
    def __init__(self, path: pathlib.Path):
        self.name = path.stem
        self.settings = {"rate": 50.0, "retry": 0.0, "heartbeat": 200.0, "machines": "three", "keep": "no", "workers": "local",
                         "memory": "no"}
        self.disks: list[str] = []
        self.steps: list[tuple[float, list[str]]] = []
        self.expected: list[list[str]] = []
        self.end = 0.0
        for line in path.read_text().splitlines():
            words = line.partition("#")[0].split()
            if not words:
                continue
            match words:
                case ["at", moment, *step]:
                    self.steps.append((float(moment), step))
                case ["end", moment]:
                    self.end = float(moment)
                case ["expect", *what]:
                    self.expected.append(what)
                case ["disk", name]:
                    self.disks.append(name)
                case [key, value] if key in self.settings:
                    self.settings[key] = type(self.settings[key])(value)
                case _:
                    raise ValueError(f"{path}: '{line}' is no step")
        self.steps.sort(key=lambda step: step[0])

    def needs_root(self) -> bool:
        return self.settings["workers"] == "apart" or bool(self.disks) or any(step[0] == "exhaust" for _, step in self.steps)


def run(schedule: Schedule, lamina: pathlib.Path, folder: pathlib.Path, net: network.Network | None) -> list[str]:
    settings = schedule.settings
    plan(lamina, folder, settings["machines"], settings["keep"], settings["memory"])
    bed = Testbed(lamina, folder, schedule.name, rate=settings["rate"], retry=settings["retry"], heartbeat=settings["heartbeat"],
                  net=net if settings["workers"] == "apart" else None, disks=schedule.disks)
    problems, done, answers = [], [], []
    try:
        time.sleep(WARM_UP_SECONDS)
        before = leaks.holdings(bed.pids())
        begin = time.monotonic()
        for moment, step in schedule.steps:
            time.sleep(max(0.0, begin + moment - time.monotonic()))
            done.append((time.monotonic(), " ".join(step)))
            bed.perform(step)
        time.sleep(max(0.0, begin + schedule.end - time.monotonic()))
        answers = bed.load.stop()
        bed.wait_until_whole()
        status = bed.deployment.status()
        problems = bed.check_answers(answers) + unmet(schedule, bed, answers, status)
        problems += leaks.beyond(before, bed.pids)
        report(schedule, done, answers, status)
    except RuntimeError as problem:
        problems.append(str(problem))
    finally:
        problems += bed.close()
    if problems:
        print(bed.deployment.log.read_text()[-4000:])
    return problems


def report(schedule: Schedule, done: list, answers: list, status: dict) -> None:
    last = max((one.end for one in answers), default=0.0)
    faults = [(moment, what) for moment, what in done if not what.startswith("wait")]
    for number, (moment, what) in enumerate(faults):
        end = faults[number + 1][0] if number + 1 < len(faults) else last
        print(f"  {what}: no answer for {longest_silence(answers, moment, max(end, moment + 1)) * 1e3:.0f} ms at most")
    recovery = status["recovery"]
    slowest = max((one.seconds for one in answers), default=0)
    print(f"  {len(answers)} requests, {sum(not one.right for one in answers)} failed, slowest {slowest:.2f} s; "
          f"{recovery['recoveries']} recoveries, the last in {recovery['last_seconds']:.2f} s, {recovery['replans']} planned changes, "
          f"{recovery['requests_resent']} sent again", flush=True)


def unmet(schedule: Schedule, bed: Testbed, answers: list, status: dict) -> list[str]:
    failed = [one for one in answers if one.status != 200]
    silence = longest_silence(answers, bed.begin, max((one.end for one in answers), default=0.0))
    figures = {"failed": len(failed), "silence": silence, **status["recovery"]}
    problems = []
    for what in schedule.expected:
        match what:
            case ["status", *codes]:
                other = [one for one in failed if str(one.status) not in codes]
                if other:
                    problems.append(f"{len(other)} failed otherwise than with {codes}: {other[0]}")
            case ["log", *words]:
                if " ".join(words) not in bed.deployment.log.read_text():
                    problems.append(f"the log does not say '{' '.join(words)}'")
            case [key, sign, limit]:
                if not COMPARE[sign](figures[key], float(limit)):
                    said = f": {failed[0].status} {failed[0].text}" if key == "failed" and failed else ""
                    problems.append(f"{key} is {figures[key]}, expected {sign} {limit}{said}")
            case _:
                raise ValueError(f"'{' '.join(what)}' can't be expected")
    return problems


def possible(schedules: list[Schedule]) -> tuple[list[Schedule], network.Network | None]:
    """Those that can be run here, on the network that some need."""
    if not any(schedule.needs_root() for schedule in schedules):
        return schedules, None
    problem = network.may_enter()
    if not problem:
        network.enter()
        return schedules, network.Network(MACHINES)
    if os.environ.get("LAMINA_REQUIRE_FAULTS"):
        sys.exit(f"these faults can't be made here: {problem}")
    left = [schedule for schedule in schedules if not schedule.needs_root()]
    for schedule in schedules:
        if schedule not in left:
            print(f"{schedule.name}\n  skipped: {problem}")
    return left, None


def main() -> None:
    lamina, python = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).absolute()
    schedules, net = possible([Schedule(pathlib.Path(path)) for path in sys.argv[3:]])
    if not schedules:
        sys.exit(SKIPPED)
    failed = False
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        prepare(lamina, python, folder)
        for schedule in schedules:
            print(schedule.name, flush=True)
            problems = run(schedule, lamina, folder, net)
            for problem in problems:
                print(f"  FAILED: {problem}", flush=True)
            failed = failed or bool(problems)
    sys.exit(failed)


if __name__ == "__main__":
    main()
