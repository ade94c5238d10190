#!/usr/bin/env python3
"""What cutting costs: VGG16 over three local workers without limits against the uncut model, in turns.

Prints a Markdown table: medians over rounds, each the median of 20 requests one after another, with quartiles.
"""
import argparse
import os
import re
import subprocess
import tempfile

from figures import spread
from models import LAMINA, folder_of

UNITS = {"µs": 1e-3, "ms": 1.0, "s": 1e3}
# Three stages, the first and the last on different machines than the middle.
CONSTRAINTS = "must={block1_conv1:one,block1_conv2:one,block3_conv1:two,block3_conv2:two,block5_conv1:three,predictions:three}"


def milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+) (µs|ms|s)", text).groups()
    return float(number) * UNITS[unit]


def uncut(folder) -> float:
    output = subprocess.run([LAMINA, "predict", folder / "model.keras", folder / "input1.npy", "-o", os.devnull, "--repeat", "21"],
                            check=True, capture_output=True, text=True).stdout
    return milliseconds(re.search(r"after the first: (.+)", output)[1])


def cut(folder, devices: str) -> tuple[float, float]:
    output = subprocess.run([LAMINA, "up", folder / "model.keras", "--devices", devices, "--port", "0", "--once",
                             "--input", folder / "input1.npy", "-c", CONSTRAINTS],
                            check=True, capture_output=True, text=True).stdout
    predicted, measured = re.search(r"latency: predicted (.+), measured (.+) \(median", output).groups()
    return milliseconds(predicted), milliseconds(measured)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="VGG16")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    folder = folder_of(options.model)
    rounds = []
    with tempfile.TemporaryDirectory() as scratch:
        devices = f"{scratch}/devices.toml"
        with open(devices, "w") as file:
            for name in ("one", "two", "three"):
                file.write(f'[[device]]\nname = "{name}"\nthreads = {os.cpu_count()}\nmemory = "4GiB"\n')
        for _ in range(options.rounds):
            before = uncut(folder)
            predicted, measured = cut(folder, devices)
            rounds.append(((before + uncut(folder)) / 2, predicted, measured))
    print("| model | uncut, ms | cut over three workers, ms | cut / uncut | predicted / measured |")
    print("| --- | --- | --- | --- | --- |")
    print(f"| {options.model} | {spread([r[0] for r in rounds])} | {spread([r[2] for r in rounds])} | "
          f"{spread([r[2] / r[0] for r in rounds])} | {spread([r[1] / r[2] for r in rounds])} |")


if __name__ == "__main__":
    main()
