#!/usr/bin/env python3
"""Runs schedules of faults against a real pipeline under load, and checks every answer.

    run.py LAMINA PYTHON SCHEDULE…

A schedule is text, one step a line, '#' begins a comment:

    rate 50                     requests a second, the whole time
    retry 20                    clients try again so many seconds when refused or cut off; without it never
    heartbeat 200               milliseconds, of the deployment
    keep constraints            the layers have to be where they are: nothing else fits
    machines one                where the three layers are: one machine, or three (without it)
    at 2.0 kill vm2             kill -9; vm1 to vm3 are machines, `head` is the head
    at 2.0 stop vm2 / continue vm2
    at 2.0 restart head         the same command again; waits until it serves
    at 2.0 corrupt vm2          bytes of each file in the worker's store are changed
    at 2.0 fill vm2 / free vm2  no more room in the worker's store
    at 2.0 wait recoveries 1    until the status counts so many; also `wait whole`: all machines are there
    end 6
    expect failed <= 0          requests that were not answered; `wrong` is always 0
    expect status 503           those that failed have failed so
    expect recoveries >= 1

Every request is counted: answered rightly, failed with a stated error, or the run fails. At the end no process is left, and the
head has as many threads and files as before the faults.
"""
import operator
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy

from deployment import CONTINUE, KILL, STOP, Deployment, Load, spread_out, threads_and_files

HERE = pathlib.Path(__file__).resolve().parent
MACHINES = ("vm1", "vm2", "vm3")
DEVICES = "".join(f'[[device]]\nname = "{name}"\nthreads = 1\nmemory = "512MiB"\n' for name in MACHINES)
COMPARE = {"<=": operator.le, ">=": operator.ge, "==": operator.eq}
SETTLE_SECONDS = 20


class Schedule:
    def __init__(self, path: pathlib.Path):
        self.name = path.stem
        self.settings = {"rate": 50.0, "retry": 0.0, "heartbeat": 200.0, "machines": "three", "keep": "no"}
        self.steps: list[tuple[float, list[str]]] = []
        self.expected: list[list[str]] = []
        self.end = 0.0
        for line in path.read_text().splitlines():
            words = line.partition("#")[0].split()
            if not words:
                continue
            match words:
                case ["at", moment, *step]:
                    self.steps.append((float(moment), step))
                case ["end", moment]:
                    self.end = float(moment)
                case ["expect", *what]:
                    self.expected.append(what)
                case [key, value] if key in self.settings:
                    self.settings[key] = type(self.settings[key])(value)
                case _:
                    raise ValueError(f"{path}: '{line}' is no step")
        self.steps.sort(key=lambda step: step[0])


def perform(deployment: Deployment, step: list[str]) -> None:
    match step:
        case ["kill", "head"]:
            deployment.process.kill()
            deployment.process.wait()
        case ["restart", "head"]:
            deployment.start()
        case ["kill", name]:
            deployment.signal(name, KILL)
        case ["stop", name]:
            deployment.signal(name, STOP)
        case ["continue", name]:
            deployment.signal(name, CONTINUE)
        case ["corrupt", name]:
            for file in deployment.store(name).iterdir():
                os.chmod(file, 0o644)
                data = bytearray(file.read_bytes())
                data[len(data) // 2] ^= 0xFF
                file.write_bytes(data)
        case ["fill", name]:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=2", "full", deployment.store(name)], check=True)
        case ["free", name]:
            subprocess.run(["umount", "-l", deployment.store(name)], check=True)
        case ["wait", "recoveries", count]:
            deployment.wait(lambda status: status["recovery"]["recoveries"] >= int(count), 60, f"{count} recoveries")
        case ["wait", "whole"]:
            deployment.wait(lambda status: status["ready"] and not status["recovery"]["lost"], 60, "whole")
        case ["wait", "gone", name]:
            deployment.wait(lambda status: name in status["recovery"]["lost"], 60, f"without {name}")
        case _:
            raise ValueError(f"'{' '.join(step)}' is no fault")


def prepare(lamina: pathlib.Path, python: pathlib.Path, folder: pathlib.Path) -> None:
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([python, HERE / "make_model.py"], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    (folder / "devices.toml").write_text(DEVICES)
    subprocess.run([lamina, "slice", "model.keras", "-o", "cut"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    subprocess.run([lamina, "benchmark", "cut", "--devices", "devices.toml", "-r", "3", "-d", "0.02", "-l", "3"], cwd=folder,
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def run(schedule: Schedule, lamina: pathlib.Path, folder: pathlib.Path) -> list[str]:
    settings = schedule.settings
    layers = {"first": "vm1", "second": "vm2", "scores": "vm3"}
    spread_out(folder / "cut", lamina, layers if settings["machines"] == "three" else dict.fromkeys(layers, "vm1"),
               forget=settings["keep"] != "constraints")
    state = folder / f"state-{schedule.name}"
    state.mkdir()
    deployment = Deployment(lamina, folder / "cut", state, ["--heartbeat", f"{settings['heartbeat']:.0f}"])
    load = Load(deployment.port, numpy.load(folder / "inputs.npy"), numpy.load(folder / "answers.npy"), settings["rate"],
                retry=settings["retry"])
    begin = time.monotonic()
    try:
        time.sleep(0.5)
        before = threads_and_files(deployment.process.pid)
        done = []
        for moment, step in schedule.steps:
            time.sleep(max(0.0, begin + moment - time.monotonic()))
            perform(deployment, step)
            done.append((time.monotonic(), " ".join(step)))
        time.sleep(max(0.0, begin + schedule.end - time.monotonic()))
        answers = load.stop()
        deployment.wait(lambda status: status["ready"], SETTLE_SECONDS, "ready")
        status = deployment.status()
        problems = check(schedule, load, answers, status)
        if not any(step == ["restart", "head"] for _, step in schedule.steps):
            problems += leaks(deployment, before)
    finally:
        load.stopping.set()
        pids = [process["pid"] for process in deployment.record()["processes"]] if deployment.process.poll() is None else []
        deployment.close()
    problems += [f"process {pid} is left" for pid in pids if is_running(pid)]
    for moment, what in done:
        if not what.startswith(("wait", "continue")):
            after = [one.end for one in answers if one.right and one.end > moment]
            print(f"  {what}: {(min(after) - moment) * 1e3:.0f} ms until the next answer" if after else f"  {what}: no answer after it")
    recovery = status["recovery"]
    slowest = max((one.seconds for one in answers), default=0)
    print(f"  {len(answers)} requests, {sum(not one.right for one in answers)} failed, slowest {slowest:.2f} s; "
          f"{recovery['recoveries']} recoveries, the last in {recovery['last_seconds']:.2f} s, {recovery['replans']} planned changes, {recovery['requests_resent']} sent again")
    if problems:
        print(deployment.log.read_text()[-4000:])
    return problems


def is_running(pid: int) -> bool:
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def check(schedule: Schedule, load: Load, answers: list, status: dict) -> list[str]:
    failed = [one for one in answers if one.status != 200]
    wrong = [one for one in answers if one.status == 200 and not one.right]
    problems = [f"{len(wrong)} wrong answers: {wrong[0].text}"] if wrong else []
    if len(answers) != load.sent:
        problems.append(f"{load.sent} requests, {len(answers)} answers")
    figures = {"failed": len(failed), **status["recovery"]}
    for what in schedule.expected:
        match what:
            case ["status", *codes]:
                other = [one for one in failed if str(one.status) not in codes]
                if other:
                    problems.append(f"{len(other)} failed otherwise than with {codes}: {other[0]}")
            case [key, sign, limit]:
                if not COMPARE[sign](figures[key], float(limit)):
                    said = f": {failed[0].status} {failed[0].text}" if key == "failed" and failed else ""
                    problems.append(f"{key} is {figures[key]}, expected {sign} {limit}{said}")
            case _:
                raise ValueError(f"'{' '.join(what)}' can't be expected")
    return problems


def leaks(deployment: Deployment, before: tuple[int, int]) -> list[str]:
    """Connections end a moment after their streams, so it may take a while."""
    end = time.monotonic() + SETTLE_SECONDS
    while True:
        now = threads_and_files(deployment.process.pid)
        # gRPC keeps a few threads of its pool.
        if now[0] <= before[0] + 8 and now[1] <= before[1] + 8:
            return []
        if time.monotonic() > end:
            return [f"the head has {now[0]} threads and {now[1]} files, before the faults {before[0]} and {before[1]}"]
        time.sleep(0.2)


def main() -> None:
    lamina, python = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).absolute()
    failed = False
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        prepare(lamina, python, folder)
        for path in sys.argv[3:]:
            schedule = Schedule(pathlib.Path(path))
            print(schedule.name, flush=True)
            problems = run(schedule, lamina, folder)
            for problem in problems:
                print(f"  FAILED: {problem}")
            failed = failed or bool(problems)
    sys.exit(failed)


if __name__ == "__main__":
    main()
