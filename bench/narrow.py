#!/usr/bin/env python3
"""One request at a time through a model cut over two machines on a slow link, in each wire format.

Machines are those of bench/machines.py; head and client run on the first of them. The cut halves the work, and is the same for all
formats. Formats are deployed and asked in turns, each once a round. Prints a Markdown table: bytes of the hop between the machines,
latency predicted and measured (medians over rounds with quartiles), and how far the answer is from that in f32.
"""
import argparse
import contextlib
import http.client
import io
import itertools
import json
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import numpy

from figures import spread
from machines import Machine, Machines, command, die_with_parent, end
from models import LAMINA, folder_of

NAMES = ["one", "two"]
FORMATS = ["f32", "lz4", "bf16", "int8", "auto"]


def halves(benchmark: dict) -> str:
    """Constraints that put the first half of the work on the first machine, the rest on the second."""
    seconds = [piece["steady"] for piece in benchmark["measurements"][0]]
    done = list(itertools.accumulate(seconds))
    cut = min(range(1, len(seconds)), key=lambda piece: abs(done[piece - 1] - done[-1] / 2))
    # A piece may be known by any of its layers; its name starts with the first.
    places = [f'"{piece["name"].split(" … ")[0]}":{NAMES[index >= cut]}' for index, piece in enumerate(benchmark["pieces"])]
    return f"must={{{','.join(places)}}}"


def ask(port: int, file: pathlib.Path, count: int) -> None:
    """The client: prints milliseconds of each request, and leaves the answer beside the input."""
    body = file.read_bytes()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    latencies = []
    for _ in range(count + 1):
        begin = time.perf_counter()
        connection.request("POST", "/input", body)
        reply = connection.getresponse()
        answer = reply.read()
        latencies.append((time.perf_counter() - begin) * 1e3)
        if reply.status != 200:
            sys.exit(f"status {reply.status}: {answer[:200]!r}")
    print(json.dumps(latencies[1:]))
    file.with_suffix(".answer").write_bytes(answer)


@contextlib.contextmanager
def deployed(directory: pathlib.Path, machines: Machines):
    """The port of a head on the first machine."""
    with open(directory / "head.log", "w") as log:
        process = subprocess.Popen([*machines.inside(NAMES[0]), LAMINA, "deploy", directory, "--port", "0", "--insecure", "--head-listen",
                                    f"{machines.addresses[NAMES[0]]}:0"], stdout=subprocess.PIPE, stderr=log, text=True,
                                   start_new_session=True, preexec_fn=die_with_parent)
    try:
        for line in process.stdout:
            if found := re.match(r"serving on http://.*:(\d+)", line):
                yield int(found[1])
                return
        raise RuntimeError(f"the deployment did not start: {(directory / 'head.log').read_text()[-500:]}")
    finally:
        end(process)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="MobileNetV2")
    parser.add_argument("--cpus", type=float, default=0.9, help="share of the processors that each machine has")
    parser.add_argument("--megabits", type=float, default=10, help="rate of each link, a second")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=5, help="of each format in a round")
    parser.add_argument("--ask", nargs=3, metavar=("PORT", "FILE", "COUNT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ask:
        ask(int(options.ask[0]), pathlib.Path(options.ask[1]), int(options.ask[2]))
        return
    folder = folder_of(options.model)
    with contextlib.ExitStack() as guard:
        scratch = pathlib.Path(guard.enter_context(tempfile.TemporaryDirectory()))
        machines = guard.enter_context(Machines([Machine(name, options.cpus) for name in NAMES], options.megabits))
        picture = scratch / "input.npy"
        shutil.copy(folder / "input1.npy", picture)
        whole = scratch / "model"
        command(LAMINA, "slice", folder / "model.keras", "-o", whole)
        devices = scratch / "devices.toml"
        machines.describe(devices)
        command(LAMINA, "benchmark", whole, "--insecure", "--devices", devices, "-l", 20)
        constraints = halves(json.loads((whole / "benchmark.json").read_text()))
        plans = {}
        for name in FORMATS:
            directory = scratch / name
            shutil.copytree(whole, directory)
            command(LAMINA, "configure", directory, NAMES[0], "--insecure", "-c", constraints, "--wire", name, "--calibration", picture)
            plans[name] = json.loads((directory / "plan.json").read_text())
        latencies: dict[str, list[float]] = {name: [] for name in FORMATS}
        answers = {}
        for _ in range(options.rounds):
            for name in FORMATS:
                with deployed(scratch / name, machines) as port:
                    asked = command(*machines.inside(NAMES[0]), sys.executable, __file__, "--ask", port, picture, options.requests)
                latencies[name].append(statistics.median(json.loads(asked.stdout)))
                answers[name] = numpy.load(io.BytesIO(picture.with_suffix(".answer").read_bytes()))
    print(f"{options.model} over two machines, {options.cpus} CPUs each, link of {options.megabits:g} Mbit/s\n")
    print("| format | hop | bytes | predicted, ms | measured, ms | of f32 | difference, % | same class |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    exact = answers["f32"]
    for name in FORMATS:
        plan, answer = plans[name], answers[name]
        ratio = [one / plain for one, plain in zip(latencies[name], latencies["f32"])]
        difference = abs(answer - exact).max() / abs(exact).max() * 100
        print(f"| {name} | {plan['stages'][1]['wire']} | {plan['stages'][1]['wire_bytes']} | {plan['latency'] * 1e3:.1f} | "
              f"{spread(latencies[name])} | {spread(ratio)} | {difference:.2g} | {'yes' if answer.argmax() == exact.argmax() else 'no'} |")


if __name__ == "__main__":
    main()
