"""Machines with a network of their own: a namespace each, all on one switch whose links can be cut and slowed.

Needs the rights of enter(): namespaces of networks and of mounts that this process may change.
"""
import os
import pathlib
import subprocess
import sys

INSIDE = "LAMINA_FAULTS_INSIDE"
NAMESPACES = pathlib.Path("/run/netns")
HEAD = "10.77.0.1"
# So much may wait for a slow link, as in the switches of a shop.
BURST, QUEUE = "16kb", "400ms"


def run(*words: object) -> None:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, words))}: {done.stderr.strip()}")


def may_enter() -> str:
    """Why namespaces can't be made here; nothing where they can."""
    try:
        run("unshare", "--net", "--mount", "--propagation", "private", "sh", "-c",
            "ip link add name switch type bridge && mount -t tmpfs none /mnt && tc qdisc show")
    except (RuntimeError, OSError) as problem:
        return str(problem)
    return ""


def enter() -> None:
    """Starts this program again where networks and mounts are its own; they go with its last process."""
    if os.environ.get(INSIDE):
        return
    words = ["unshare", "--net", "--mount", "--propagation", "private", sys.executable, *sys.argv]
    os.execvpe(words[0], words, {**os.environ, INSIDE: "1"})


class Network:
    """The head and the clients are where this process is, at HEAD; each machine has an address of its own."""

    def __init__(self, names: tuple[str, ...]):
        NAMESPACES.mkdir(exist_ok=True)
        run("mount", "-t", "tmpfs", "none", NAMESPACES)
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "name", "switch", "type", "bridge")
        run("ip", "address", "add", f"{HEAD}/24", "dev", "switch")
        run("ip", "link", "set", "switch", "up")
        self.addresses = {}
        for number, name in enumerate(names, 11):
            self.addresses[name] = f"10.77.0.{number}"
            run("ip", "netns", "add", name)
            run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
            run("ip", "link", "set", name, "master", "switch", "up")
            self.within(name, "ip", "address", "add", f"{self.addresses[name]}/24", "dev", "eth0")
            for device in ("eth0", "lo"):
                self.within(name, "ip", "link", "set", device, "up")

    @staticmethod
    def enter_words(name: str) -> list[str]:
        """Before a command: it runs on that machine's network."""
        return ["nsenter", f"--net={NAMESPACES / name}"]

    def within(self, name: str, *words: object) -> None:
        run(*self.enter_words(name), *words)

    def cut(self, *names: str) -> None:
        """The link of one machine, or what passes between several: both ways, and nobody is told."""
        for name in names:
            run("bridge", "link", "set", "dev", name, *(("state", "0") if len(names) == 1 else ("isolated", "on")))

    def heal(self, *names: str) -> None:
        for name in names:
            run("bridge", "link", "set", "dev", name, "state", "3")
            run("bridge", "link", "set", "dev", name, "isolated", "off")

    def slow(self, name: str, rate: str) -> None:
        """Both ways of a machine's link, e.g. at 4mbit."""
        limit = ("root", "tbf", "rate", rate, "burst", BURST, "latency", QUEUE)
        run("tc", "qdisc", "replace", "dev", name, *limit)
        self.within(name, "tc", "qdisc", "replace", "dev", "eth0", *limit)

    def fast(self, name: str) -> None:
        run("tc", "qdisc", "delete", "dev", name, "root")
        self.within(name, "tc", "qdisc", "delete", "dev", "eth0", "root")
