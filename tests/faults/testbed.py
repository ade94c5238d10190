"""A small model on three machines under load, what can be done to them, and what has to be true at the end."""
import json
import math
import os
import pathlib
import subprocess
import sys
import time
import uuid

import numpy

import leaks
import network
from deployment import CONTINUE, KILL, STOP, Deployment, Load, spread_out
from workers_apart import DeploymentApart

HERE = pathlib.Path(__file__).resolve().parent
MACHINES = ("vm1", "vm2", "vm3")
LAYERS = {"first": "vm1", "second": "vm2", "scores": "vm3"}
MEMORY = "512MiB"
DISK = "4m"
MARK = "LAMINA_FAULTS_MARK"
SETTLE_SECONDS = 60
# Memory that a process holds under a control group's limit.
BALLOON = """
import sys, time
with open(sys.argv[1], "w") as group:
    group.write("0")
held = []
while True:
    held.append(b"x" * (1 << 20))
    time.sleep(0.001)
"""


def prepare(lamina: pathlib.Path, python: pathlib.Path, folder: pathlib.Path, maker: tuple = (HERE / "make_model.py",),
            runs: int = 3, memory: str = MEMORY) -> None:
    """The model that `maker`, words behind `python`, writes, cut and measured on the machines."""
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([python, *maker], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    (folder / "devices.toml").write_text(
        "".join(f'[[device]]\nname = "{name}"\nthreads = 1\nmemory = "{memory}"\n' for name in MACHINES))
    subprocess.run([lamina, "slice", "model.keras", "-o", "cut"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    subprocess.run([lamina, "benchmark", "cut", "--devices", "devices.toml", "-r", str(runs), "-d", "0.02", "-l", "3"], cwd=folder,
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def plan(lamina: pathlib.Path, folder: pathlib.Path, machines: str, keep: str, memory: str, layers: dict[str, str] = LAYERS) -> None:
    """`memory` is NAME:BYTES of a machine that has less than the others."""
    spread_out(folder / "cut", lamina, layers if machines == "three" else dict.fromkeys(layers, "vm1"), forget=keep != "constraints")
    if memory == "no":
        return
    name, _, size = memory.partition(":")
    path = folder / "cut" / "plan.json"
    planned = json.loads(path.read_text())
    for device in planned["devices"]:
        if device["name"] == name:
            device["memory"] = int(size)
    path.write_text(json.dumps(planned))


def used(status: dict) -> set[str]:
    return {stage["worker"] for stage in status["stages"]}


class Testbed:
    """A deployment under load, from construction to close()."""

    def __init__(self, lamina: pathlib.Path, folder: pathlib.Path, name: str, *, rate: float, retry: float = 0,
                 heartbeat: float = 200, net: network.Network | None = None, disks: list[str] = (), memory: str = MEMORY,
                 disk_size: str = DISK):
        self.folder, self.net, self.disk_size = folder, net, disk_size
        self.state = folder / f"state-{name}"
        (self.state / "tmp").mkdir(parents=True)
        (self.state / "home").mkdir()
        self.mounts = {}
        for disk in disks:
            self.mount(disk)
        self.mark = uuid.uuid4().hex
        environment = {MARK: self.mark, "TMPDIR": str(self.state / "tmp"), "HOME": str(self.state / "home")}
        self.files = leaks.files_in(folder)
        options = ["--heartbeat", f"{heartbeat:.0f}"]
        self.heads = []
        self.load = None
        if net:
            self.deployment = DeploymentApart(lamina, folder / "cut", self.state, options, net, memory, environment)
        else:
            self.deployment = Deployment(lamina, folder / "cut", self.state, options, environment)
        self.heads.append(self.deployment.process.pid)
        self.load = Load(self.deployment.port, numpy.load(folder / "inputs.npy"), numpy.load(folder / "answers.npy"), rate, retry=retry)
        self.begin = time.monotonic()

    def mount(self, name: str) -> None:
        """A small disk for what the head, or a worker that runs apart, keeps."""
        place = self.state / ("lamina" if name == "head" else f"{name}/store")
        place.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.disk_size}", "small", place], check=True)
        self.mounts[name] = place

    def pids(self) -> dict[str, int]:
        return {name: self.deployment.pid(name) for name in ("head", *MACHINES)}

    def perform(self, step: list[str]) -> None:
        deployment = self.deployment
        match step:
            case ["kill", "head"]:
                deployment.process.kill()
                deployment.process.wait()
            case ["restart", "head"]:
                deployment.start()
                self.heads.append(deployment.process.pid)
            case ["kill", name]:
                pid = deployment.pid(name)
                deployment.signal(name, KILL)
                end = time.monotonic() + SETTLE_SECONDS
                while leaks.is_running(pid) and time.monotonic() < end:
                    time.sleep(0.001)
            case ["stop", name]:
                deployment.signal(name, STOP)
            case ["continue", name]:
                deployment.signal(name, CONTINUE)
            case ["corrupt", name]:
                self.corrupt(name)
            case ["forget", name]:
                for file in deployment.store(name).iterdir():
                    file.unlink()
            case ["cut", *names]:
                self.net.cut(*names)
            case ["heal", *names]:
                self.net.heal(*names)
            case ["slow", name, rate]:
                self.net.slow(name, rate)
            case ["fast", name]:
                self.net.fast(name)
            case ["fill", name]:
                self.fill(name)
            case ["free", name]:
                (self.mounts[name] / "ballast").unlink()
            case ["exhaust", name]:
                self.exhaust(name)
            case ["wait", "recoveries", count]:
                deployment.wait(lambda status: status["recovery"]["recoveries"] >= int(count), SETTLE_SECONDS, f"{count} recoveries")
            case ["wait", "gone", name]:
                deployment.wait(lambda status: name in status["recovery"]["lost"], SETTLE_SECONDS, f"without {name}")
            case ["wait", "back"]:
                deployment.wait(lambda status: not status["recovery"]["lost"] and all(map(leaks.is_running, self.pids().values())),
                                SETTLE_SECONDS, "with all machines")
            case ["wait", "unused", name]:
                deployment.wait(lambda status: status["ready"] and name not in used(status), SETTLE_SECONDS, f"planned without {name}")
            case ["wait", "whole", *seconds]:
                self.wait_until_whole(*map(float, seconds))
            case _:
                raise ValueError(f"'{' '.join(step)}' is no fault")

    def wait_until_whole(self, seconds: float = SETTLE_SECONDS) -> None:
        """All machines are there, and each computes again."""
        self.deployment.wait(lambda status: status["ready"] and not status["recovery"]["lost"] and self.spread <= used(status),
                             seconds, "whole")

    @property
    def spread(self) -> set[str]:
        stages = json.loads((self.folder / "cut" / "plan.json").read_text())["stages"]
        return {replica["device"] for stage in stages for replica in stage["replicas"]}

    def corrupt(self, name: str) -> None:
        """One byte of each file that the worker keeps. The bytes that a stage computes with stay as they are."""
        for file in self.deployment.store(name).iterdir():
            os.chmod(file, 0o644)
            data = bytearray(file.read_bytes())
            if data:
                data[len(data) // 2] ^= 0xFF
                replaced = file.with_suffix(".damaged")
                replaced.write_bytes(data)
                replaced.rename(file)

    def fill(self, name: str) -> None:
        with open(self.mounts[name] / "ballast", "ab", buffering=0) as ballast:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while ballast.write(bytes(size)) == size:
                        pass
                except OSError:
                    pass

    def exhaust(self, name: str) -> None:
        """Takes all memory that the worker's control group may have, until the kernel ends the worker for it."""
        pid = self.deployment.pid(name)
        pathlib.Path(f"/proc/{pid}/oom_score_adj").write_text("1000")
        group = leaks.memory_group(pid)
        balloon = subprocess.Popen([sys.executable, "-c", BALLOON, str(group / "cgroup.procs")])
        try:
            end = time.monotonic() + SETTLE_SECONDS
            while leaks.is_running(pid):
                if time.monotonic() > end or balloon.poll() is not None:
                    raise RuntimeError(f"'{name}' was not ended for want of memory")
                time.sleep(0.01)
        finally:
            balloon.kill()
            balloon.wait()
            leaks.remove_group(group)

    def check_answers(self, answers: list) -> list[str]:
        problems = []
        wrong = [one for one in answers if one.status == 200 and not one.right]
        if wrong:
            problems.append(f"{len(wrong)} wrong answers: {wrong[0].text}")
        if len(answers) != self.load.sent:
            problems.append(f"{self.load.sent} requests, {len(answers)} answers")
        return problems

    def close(self) -> list[str]:
        """Ends everything; what is left of it."""
        if self.load:
            self.load.stopping.set()
        problems = []
        try:
            self.deployment.close()
        except RuntimeError as problem:
            problems.append(str(problem))
        finally:
            for place in self.mounts.values():
                subprocess.run(["umount", "-l", place], check=True)
        problems += [f"process {process} is left" for process in leaks.processes_with(f"{MARK}={self.mark}")]
        kept = {f"{self.state.name}/{path}" for path in ("head.log", "lamina", "lamina/deployments")}
        left = [path for path in leaks.files_in(self.folder) - self.files - kept if not self.is_of_a_worker_apart(path)]
        problems += [f"the file {path} is left" for path in sorted(left)]
        problems += [f"the control group {group} is left" for head in self.heads for group in leaks.control_groups_of(head)]
        return problems

    def is_of_a_worker_apart(self, path: str) -> bool:
        """Their stores and logs stay: nobody but who started them knows when they are over."""
        return self.net is not None and any(path == f"{self.state.name}/{name}" or path.startswith(f"{self.state.name}/{name}/")
                                            for name in self.net.addresses)


def longest_silence(answers: list, begin: float, end: float) -> float:
    """The longest time between two right answers, one after the other, from `begin` to `end`, seconds; nan where there are none."""
    moments = sorted(one.end for one in answers if one.right)
    inside = [i for i, moment in enumerate(moments) if begin < moment <= end]
    if not inside:
        return math.nan
    first, last = max(inside[0] - 1, 0), min(inside[-1] + 1, len(moments) - 1)
    return max(b - max(a, begin) for a, b in zip(moments[first:last], moments[first + 1:last + 1])) if last > first else math.nan
