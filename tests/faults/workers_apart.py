"""A deployment whose workers run on machines of their own: the head finds them, it neither starts nor ends them."""
import os
import pathlib
import subprocess
import threading
import time

import network
from deployment import Deployment

PORT = 7070
RESTART_SECONDS = 0.5


class Worker:
    """`lamina worker` on one machine, started again when it ends, as a service manager would."""

    def __init__(self, lamina: pathlib.Path, net: network.Network, name: str, folder: pathlib.Path, memory: str,
                 environment: dict[str, str]):
        self.net, self.name, self.folder = net, name, folder
        self.address = f"{net.addresses[name]}:{PORT}"
        self.words = [*net.enter_words(name), str(lamina), "worker", "--name", name, "--listen", self.address, "--threads", "1",
                      "--memory", memory, "--store", str(self.store), "--address-file", str(folder / "address"), "--insecure"]
        self.environment = environment
        self.closing = threading.Event()
        folder.mkdir(exist_ok=True)
        self.log = open(folder / "worker.log", "a")
        self.start()
        self.keeper = threading.Thread(target=self.keep, daemon=True)
        self.keeper.start()

    @property
    def store(self) -> pathlib.Path:
        return self.folder / "store"

    def start(self) -> None:
        (self.folder / "address").unlink(missing_ok=True)
        self.process = subprocess.Popen(self.words, stdout=self.log, stderr=self.log, env=self.environment)

    def wait_until_ready(self, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not (self.folder / "address").exists():
            if time.monotonic() > end:
                raise RuntimeError(f"'{self.name}' did not start:\n{(self.folder / 'worker.log').read_text()[-2000:]}")
            time.sleep(0.01)

    def keep(self) -> None:
        while not self.closing.wait(0.05):
            if self.process.poll() is not None and not self.closing.wait(RESTART_SECONDS):
                self.start()

    def close(self) -> str:
        """Ends it as a service manager does; what is wrong with how it ended."""
        self.closing.set()
        self.keeper.join()
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(timeout=20)
            return ""
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return f"the worker '{self.name}' did not end within 20 s"
        finally:
            self.log.close()


class DeploymentApart(Deployment):
    def __init__(self, lamina: pathlib.Path, directory: pathlib.Path, state: pathlib.Path, options: list[str],
                 net: network.Network, memory: str, environment: dict[str, str]):
        self.workers = {name: Worker(lamina, net, name, state / name, memory, {**os.environ, **environment})
                        for name in net.addresses}
        try:
            for worker in self.workers.values():
                worker.wait_until_ready()
            places = [word for worker in self.workers.values() for word in ("--worker", f"{worker.name}={worker.address}")]
            super().__init__(lamina, directory, state,
                             [*options, *places, "--insecure", "--head-listen", f"{network.HEAD}:0"], environment)
        except BaseException:
            for worker in self.workers.values():
                worker.close()
            raise

    def pid(self, name: str) -> int:
        return self.process.pid if name == "head" else self.workers[name].process.pid

    def store(self, name: str) -> pathlib.Path:
        return self.workers[name].store

    def close_workers(self) -> None:
        problems = [problem for worker in self.workers.values() if (problem := worker.close())]
        if problems:
            raise RuntimeError("; ".join(problems))

    def close(self) -> None:
        try:
            super().close()
        finally:
            self.close_workers()
