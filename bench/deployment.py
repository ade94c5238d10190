"""A running deployment of sliced folders, and clients that load it over HTTP."""
import http.client
import pathlib
import re
import subprocess
import sys
import threading
import time

from models import LAMINA


class Deployment:
    def __init__(self, folder: pathlib.Path, options: list[str]):
        self.process = subprocess.Popen([LAMINA, "deploy", folder, "--port", "0", *options], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        for line in self.process.stdout:
            if found := re.search(r"serving on http://127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])
                return
        sys.exit("the deployment did not start")

    def batches(self) -> tuple[float, float]:
        """Rows and number of the batches that left."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        found = [re.search(rf"^lamina_batch_rows_{key} (\S+)$", text, re.MULTILINE) for key in ("sum", "count")]
        return tuple(float(match[1]) if match else 0.0 for match in found)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=60)


def load(port: int, body: bytes, clients: int, seconds: float) -> tuple[float, list[float]]:
    """Requests a second, and the milliseconds of each."""
    latencies = [[] for _ in range(clients)]
    problems = []
    begin = time.perf_counter()

    def work(mine: list[float]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while time.perf_counter() < begin + seconds:
            start = time.perf_counter()
            connection.request("POST", "/input", body)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                problems.append(answer.status)
                return
            mine.append((time.perf_counter() - start) * 1e3)
        connection.close()

    threads = [threading.Thread(target=work, args=(mine,)) for mine in latencies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        sys.exit(f"a request was answered with {problems[0]}")
    every = sum(latencies, [])
    return len(every) / (time.perf_counter() - begin), every
