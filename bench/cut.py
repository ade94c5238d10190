#!/usr/bin/env python3
"""What cutting costs: VGG16 in three stages on three local workers without limits, against the uncut model, in turns.

The pieces are measured once and deployed once; each round then times requests one after another over HTTP between two
runs of `lamina predict`. Prints a Markdown table: medians over rounds with quartiles.
"""
import argparse
import io
import os
import pathlib
import re
import statistics
import subprocess
import tempfile

import numpy

from deployment import Deployment, load
from figures import spread
from models import LAMINA, MODELS, folder_of

UNITS = {"µs": 1e-3, "ms": 1.0, "s": 1e3}
STAGES = {"one": ("block1_*", "block2_*"), "two": ("block3_*", "block4_*"), "three": ("block5_*", "flatten", "fc*", "predictions")}


def milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+) (µs|ms|s)", text).groups()
    return float(number) * UNITS[unit]


def uncut(folder: pathlib.Path) -> float:
    output = subprocess.run([LAMINA, "predict", folder / "model.keras", folder / "input1.npy", "-o", os.devnull, "--repeat", "21"],
                            check=True, capture_output=True, text=True).stdout
    return milliseconds(re.search(r"after the first: (.+)", output)[1])


def plan(model: pathlib.Path, scratch: pathlib.Path) -> tuple[pathlib.Path, float]:
    """The sliced model with its plan, and the latency predicted."""
    sliced = scratch / "sliced"
    devices = scratch / "devices.toml"
    devices.write_text("".join(f'[[device]]\nname = "{name}"\nthreads = {os.cpu_count()}\nmemory = "4GiB"\n' for name in STAGES))
    must = ",".join(f"{layers}:{name}" for name, every in STAGES.items() for layers in every)
    subprocess.run([LAMINA, "slice", model, "-o", sliced], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([LAMINA, "benchmark", sliced, "--devices", devices], check=True, stdout=subprocess.DEVNULL)
    table = subprocess.run([LAMINA, "configure", sliced, "one", "-c", f"must={{{must}}}"], check=True, capture_output=True, text=True).stdout
    return sliced, float(re.search(r"predicted latency ([\d.]+) ms", table)[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=3, help="length of a block of requests")
    options = parser.parse_args()
    folder = folder_of("VGG16")
    content = io.BytesIO()
    numpy.save(content, numpy.random.default_rng(7).uniform(0, 1, (1, MODELS["VGG16"], MODELS["VGG16"], 3)).astype("float32"))
    rounds = []
    with tempfile.TemporaryDirectory() as scratch:
        sliced, predicted = plan(folder / "model.keras", pathlib.Path(scratch))
        deployment = Deployment(sliced, [])
        try:
            for _ in range(options.rounds):
                before = uncut(folder)
                _, latencies = load(deployment.port, content.getvalue(), 1, options.seconds)
                rounds.append(((before + uncut(folder)) / 2, statistics.median(latencies)))
        finally:
            deployment.close()
    print("| model | uncut, ms | cut over three workers, ms | cut / uncut | predicted / measured |")
    print("| --- | --- | --- | --- | --- |")
    print(f"| VGG16 | {spread([r[0] for r in rounds])} | {spread([r[1] for r in rounds])} | "
          f"{spread([r[1] / r[0] for r in rounds])} | {spread([predicted / r[1] for r in rounds])} |")


if __name__ == "__main__":
    main()
