#!/usr/bin/env python3
"""How long a pipeline of three local workers takes to answer again, and what its clients notice, under a steady load.

For each fault a fresh deployment of the model, a third of the work on each worker. Prints a Markdown table: requests that failed,
time from the fault to the next answer, longest wait of a request and how many medians that is, the same and the median of the seconds
before the fault (what the machine's other work costs), what the recovery itself took. Without --cpus each worker is bound to one
processor: on a machine with two, of three workers two share one, and where the third is lost these alone may be too slow for 20
requests of ResNet50 a second. A share of all processors (--cpus, which needs root) leaves it to the kernel where each runs.
"""
import argparse
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
from deployment import CONTINUE, KILL, STOP, Deployment, Load, spread_out, thirds  # noqa: E402

MACHINES = ("vm1", "vm2", "vm3")
MEMORY = "2GiB"
KEEP_UP_SECONDS, MOST_WAITING = 60, 4
# Of the largest output: bf16 is compared with the f32 answer of the uncut model.
TOLERANCE = {"f32": 1e-3, "bf16": 5e-2}


def prepare(model: str, directory: pathlib.Path, cpus: float) -> tuple[dict[str, str], numpy.ndarray, numpy.ndarray]:
    """Slices and measures; the layers that end each third, one input and the answer of the uncut model."""
    folder = folder_of(model)
    subprocess.run([LAMINA, "slice", folder / "model.keras", "-o", directory / "cut"], check=True, stdout=subprocess.DEVNULL)
    devices = directory / "devices.toml"
    share = f"cpus = {cpus}\n" if cpus > 0 else ""
    devices.write_text("".join(f'[[device]]\nname = "{name}"\nthreads = 1\n{share}memory = "{MEMORY}"\n' for name in MACHINES))
    subprocess.run([LAMINA, "benchmark", directory / "cut", "--devices", devices, "-r", "3", "-d", "0.1"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([LAMINA, "predict", folder / "model.keras", folder / "input1.npy", "-o", directory / "answer.npy"], check=True,
                   stdout=subprocess.DEVNULL)
    return thirds(directory / "cut", MACHINES), numpy.load(folder / "input1.npy"), numpy.load(directory / "answer.npy")


def keep_up(load: Load) -> None:
    """Waits until what piled up during the fault has been answered."""
    end = time.monotonic() + KEEP_UP_SECONDS
    while load.sent - len(load.answers) > MOST_WAITING:
        if time.monotonic() > end:
            raise RuntimeError(f"the workers that are left are too slow for {load.rate:g} requests/s")
        time.sleep(0.05)


def measure(fault: str, directory: pathlib.Path, inputs: numpy.ndarray, answers: numpy.ndarray, rate: float, settle: float,
            precision: str) -> dict:
    with tempfile.TemporaryDirectory() as state:
        deployment = Deployment(LAMINA, directory / "cut", pathlib.Path(state), ["--precision", precision])
        try:
            load = Load(deployment.port, inputs, answers, rate, tolerance=TOLERANCE[precision])
            time.sleep(settle)
            moment = time.monotonic()
            if fault == "kill":
                deployment.signal("vm2", KILL)
            else:
                deployment.signal("vm2", STOP)
            deployment.wait(lambda status: status["recovery"]["recoveries"] >= 1, 60, "recovered")
            recovered = deployment.status()["recovery"]["last_seconds"]
            if fault in ("return", "join"):
                keep_up(load)
                time.sleep(settle)
                moment = time.monotonic()
                before = deployment.status()["recovery"]["replans"]
                # Ended, it is started again, and has nothing loaded.
                deployment.signal("vm2", CONTINUE if fault == "return" else KILL)
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
    median = statistics.median(calm)
    return {"calm": max(calm) / median, "failed": sum(not one.right for one in answered), "next": after - moment, "slowest": max(touched),
            "medians": max(touched) / median, "median": median, "recovery": recovered}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="ResNet50")
    parser.add_argument("--rate", type=float, default=20, help="requests a second")
    parser.add_argument("--cpus", type=float, default=0, help="share of all processors of each worker; 0: one processor")
    parser.add_argument("--precision", default="f32", choices=TOLERANCE)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--settle", type=float, default=8, help="seconds before and after each fault")
    parser.add_argument("--faults", nargs="+", default=["kill", "stop", "return", "join"], choices=["kill", "stop", "return", "join"],
                        help="kill -9, SIGSTOP; after either it comes back: SIGCONT, or as a new process that has nothing loaded")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        directory = pathlib.Path(scratch)
        places, inputs, answers = prepare(options.model, directory, options.cpus)
        spread_out(directory / "cut", LAMINA, places)
        share = f", each {options.cpus:g} processors" if options.cpus > 0 else ""
        print(f"{options.model}, {options.precision}, {options.rate:g} requests/s on three local workers{share}\n")
        print("| fault | failed | until the next answer, s | slowest request, s | the same in medians | slowest before, in medians | median before, s | recovery, s |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        for fault in options.faults:
            rounds = [measure(fault, directory, inputs, answers, options.rate, options.settle, options.precision) for _ in range(options.rounds)]
            columns = [spread([one[key] for one in rounds]) for key in ("next", "slowest", "medians", "calm", "median", "recovery")]
            print(f"| {fault} | {sum(one['failed'] for one in rounds)} | {' | '.join(columns)} |", flush=True)


if __name__ == "__main__":
    main()
