#!/usr/bin/env python3
"""What a Docker Swarm costs: the four steps, deploying to ready, and a request over the overlay against local processes.

Run beside a Swarm of three nodes on this machine, as root:
    tests/swarm/with_swarm .deps/bench/bin/python bench/swarm.py [--model VGG16]
One node has 1 processor and 2 GB, one 2 processors and 4 GB, one what there is. The plan puts a part of the model on each.
Requests go in turns to the Swarm and to local workers of the same limits, both deployed at once. Prints Markdown tables.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

from deployment import Deployment, load
from figures import spread
from models import LAMINA, folder_of

NODES = {"vm4": ("1", "2GB"), "vm5": ("2", "4GB"), "pc5": ()}
MUST = {"VGG16": "must={block1_*:vm4,block3_*:vm5,block5_*:pc5}",
        "MobileNetV2": "must={Conv1:vm4,block_6_*:vm5,predictions:pc5}"}


def run(*words: object) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))}: {done.stderr}{done.stdout}")
    return done.stdout


def timed(*words: object) -> float:
    begin = time.perf_counter()
    run(*words)
    return time.perf_counter() - begin


def prepare_nodes(scratch: pathlib.Path) -> tuple[float, float]:
    """Seconds to make the image and to load it on a node."""
    built = timed(LAMINA, "image", "build", "-o", scratch / "image.tar")
    loaded = [timed("node", name, "load", "-qi", scratch / "image.tar") for name in NODES]
    for name, limits in NODES.items():
        for label, value in zip(("cpus", "memory"), limits):
            run("docker", "node", "update", "--label-add", f"systems.lamina.{label}={value}", name)
    return built, statistics.median(loaded)


def as_local(sliced: pathlib.Path, local: pathlib.Path) -> None:
    """The same plan with workers that the head starts itself, held to the same limits."""
    shutil.copytree(sliced, local)
    plan = json.loads((local / "plan.json").read_text())
    for device in plan["devices"]:
        device["address"] = ""
    (local / "plan.json").write_text(json.dumps(plan))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="VGG16", choices=MUST)
    parser.add_argument("--deploys", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=2, help="length of a block of requests")
    options = parser.parse_args()
    folder = folder_of(options.model)
    content = (folder / "input1.npy").read_bytes()
    deploy = (LAMINA, "deploy", "cut", "--target", "swarm", "--insecure", "--port", 8770)
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        os.environ["XDG_STATE_HOME"] = name
        built, loaded = prepare_nodes(pathlib.Path(name))
        steps = {"slice": timed(LAMINA, "slice", folder / "model.keras", "-o", "cut"),
                 "benchmark": timed(LAMINA, "benchmark", "cut", "--target", "swarm", "--insecure"),
                 "configure": timed(LAMINA, "configure", "cut", "vm4", "-c", MUST[options.model])}
        deploys = []
        for attempt in range(options.deploys):
            deploys.append(timed(*deploy))
            if attempt + 1 < options.deploys:
                run(LAMINA, "clean", "cut")
        steps["deploy"] = deploys[0]
        as_local(pathlib.Path("cut"), pathlib.Path("local"))
        local = Deployment(pathlib.Path("local"), [])
        rounds = []
        try:
            for _ in range(options.rounds):
                swarm, process = (statistics.median(load(port, content, 1, options.seconds)[1]) for port in (8770, local.port))
                rounds.append((swarm, process))
        finally:
            local.close()
            run(LAMINA, "clean", "cut")
    print("| model | slice, s | benchmark, s | configure, s | deploy, s | all four, s | image made, s | image loaded on a node, s |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    print(f"| {options.model} | " + " | ".join(f"{steps[step]:.1f}" for step in steps) +
          f" | {sum(steps.values()):.1f} | {built:.1f} | {loaded:.1f} |\n")
    print("| model | deploy to ready, s | over the Swarm, ms | over local processes, ms | Swarm / local |")
    print("| --- | --- | --- | --- | --- |")
    print(f"| {options.model} | {spread(deploys)} | {spread([r[0] for r in rounds])} | {spread([r[1] for r in rounds])} | "
          f"{spread([r[0] / r[1] for r in rounds])} |")


if __name__ == "__main__":
    main()
