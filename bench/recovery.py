#!/usr/bin/env python3
"""How long a pipeline of three local workers takes to answer again, and what its clients notice, under a steady load.

For each fault a fresh deployment of the model, a third of the work on each worker. Prints a Markdown table: requests that failed,
time from the fault to the next answer, longest wait of a request, median before the fault, what the recovery itself took.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy

from figures import spread
from models import LAMINA, folder_of

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "faults"))
from deployment import CONTINUE, KILL, STOP, Deployment, Load, spread_out  # noqa: E402

MACHINES = ("vm1", "vm2", "vm3")
MEMORY = "2GiB"


def prepare(model: str, directory: pathlib.Path) -> tuple[dict[str, str], numpy.ndarray, numpy.ndarray]:
    """Slices and measures; the layers that end each third, one input and the answer of the uncut model."""
    folder = folder_of(model)
    subprocess.run([LAMINA, "slice", folder / "model.keras", "-o", directory / "cut"], check=True, stdout=subprocess.DEVNULL)
    devices = directory / "devices.toml"
    devices.write_text("".join(f'[[device]]\nname = "{name}"\nthreads = 1\nmemory = "{MEMORY}"\n' for name in MACHINES))
    subprocess.run([LAMINA, "benchmark", directory / "cut", "--devices", devices, "-r", "3"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([LAMINA, "predict", folder / "model.keras", folder / "input1.npy", "-o", directory / "answer.npy"], check=True,
                   stdout=subprocess.DEVNULL)
    benchmark = json.loads((directory / "cut" / "benchmark.json").read_text())
    seconds = [piece["median"] for piece in benchmark["measurements"][0]]
    total, passed, places = sum(seconds), 0.0, {}
    for piece, time_of_piece in zip(benchmark["pieces"], seconds):
        machine = MACHINES[min(int(3 * passed / total), 2)]
        places[piece["name"].split(" … ")[0]] = machine
        passed += time_of_piece
    return places, numpy.load(folder / "input1.npy"), numpy.load(directory / "answer.npy")


def measure(fault: str, directory: pathlib.Path, inputs: numpy.ndarray, answers: numpy.ndarray, rate: float, settle: float) -> dict:
    with tempfile.TemporaryDirectory() as state:
        deployment = Deployment(LAMINA, directory / "cut", pathlib.Path(state))
        try:
            load = Load(deployment.port, inputs, answers, rate)
            time.sleep(settle)
            moment = time.monotonic()
            if fault == "kill":
                deployment.signal("vm2", KILL)
            else:
                deployment.signal("vm2", STOP)
            deployment.wait(lambda status: status["recovery"]["recoveries"] >= 1, 60, "recovered")
            recovered = deployment.status()["recovery"]["last_seconds"]
            time.sleep(2)
            if fault == "join":
                moment = time.monotonic()
                before = deployment.status()["recovery"]["replans"]
                deployment.signal("vm2", CONTINUE)
                deployment.wait(lambda status: status["recovery"]["replans"] > before, 60, "planned anew")
                recovered = time.monotonic() - moment
            time.sleep(settle)
            answered = load.stop()
            if fault == "stop":
                deployment.signal("vm2", CONTINUE)
        finally:
            deployment.close()
    calm = [one.seconds for one in answered if one.right and moment - settle + 1 < one.begin < moment - 0.1]
    after = min((one.end for one in answered if one.right and one.begin > moment), default=float("nan"))
    touched = [one.seconds for one in answered if one.end > moment]
    return {"failed": sum(not one.right for one in answered), "next": after - moment, "slowest": max(touched),
            "median": statistics.median(calm), "recovery": recovered}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="ResNet50")
    parser.add_argument("--rate", type=float, default=20, help="requests a second")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--settle", type=float, default=5, help="seconds before and after each fault")
    parser.add_argument("--faults", nargs="+", default=["kill", "stop", "join"], choices=["kill", "stop", "join"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        directory = pathlib.Path(scratch)
        places, inputs, answers = prepare(options.model, directory)
        spread_out(directory / "cut", LAMINA, places)
        print(f"{options.model}, {options.rate:g} requests/s on three local workers\n")
        print("| fault | failed | until the next answer, s | slowest request, s | median before, s | recovery, s |")
        print("| --- | --- | --- | --- | --- | --- |")
        for fault in options.faults:
            rounds = [measure(fault, directory, inputs, answers, options.rate, options.settle) for _ in range(options.rounds)]
            columns = [spread([one[key] for one in rounds]) for key in ("next", "slowest", "median", "recovery")]
            print(f"| {fault} | {sum(one['failed'] for one in rounds)} | {' | '.join(columns)} |", flush=True)


if __name__ == "__main__":
    main()
