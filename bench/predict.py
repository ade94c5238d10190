#!/usr/bin/env python3
"""Steady-state time of one prediction: lamina predict against its peers, interleaved in one run.

Prints a Markdown table: milliseconds are medians over all runs; the ratio is lamina's time over the fastest peer's,
the median over the rounds of the ratio of medians in that round, with its quartiles.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

from figures import spread
from models import LAMINA, MODELS, folder_of

PEERS = ["tensorflow_function", "keras_predict", "onnxruntime", "openvino"]
TITLES = {"lamina": "Lamina", "tensorflow_function": "TensorFlow function", "keras_predict": "Keras predict",
          "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO's converter"}


class Peer:
    def __init__(self, system: str, folder, batch: int):
        self.process = subprocess.Popen(
            [sys.executable, "peers.py", system, str(folder), str(batch)], cwd=os.path.dirname(os.path.abspath(__file__)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"})
        for line in self.process.stdout:
            if line.strip() == "ready":
                return
        sys.exit(f"{system} did not start")

    def run(self, count: int) -> list[float]:
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=30)


class Lamina:
    """The command itself, started anew for every block; its first runs warm up and do not count."""

    WARM_UP = 3

    def __init__(self, folder, batch: int):
        self.arguments = [str(LAMINA), "predict", str(folder / "model.keras"), str(folder / f"input{batch}.npy")]

    def run(self, count: int) -> list[float]:
        with tempfile.TemporaryDirectory() as scratch:
            timings = f"{scratch}/timings.json"
            subprocess.run([*self.arguments, "-o", f"{scratch}/out.npy", "--repeat", str(count + self.WARM_UP),
                            "--timings", timings], check=True, stdout=subprocess.DEVNULL)
            with open(timings) as file:
                return json.load(file)["seconds"][self.WARM_UP:]

    def close(self) -> None:
        pass


def measure(name: str, batch: int, rounds: int, seconds: float) -> str:
    folder = folder_of(name)
    systems = {"lamina": Lamina(folder, batch)}
    for peer in PEERS:
        systems[peer] = Peer(peer, folder, batch)
    # As many runs a block as fill the time asked for, by the system's own pace.
    counts = {}
    for system, runner in systems.items():
        pace = statistics.median(runner.run(3))
        counts[system] = max(3, min(200, round(seconds / pace)))
    blocks = {system: [] for system in systems}
    for _ in range(rounds):
        for system, runner in systems.items():
            blocks[system].append(runner.run(counts[system]))
    for runner in systems.values():
        runner.close()

    medians = {system: statistics.median(sum(runs, [])) * 1e3 for system, runs in blocks.items()}
    fastest = min(PEERS, key=medians.get)
    ratios = [statistics.median(a) / statistics.median(b) for a, b in zip(blocks["lamina"], blocks[fastest])]
    cells = [f"{medians[system]:.2f}" for system in ("lamina", *PEERS)]
    return f"| {name} | {batch} | {' | '.join(cells)} | {spread(ratios)} to {TITLES[fastest]} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="*", default=list(MODELS))
    parser.add_argument("--batches", nargs="*", type=int, default=[1, 32])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a block of runs of one system")
    options = parser.parse_args()
    print("| model | batch | " + " | ".join(TITLES[s] + ", ms" for s in ("lamina", *PEERS)) + " | Lamina / fastest peer |")
    print("| --- " * (len(PEERS) + 4) + "|")
    for name in options.models:
        for batch in options.batches:
            print(measure(name, batch, options.rounds, options.seconds), flush=True)


if __name__ == "__main__":
    main()
