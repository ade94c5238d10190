"""Machines of known speed on this one: a network namespace, a shaped link and a share of the processors for each.

    with Machines([Machine("one", cpus=0.5), Machine("two", cpus=0.5)], megabits=1000) as machines:
        machines.address("one")    # host:port of its `lamina worker`
        machines.gateway           # the address of this host that the workers reach

Namespaces hang on one bridge. Each link passes `megabits` a second either way (tc tbf; the kernel may lack netem, so delay is
what the bridge takes). Workers run in control groups of version 1 or 2, with the period that `lamina` uses, and before all else
on this machine: another's load must not be taken for theirs. Needs root. All of it goes at the end, also after Ctrl-C or SIGTERM;
what a run leaves that was killed, the next one removes.
"""
import contextlib
import ctypes
import dataclasses
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from models import LAMINA

PERIOD = 10_000  # microseconds, as docs/decisions/0006-limits-of-local-workers.md chooses
PORT = 7070
START_SECONDS = 60
PREFIX = "lmb"  # of bridges, namespaces and groups: lmbPID…
GROUPS = pathlib.Path("/sys/fs/cgroup")


@dataclasses.dataclass
class Machine:
    name: str
    cpus: float  # share of the processors
    threads: int = 1
    memory: str = "2GiB"


def command(*words: object, check: bool = True) -> subprocess.CompletedProcess:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(map(str, words))}: {done.stderr.strip()}")
    return done


class Group:
    """A control group with a share of the processors."""

    def __init__(self, name: str, cpus: float):
        quota = round(PERIOD * cpus)
        if (GROUPS / "cpu" / "cpu.cfs_quota_us").exists():
            self.path = GROUPS / "cpu" / name
            settings = {"cpu.cfs_period_us": PERIOD, "cpu.cfs_quota_us": quota, "cpu.shares": 100_000}
        else:
            (GROUPS / "cgroup.subtree_control").write_text("+cpu")
            self.path = GROUPS / name
            settings = {"cpu.max": f"{quota} {PERIOD}", "cpu.weight": 10_000}
        self.path.mkdir()
        for file, value in settings.items():
            (self.path / file).write_text(str(value))

    def enter(self) -> None:
        (self.path / "cgroup.procs").write_text("0")

    def throttled(self) -> float:
        """Seconds that it stood still because its share was used up, in all its threads together."""
        fields = dict(line.split() for line in (self.path / "cpu.stat").read_text().splitlines())
        return int(fields["throttled_time"]) / 1e9 if "throttled_time" in fields else int(fields["throttled_usec"]) / 1e6

    def close(self) -> None:
        self.path.rmdir()


def die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Machines(contextlib.AbstractContextManager):
    def __init__(self, machines: list[Machine], megabits: float):
        self.machines = machines
        self.megabits = megabits
        self.mark = f"{PREFIX}{os.getpid()}"
        network = f"10.213.{os.getpid() % 256}"
        self.gateway = f"{network}.1"
        self.addresses = {machine.name: f"{network}.{10 + i}" for i, machine in enumerate(machines)}
        self.processes: dict[str, subprocess.Popen] = {}
        self.groups: dict[str, Group] = {}
        self.stack = contextlib.ExitStack()

    def address(self, name: str) -> str:
        return f"{self.addresses[name]}:{PORT}"

    def describe(self, path: pathlib.Path) -> None:
        """Writes them as `lamina benchmark --devices` wants them."""
        path.write_text("".join(f'[[device]]\nname = "{machine.name}"\naddress = "{self.address(machine.name)}"\ncpus = {machine.cpus}\n'
                                for machine in self.machines))

    def inside(self, name: str) -> list[str]:
        """Words before a command that is to run on a machine's network (not under its share of the processors)."""
        return ["ip", "netns", "exec", f"{self.mark}-{list(self.addresses).index(name)}"]

    def __enter__(self) -> "Machines":
        if os.geteuid() != 0:
            sys.exit("network namespaces and control groups need root")
        remove_left()
        with self.stack as guard:
            # SIGTERM unwinds like Ctrl-C.
            before = signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
            guard.callback(signal.signal, signal.SIGTERM, before)
            scratch = pathlib.Path(tempfile.mkdtemp())
            guard.callback(shutil.rmtree, scratch, ignore_errors=True)
            guard.callback(command, "ip", "link", "delete", self.mark, check=False)
            command("ip", "link", "add", self.mark, "type", "bridge")
            command("ip", "address", "add", f"{self.gateway}/24", "dev", self.mark)
            command("ip", "link", "set", self.mark, "up")
            for index, machine in enumerate(self.machines):
                self._connect(guard, index, machine)
                self._start(guard, machine, scratch)
            self._wait_until_ready(scratch)
            self.stack = guard.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def _connect(self, guard: contextlib.ExitStack, index: int, machine: Machine) -> None:
        space, outside = f"{self.mark}-{index}", f"{self.mark}v{index}"
        guard.callback(command, "ip", "netns", "delete", space, check=False)  # and the link with it
        command("ip", "netns", "add", space)
        command("ip", "link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", space)
        command("ip", "link", "set", outside, "master", self.mark, "up")
        inside = ["ip", "netns", "exec", space]
        command(*inside, "ip", "address", "add", f"{self.addresses[machine.name]}/24", "dev", "eth0")
        command(*inside, "ip", "link", "set", "eth0", "up")
        command(*inside, "ip", "link", "set", "lo", "up")
        # A burst of a millisecond; more than that waits, up to 50 ms.
        shape = ["root", "tbf", "rate", f"{self.megabits}mbit", "burst", max(round(self.megabits * 125), 16_000), "latency", "50ms"]
        command("tc", "qdisc", "add", "dev", outside, *shape)
        command(*inside, "tc", "qdisc", "add", "dev", "eth0", *shape)

    def _start(self, guard: contextlib.ExitStack, machine: Machine, scratch: pathlib.Path) -> None:
        group = Group(f"{self.mark}-{machine.name}", machine.cpus)
        self.groups[machine.name] = group
        guard.callback(group.close)

        def prepare() -> None:
            die_with_parent()
            group.enter()

        index = self.machines.index(machine)
        log = open(scratch / f"{machine.name}.log", "wb")
        process = subprocess.Popen(
            ["ip", "netns", "exec", f"{self.mark}-{index}", str(LAMINA), "worker", "--name", machine.name,
             "--insecure", "--listen", self.address(machine.name), "--threads", str(machine.threads),
             "--memory", machine.memory,
             "--store", str(scratch / machine.name), "--address-file", str(scratch / f"{machine.name}.address")],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, preexec_fn=prepare)
        log.close()
        self.processes[machine.name] = process
        guard.callback(end, process)

    def _wait_until_ready(self, scratch: pathlib.Path) -> None:
        deadline = time.monotonic() + START_SECONDS
        for name, process in self.processes.items():
            while not (scratch / f"{name}.address").exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"worker '{name}' did not start: {(scratch / f'{name}.log').read_text()[-500:]}")
                time.sleep(0.01)


def end(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def remove_left() -> None:
    """What runs left behind that were killed: names hold their process id. Their workers died with them."""
    def dead(name: str) -> bool:
        found = re.match(rf"{PREFIX}(\d+)", name)
        return bool(found) and not pathlib.Path(f"/proc/{found[1]}").exists()

    for line in command("ip", "netns", "list").stdout.splitlines():
        if line and dead(line.split()[0]):
            command("ip", "netns", "delete", line.split()[0], check=False)
    for link in pathlib.Path("/sys/class/net").iterdir():
        if dead(link.name):
            command("ip", "link", "delete", link.name, check=False)
    for parent in (GROUPS, GROUPS / "cpu"):
        for group in parent.glob(f"{PREFIX}*"):
            if dead(group.name):
                with contextlib.suppress(OSError):
                    group.rmdir()
