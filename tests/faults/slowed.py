"""A process that has become slow.

    slowed.py PID

gives it little time until it is ended.
"""
import os
import pathlib
import signal
import subprocess
import sys
import time

SHARE = 1 / 20  # of a processor's time
AWAKE = 0.0002  # seconds in a row: much less than a stage takes


class Slowed:
    """From construction to end() a process gets a share of the time, as on a machine that has a lot of other work."""

    def __init__(self, pid: int):
        self.pid = pid
        # A process of its own, since a thread would wait for the others of this one.
        self.process = subprocess.Popen([sys.executable, pathlib.Path(__file__).resolve(), str(pid)])

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        os.kill(self.pid, signal.SIGCONT)


def slow_down(pid: int) -> None:
    # It is stopped for as long as what it used is worth, since on a busy machine it may run for longer than it was to.
    clock = (~pid << 3) | 2  # of the process's time on processors, as clock_getcpuclockid(3) makes it
    used = time.clock_gettime(clock)
    while True:
        time.sleep(AWAKE)
        os.kill(pid, signal.SIGSTOP)
        before, used = used, time.clock_gettime(clock)
        time.sleep((used - before) * (1 / SHARE - 1))
        os.kill(pid, signal.SIGCONT)


if __name__ == "__main__":
    try:
        slow_down(int(sys.argv[1]))
    except OSError:
        pass  # it was ended
