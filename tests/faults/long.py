#!/usr/bin/env python3
"""Ten thousand requests with a fault of a random kind on a random machine every twenty seconds: none wrong, none lost.

    long.py LAMINA PYTHON [--workers apart] [--model ResNet50] [--seed N] [--requests 10000] [--rate 25] [--every 20]

Every other time there are two faults: at once, or the second while the head plans anew since the machine of the first is back.
The seed is printed; the same one gives the same faults. While the head lives no request may fail; where it was killed, clients try
again until it is back. Prints how long recoveries took: the time without an answer, and the time until all machines compute again
once the faults are over. Faults of memory, disks and links need root; local workers do without them where it is lacking.
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
from chance import Draw, Occasion
from deployment import thirds
from testbed import HERE, LAYERS, MACHINES, Testbed, longest_silence, plan, prepare

ANYWHERE = ("kill", "stop", "damaged store", "head killed")
LOCAL = (*ANYWHERE, "out of memory", "disk full")
APART = (*ANYWHERE, "partition", "slow link", "disk full")
RETRY_SECONDS = 60
# What the logs say of faults that would show nowhere else if they had not happened.
EVIDENCE = {"disk full": "No space left on device", "out of memory": "ran out of memory"}
# Memory and files are compared with what they were after so many faults: pools and caches have filled by then.
WARM_UP_FAULTS = 3


@dataclasses.dataclass
class Model:
    """What makes it, what a machine has for it, how slow a slow link is, how much memory may come and go with a stage, and whether
    control groups limit memory, which is so below 256 MiB."""
    maker: tuple
    rate: float
    memory: str
    disk: str
    link: str
    stage_bytes: int
    by_group: bool


MODELS = {
    "small": Model((HERE / "make_model.py",), 25, "240MiB", "4m", "4mbit", 0, True),
    "ResNet50": Model((HERE / "make_application.py", "ResNet50"), 5, "1GiB", "400m", "100mbit", 400 << 20, False),
}


def cause(bed: Testbed, options: argparse.Namespace, draw: Draw, occasions: list[Occasion]) -> list[str]:
    model = MODELS[options.model]
    before = None
    next_one = time.monotonic() + options.every / 4
    while bed.load.sent < options.requests:
        if time.monotonic() < next_one:
            time.sleep(0.1)
            continue
        next_one = time.monotonic() + options.every
        occasion = draw.occasion()
        print(f"  {bed.load.sent} requests; {occasion.said()}", end="", flush=True)
        occasions.append(occasion)
        occasion.run(bed, model.link)
        print(f"; whole {occasion.whole - occasion.over:.2f} s after it was over", flush=True)
        if len(occasions) == WARM_UP_FAULTS:
            time.sleep(1)
            before = leaks.holdings(bed.pids())
    bed.load.stopping.set()
    bed.wait_until_whole()
    return leaks.beyond(before, bed.pids, model.stage_bytes) if before else []


def failures(answers: list, occasions: list[Occasion]) -> list[str]:
    """Requests that were never answered, and those that failed at first though no head was killed meanwhile."""
    lost = [one for one in answers if one.status != 200]
    problems = [f"{len(lost)} requests lost: {lost[0]}"] if lost else []
    gone = [(occasion.begin, occasion.whole) for occasion in occasions if occasion.kills_head()]
    # A connection that a client has kept since before is found broken when it is used the next time.
    again = [one for one in answers if one.tries > 1 and not any(one.end > begin and one.opened < end for begin, end in gone)]
    if again:
        problems.append(f"{len(again)} requests failed at first though the head lived: {again[0]}")
    return problems


def unseen(bed: Testbed, occasions: list[Occasion]) -> list[str]:
    kinds = {fault.kind for occasion in occasions for fault in occasion.faults}
    logs = "".join(path.read_text(errors="replace") for path in (bed.deployment.log, *bed.state.glob("*/worker.log")))
    return [f"the logs do not say '{words}'" for kind, words in EVIDENCE.items() if kind in kinds and words not in logs]


def report(answers: list, occasions: list[Occasion]) -> None:
    print(f"  {len(answers)} requests, {sum(one.status == 200 and not one.right for one in answers)} wrong, "
          f"{sum(one.status != 200 for one in answers)} lost, {sum(one.tries > 1 for one in answers)} tried again by their clients; "
          f"{len(occasions)} times a fault, {sum(len(occasion.faults) for occasion in occasions)} faults")
    print("  | fault | times | no answer for, s: median, worst | whole again after, s: median, worst |")
    print("  | --- | --- | --- | --- |")
    for kind in dict.fromkeys(sorted((occasion.kind for occasion in occasions), key=lambda kind: (kind.startswith("two"), kind))):
        some = [occasion for occasion in occasions if occasion.kind == kind]
        silences = [longest_silence(answers, occasion.begin, occasion.whole + 1) for occasion in some]
        wholes = [occasion.whole - occasion.over for occasion in some]
        print(f"  | {kind} | {len(some)} | {statistics.median(silences):.2f}, {max(silences):.2f} "
              f"| {statistics.median(wholes):.2f}, {max(wholes):.2f} |", flush=True)


def rights(options: argparse.Namespace) -> tuple[tuple[str, ...], network.Network | None]:
    """The kinds of faults that can be made here, and the network that they need. Starts this program again where it has its own."""
    problem = network.may_enter()
    if not problem:
        network.enter()
        return (APART if options.workers == "apart" else LOCAL), network.Network(MACHINES)
    print(f"skipped{'' if options.workers == 'apart' else ', faults of memory and disks'}: {problem}")
    if os.environ.get("LAMINA_REQUIRE_FAULTS"):
        sys.exit(1)
    if options.workers == "apart":
        sys.exit(77)
    return ANYWHERE, None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lamina", type=pathlib.Path)
    parser.add_argument("python", type=pathlib.Path)
    parser.add_argument("--workers", choices=["local", "apart"], default="local")
    parser.add_argument("--model", choices=MODELS, default="small")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=0, help="requests a second; 0: as suits the model")
    parser.add_argument("--every", type=float, default=20, help="seconds from fault to fault")
    options = parser.parse_args()
    kinds, net = rights(options)
    apart = options.workers == "apart"
    model = MODELS[options.model]
    if not model.by_group:
        kinds = tuple(kind for kind in kinds if kind != "out of memory")
    print(f"workers {options.workers}, model {options.model}, seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        lamina = options.lamina.resolve()
        prepare(lamina, options.python.absolute(), folder, model.maker, memory=model.memory)
        plan(lamina, folder, "three", "no", "no", LAYERS if options.model == "small" else thirds(folder / "cut", MACHINES))
        bed = Testbed(lamina, folder, "long", rate=options.rate or model.rate, retry=RETRY_SECONDS, heartbeat=500,
                      net=net if apart else None, disks=[] if net is None else MACHINES if apart else ["head"],
                      memory=model.memory, disk_size=model.disk)
        problems, occasions = [], []
        try:
            problems = cause(bed, options, Draw(options.seed, kinds), occasions)
            answers = bed.load.stop()
            problems += bed.check_answers(answers) + failures(answers, occasions) + unseen(bed, occasions)
            report(answers, occasions)
        except (OSError, RuntimeError) as problem:
            problems.append(str(problem))
        finally:
            problems += bed.close()
        for problem in problems:
            print(f"  FAILED: {problem}")
        if problems:
            print(bed.deployment.log.read_text()[-20000:])
            for name in MACHINES if apart else ():
                print(f"{name}:\n{(bed.state / name / 'worker.log').read_text()[-3000:]}")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
