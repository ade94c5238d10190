#!/usr/bin/env python3
"""What joining requests brings: many clients of one deployment over HTTP, with and without --batch-limit, in turns.

Every client sends single rows, one after another. Prints a Markdown table: medians over rounds with quartiles; the
latencies are those of all answers of a round, the rows are the mean of the batches that left.
"""
import argparse
import io
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy

from deployment import Deployment, load
from figures import spread
from models import LAMINA, MODELS, folder_of

DENSE = "4 dense layers of 2048"


def build_dense(path: str) -> None:
    """Weights of 64 MiB that every run reads once, however many rows it has. Runs in a process of its own."""
    import keras

    keras.utils.set_random_seed(7)
    layers = [keras.layers.Dense(2048, activation="relu") for _ in range(4)]
    keras.Sequential([keras.Input((2048,)), *layers]).save(path)


def model_of(name: str, scratch: pathlib.Path) -> tuple[pathlib.Path, tuple[int, ...]]:
    """The model's file and the shape of a row."""
    if name in MODELS:
        return folder_of(name) / "model.keras", (MODELS[name], MODELS[name], 3)
    path = scratch / "dense.keras"
    subprocess.run([sys.executable, __file__, "--build-dense", path], check=True, stderr=subprocess.DEVNULL,
                   env={**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"})
    return path, (2048,)


def plan(model: pathlib.Path, scratch: pathlib.Path) -> pathlib.Path:
    """One local worker with all cores: what is compared is the joining, not the placement."""
    folder = scratch / "sliced"
    devices = scratch / "devices.toml"
    devices.write_text(f'[[device]]\nname = "one"\nthreads = {os.cpu_count()}\nmemory = "4GiB"\n')
    for arguments in (["slice", model, "-o", folder], ["benchmark", folder, "--devices", devices, "-r", "3"],
                      ["configure", folder, "one"]):
        subprocess.run([LAMINA, *arguments], check=True, stdout=subprocess.DEVNULL)
    return folder


def measure(name: str, options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as path:
        scratch = pathlib.Path(path)
        model, shape = model_of(name, scratch)
        folder = plan(model, scratch)
        content = io.BytesIO()
        numpy.save(content, numpy.random.default_rng(7).uniform(0, 1, (1, *shape)).astype("float32"))
        body = content.getvalue()
        joined = ["--batch-limit", str(options.limit), "--batch-window", str(options.window)]
        deployments = {"alone": Deployment(folder, []), "joined": Deployment(folder, joined)}
        try:
            for clients in options.clients:
                for deployment in deployments.values():
                    load(deployment.port, body, clients, options.seconds / 2)  # sizes of batches not met before
                rounds = {way: [] for way in deployments}
                for _ in range(options.rounds):
                    for way, deployment in deployments.items():
                        before = deployment.batches()
                        pace, latencies = load(deployment.port, body, clients, options.seconds)
                        after = deployment.batches()
                        ninety_nine = statistics.quantiles(latencies, n=100, method="inclusive")[98]
                        rows = (after[0] - before[0]) / (after[1] - before[1]) if after[1] > before[1] else 1.0
                        rounds[way].append((pace, statistics.median(latencies), ninety_nine, rows))
                for way in deployments:
                    cells = [spread([r[i] for r in rounds[way]]) for i in range(3)]
                    ratio = spread([r[0] / alone[0] for r, alone in zip(rounds[way], rounds["alone"])])
                    rows = statistics.median(r[3] for r in rounds[way])
                    print(f"| {name} | {clients} | {way} | {' | '.join(cells)} | {rows:.1f} | {ratio} |", flush=True)
        finally:
            for deployment in deployments.values():
                deployment.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="*", default=[DENSE, "MobileNetV2", "VGG16"])
    parser.add_argument("--clients", nargs="*", type=int, default=[1, 16])
    parser.add_argument("--limit", type=int, default=16)
    parser.add_argument("--window", type=float, default=2, help="milliseconds")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="length of a block of requests of one way")
    parser.add_argument("--build-dense", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.build_dense:
        build_dense(options.build_dense)
        return
    print("| model | clients | requests go | requests / s | median, ms | 99 %, ms | rows of a batch | requests / s over alone |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in options.models:
        measure(name, options)


if __name__ == "__main__":
    main()
