#!/usr/bin/env python3
"""A worker that answers its beats becomes much slower: its work goes elsewhere, and nobody's request is lost.

    slow_worker.py LAMINA PYTHON
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy

from deployment import Deployment, Load, spread_out
from slowed import Slowed
from testbed import LAYERS, prepare

RATE = 4  # requests a second
MAKE_MODEL = """
import keras, numpy
keras.utils.set_random_seed(3)
layers = keras.layers
picture = keras.Input((64, 64, 4), name="picture")
x = layers.Conv2D(64, 3, activation="relu", name="first")(picture)
x = layers.Conv2D(128, 5, activation="relu", name="second")(x)
x = layers.GlobalAveragePooling2D(name="mean")(x)
x = layers.Dense(4, activation="softmax", name="scores")(x)
model = keras.Model(picture, x, name="wide")
model.save("model.keras")
data = numpy.random.default_rng(1).standard_normal((4, 64, 64, 4)).astype("float32")
numpy.save("inputs.npy", data)
numpy.save("answers.npy", model.predict(data, verbose=0))
"""


def workers(status: dict) -> list[str]:
    return [stage["worker"] for stage in status["stages"]]


def main() -> None:
    lamina, python = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).absolute()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        prepare(lamina, python, folder, ("-c", MAKE_MODEL), runs=5)
        spread_out(folder / "cut", lamina, LAYERS)
        deployment = Deployment(lamina, folder / "cut", folder, ["--heartbeat", "2000"])
        load = Load(deployment.port, numpy.load(folder / "inputs.npy"), numpy.load(folder / "answers.npy"), RATE)
        try:
            deployment.wait(lambda status: status["requests"]["answered"] > 2 * RATE, 60, "answering")
            assert workers(deployment.status()) == ["vm1", "vm2", "vm3"], deployment.status()
            begin = time.monotonic()
            slowed = Slowed(deployment.pid("vm2"))
            deployment.wait(lambda status: "vm2" not in workers(status) and status["recovery"]["replans"] > 0, 90, "without vm2")
            seconds = time.monotonic() - begin
            slowed.end()
            time.sleep(1)
            answers = load.stop()
            recovery = deployment.status()["recovery"]
            shown = subprocess.run([lamina, "status"], env={**os.environ, "XDG_STATE_HOME": str(folder)}, check=True,
                                   capture_output=True, text=True).stdout
        finally:
            load.stopping.set()
            deployment.close()
    failed = [one for one in answers if not one.right]
    print(f"vm2 became slow: {seconds:.1f} s until it had no work, {len(answers)} requests, {len(failed)} failed; {recovery['last']}")
    print(shown)
    assert not failed, failed[0]
    assert len(answers) == load.sent
    assert recovery["slow"]["vm2"] >= 3, recovery
    assert recovery["recoveries"] == 0 and recovery["lost"] == [], recovery
    assert "'vm2' takes" in recovery["last"][0]["reason"] and "'vm2' takes" in shown


if __name__ == "__main__":
    main()
