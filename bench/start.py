#!/usr/bin/env python3
"""What it takes to start: time from process start to answer, peak anonymous memory, inspecting, files needed.

Prints Markdown tables. Anonymous memory (RssAnon of /proc/PID/status) is looked at every 2 ms; weights and activations
are what `lamina predict --timings` reports.
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

from figures import spread
from models import LAMINA, folder_of


def anonymous(pid: int) -> int:
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    found = re.search(r"RssAnon:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def watched(arguments: list) -> int:
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        peak = max(peak, anonymous(process.pid))
        time.sleep(0.002)
    if process.returncode:
        raise SystemExit(f"{arguments} ended with {process.returncode}")
    return peak


def timed(arguments: list) -> float:
    begin = time.perf_counter()
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def start(name: str, rounds: int) -> str:
    folder = folder_of(name)
    model = folder / "model.keras"
    with tempfile.TemporaryDirectory() as scratch:
        timings = f"{scratch}/timings.json"
        arguments = [LAMINA, "predict", model, folder / "input1.npy", "-o", f"{scratch}/out.npy"]
        seconds = [timed(arguments) for _ in range(rounds)]
        peak = statistics.median(watched([*arguments, "--timings", timings]) for _ in range(rounds))
        report = json.loads(pathlib.Path(timings).read_text())
    inspect = [timed([LAMINA, "inspect", model]) for _ in range(rounds)]
    needed = report["weight_bytes"] + report["activation_bytes"]
    mib = 1 << 20
    return (f"| {name} | {spread(seconds)} | {spread(inspect)} | {needed / mib:.0f} | {peak / mib:.0f} | {peak / needed:.2f} |")


def closure() -> str:
    """The program, the engine, what both link to, and the plugin that OpenVINO loads at run time."""
    files = set()
    roots = [LAMINA, LAMINA.parent / "liblamina_openvino.so"]
    for root in roots:
        listed = subprocess.run(["ldd", root], check=True, capture_output=True, text=True).stdout
        files |= {pathlib.Path(path).resolve() for path in re.findall(r"(/\S+)", listed)}
        files.add(root.resolve())
    openvino = next(f for f in files if f.name.startswith("libopenvino.so"))
    files.add(openvino.parent / "libopenvino_intel_cpu_plugin.so")
    size = sum(file.stat().st_size for file in files)
    return f"{len(files)} files, {size / 1e6:.0f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print("| model | start to answer, s | inspect, s | weights + activations, MiB | peak anonymous memory, MiB | ratio |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in ("MobileNetV2", "VGG16"):
        print(start(name, options.rounds), flush=True)
    print(f"\nFiles that a serving worker needs: {closure()}")


if __name__ == "__main__":
    main()
