"""A process that has become slow."""
import os
import signal
import threading
import time


class Slowed:
    """From construction to end() it gets 1 ms of each 18, as on a machine that has a lot of other work: less than a stage takes."""

    def __init__(self, pid: int):
        self.pid, self.ending = pid, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        try:
            while not self.ending.is_set():
                os.kill(self.pid, signal.SIGSTOP)
                time.sleep(0.017)
                os.kill(self.pid, signal.SIGCONT)
                time.sleep(0.001)
        except ProcessLookupError:
            pass  # it was ended

    def end(self) -> None:
        self.ending.set()
        self.thread.join()
