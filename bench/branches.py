#!/usr/bin/env python3
"""One request at a time through a model whose branches run at once on several machines, and through its best chain.

Machines are those of bench/machines.py; head and client run on the first of them. Both plans are made from the same measurements, for
the least latency, and are deployed and asked in turns, each once a round. Prints a Markdown table: stages, latency predicted and measured
(medians over rounds with quartiles), and the ratio to the chain of the same round.
"""
import argparse
import contextlib
import json
import pathlib
import shutil
import statistics
import sys
import tempfile

import narrow
from figures import spread
from machines import Machine, Machines, command
from models import LAMINA, folder_of

NAMES = ["one", "two", "three"]
KINDS = {"chain": ["--no-branches"], "branches": []}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="InceptionV3")
    parser.add_argument("--machines", type=int, default=3, choices=(2, 3))
    parser.add_argument("--cpus", type=float, default=0.5, help="share of the processors that each machine has")
    parser.add_argument("--megabits", type=float, default=1000, help="rate of each link, a second")
    parser.add_argument("--repeats", type=int, default=5, help="runs of a piece that are measured")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=5, help="of each plan in a round")
    parser.add_argument("--measure", type=int, default=0, help="plans to run before one is chosen")
    options = parser.parse_args()
    names = NAMES[:options.machines]
    folder = folder_of(options.model)
    with contextlib.ExitStack() as guard:
        scratch = pathlib.Path(guard.enter_context(tempfile.TemporaryDirectory()))
        machines = guard.enter_context(Machines([Machine(name, options.cpus) for name in names], options.megabits))
        picture = scratch / "input.npy"
        shutil.copy(folder / "input1.npy", picture)
        whole = scratch / "model"
        command(LAMINA, "slice", folder / "model.keras", "-o", whole)
        devices = scratch / "devices.toml"
        machines.describe(devices)
        command(LAMINA, "benchmark", whole, "--insecure", "--devices", devices, "-r", options.repeats, "-l", 20)
        plans = {}
        for kind, words in KINDS.items():
            directory = scratch / kind
            shutil.copytree(whole, directory)
            print(command(LAMINA, "configure", directory, names[0], "--insecure", "--measure", options.measure, "--head-listen",
                          f"{machines.gateway}:0", *words).stdout, file=sys.stderr)
            plans[kind] = json.loads((directory / "plan.json").read_text())
        latencies: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for _ in range(options.rounds):
            for kind in KINDS:
                with narrow.deployed(scratch / kind, machines) as port:
                    asked = command(*machines.inside(names[0]), sys.executable, narrow.__file__, "--ask", port, picture, options.requests)
                latencies[kind].append(statistics.median(json.loads(asked.stdout)))
    print(f"{options.model} over {options.machines} machines, {options.cpus} CPUs each, links of {options.megabits:g} Mbit/s\n")
    print("| plan | stages | of branches | predicted, ms | measured, ms | to the chain |")
    print("| --- | --- | --- | --- | --- | --- |")
    for kind, plan in plans.items():
        at_once = sum(bool(stage.get("branches")) for stage in plan["stages"])
        ratio = [one / chain for one, chain in zip(latencies[kind], latencies["chain"])]
        print(f"| {kind} | {len(plan['stages'])} | {at_once} | {plan['latency'] * 1e3:.1f} | {spread(latencies[kind])} | {spread(ratio)} |")


if __name__ == "__main__":
    main()
