"""A real deployment, its processes by name, and clients that check every answer.

Used by the fault tests and by bench/recovery.py.
"""
import dataclasses
import http.client
import io
import json
import os
import pathlib
import queue
import re
import signal
import subprocess
import threading
import time

import numpy


class Deployment:
    """`lamina deploy` of a directory. Records go to a state directory of its own."""

    def __init__(self, lamina: pathlib.Path, directory: pathlib.Path, state: pathlib.Path, options: list[str] = (),
                 environment: dict[str, str] = {}):
        self.lamina, self.directory, self.state, self.options = lamina, directory, state, list(options)
        self.environment = {**os.environ, **environment, "XDG_STATE_HOME": str(state)}
        self.port = 0
        self.log = state / "head.log"
        self.process = None
        self.start()

    def start(self, seconds: float = 120) -> None:
        words = [self.lamina, "deploy", self.directory, "--port", str(self.port), *self.options]
        with open(self.log, "a") as log:
            self.process = subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, stderr=log, text=True,
                                            env=self.environment)
        watchdog = threading.Timer(seconds, self.process.kill)
        watchdog.start()
        for line in self.process.stdout:
            if found := re.search(r"serving on http://127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])
                watchdog.cancel()
                threading.Thread(target=self.process.stdout.read, daemon=True).start()
                return
        watchdog.cancel()
        raise RuntimeError(f"the deployment did not start:\n{self.log.read_text()[-2000:]}")

    def record(self) -> dict:
        for path in (self.state / "lamina" / "deployments").glob("*/record.json"):
            record = json.loads(path.read_text())
            if any(one["role"] == "head" and one["pid"] == self.process.pid for one in record["processes"]):
                return {**record, "path": path.parent}
        raise RuntimeError("the deployment has no record")

    def pid(self, name: str) -> int:
        if name == "head":
            return self.process.pid
        for process in self.record()["processes"]:
            if process["role"] == name:
                return process["pid"]
        raise RuntimeError(f"no process '{name}' is recorded")

    def signal(self, name: str, number: int) -> None:
        os.kill(self.pid(name), number)

    def store(self, name: str) -> pathlib.Path:
        return self.record()["path"] / name / "store"

    def get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    def status(self) -> dict:
        return json.loads(self.get("/status")[1])

    def wait(self, what, seconds: float, said: str) -> None:
        end = time.monotonic() + seconds
        while True:
            try:
                if what(self.status()):
                    return
            except (OSError, http.client.HTTPException):
                pass
            if time.monotonic() > end:
                raise RuntimeError(f"after {seconds} s not yet {said}; the log ends\n{self.log.read_text()[-3000:]}")
            time.sleep(0.02)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise RuntimeError("the head did not end within 60 s")


@dataclasses.dataclass
class Answer:
    begin: float  # seconds, time.monotonic()
    end: float
    status: int  # HTTP; 0: no connection
    right: bool
    text: str = ""
    tries: int = 1
    opened: float = 0.0  # when the connection of the first try was

    @property
    def seconds(self) -> float:
        return self.end - self.begin


class Load:
    """Requests at a steady rate whatever the answers do, each checked against the answer that is expected.

    With `retry` a client whose connection breaks, or that is told to come again (503), tries again.
    """

    def __init__(self, port: int, inputs: numpy.ndarray, answers: numpy.ndarray, rate: float, threads: int = 48,
                 retry: float = 0, tolerance: float = 1e-3):
        self.port, self.rate, self.retry, self.tolerance = port, rate, retry, tolerance
        self.bodies = [self.body(one[None]) for one in inputs]
        self.expected = answers
        self.answers: list[Answer] = []
        self.sent = 0
        self.stopping = threading.Event()
        self.work: queue.Queue = queue.Queue()
        self.threads = [threading.Thread(target=self.ask, daemon=True) for _ in range(threads)]
        for thread in self.threads:
            thread.start()
        self.pacer = threading.Thread(target=self.pace, daemon=True)
        self.pacer.start()

    @staticmethod
    def body(array: numpy.ndarray) -> bytes:
        file = io.BytesIO()
        numpy.save(file, array)
        return file.getvalue()

    def pace(self) -> None:
        due = time.monotonic()
        while not self.stopping.is_set():
            self.work.put((self.sent % len(self.bodies), due))
            self.sent += 1
            due += 1 / self.rate
            self.stopping.wait(max(0.0, due - time.monotonic()))
        for _ in self.threads:
            self.work.put(None)

    def ask(self) -> None:
        connection, opened = None, 0.0
        while (item := self.work.get()) is not None:
            which, due = item
            tries, first_opened = 0, 0.0
            while True:
                tries += 1
                try:
                    if connection is None:
                        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
                        opened = time.monotonic()
                    first_opened = first_opened or opened
                    connection.request("POST", "/input", self.bodies[which], {"Accept": "application/x-npy"})
                    reply = connection.getresponse()
                    status, body = reply.status, reply.read()
                except (OSError, http.client.HTTPException) as problem:
                    status, body = 0, repr(problem).encode()
                    if connection is not None:
                        connection.close()
                    connection = None
                if status in (0, 503) and time.monotonic() < due + self.retry:
                    time.sleep(0.05)
                    continue
                break
            right = status == 200 and self.is_right(body, self.expected[which])
            self.answers.append(Answer(due, time.monotonic(), status, right, "" if right else body[:300].decode(errors="replace"), tries,
                                       first_opened))
        if connection is not None:
            connection.close()

    def is_right(self, body: bytes, expected: numpy.ndarray) -> bool:
        try:
            answer = numpy.load(io.BytesIO(body))
        except ValueError:
            answer = numpy.asarray(json.loads(body))
        return bool(numpy.max(numpy.abs(answer.reshape(-1) - expected.reshape(-1))) <= self.tolerance * max(1e-6, float(numpy.max(numpy.abs(expected)))))

    def stop(self) -> list[Answer]:
        """Waits for what is under way."""
        self.stopping.set()
        self.pacer.join()
        for thread in self.threads:
            thread.join(timeout=120)
        if any(thread.is_alive() for thread in self.threads):
            raise RuntimeError("a client never got an answer")
        return sorted(self.answers, key=lambda one: one.begin)


def thirds(directory: pathlib.Path, machines: tuple[str, ...]) -> dict[str, str]:
    """Of a measured model: a layer of each piece, and the machine that gets it, so that each has an equal share of the time."""
    benchmark = json.loads((directory / "benchmark.json").read_text())
    seconds = [piece["median"] for piece in benchmark["measurements"][0]]
    total, passed, places = sum(seconds), 0.0, {}
    for piece, time_of_piece in zip(benchmark["pieces"], seconds):
        machine = machines[min(int(len(machines) * passed / total), len(machines) - 1)]
        places[piece["name"].split(" … ")[0]] = machine
        passed += time_of_piece
    return places


def spread_out(directory: pathlib.Path, lamina: pathlib.Path, places: dict[str, str], forget: bool = True) -> None:
    """Plans with the given layers on the given machines, and may forget that they have to be there: then recovery moves them."""
    must = ",".join(f'"{layer}":{machine}' for layer, machine in places.items())
    source = next(iter(places.values()))
    subprocess.run([lamina, "configure", directory, source, "-c", f"must={{{must}}}"], check=True, stdout=subprocess.DEVNULL)
    if not forget:
        return
    path = directory / "plan.json"
    plan = json.loads(path.read_text())
    plan["demands"]["constraints"] = ""
    path.write_text(json.dumps(plan))


KILL, STOP, CONTINUE = signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT
