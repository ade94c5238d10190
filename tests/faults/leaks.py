"""What a deployment holds of the system, and whether it is more after faults than before."""
import dataclasses
import os
import pathlib
import time

SETTLE_SECONDS = 20
# gRPC keeps a few threads of its pool, and a connection more or less is being made at any moment.
MORE_THREADS = 8
MORE_FILES = 4
# An allocator's pools and the engine's caches fill differently each time; a stage that stays behind is more.
MORE_BYTES = 24 << 20


@dataclasses.dataclass
class Holdings:
    """Of one process: memory is what is neither a file's nor shared."""
    threads: int
    files: int
    memory: int

    @staticmethod
    def of(pid: int) -> "Holdings":
        folder = pathlib.Path(f"/proc/{pid}")
        status = dict(line.split(":\t", 1) for line in (folder / "status").read_text().splitlines() if ":\t" in line)
        return Holdings(int(status["Threads"]), len(list((folder / "fd").iterdir())), int(status["RssAnon"].split()[0]) << 10)

    def beyond(self, before: "Holdings", more_bytes: int) -> str:
        """What is more than before by more than its bound."""
        excess = []
        if self.threads > before.threads + MORE_THREADS:
            excess.append(f"{self.threads} threads after {before.threads}")
        if self.files > before.files + MORE_FILES:
            excess.append(f"{self.files} open files after {before.files}")
        if self.memory > before.memory + MORE_BYTES + more_bytes:
            excess.append(f"{self.memory >> 20} MiB after {before.memory >> 20} MiB")
        return ", ".join(excess)


def holdings(pids: dict[str, int]) -> dict[str, Holdings]:
    return {name: Holdings.of(pid) for name, pid in pids.items()}


def beyond(before: dict[str, Holdings], pids, more_bytes: int = 0) -> list[str]:
    """Connections end a moment after their streams, so what is too much may be gone soon. `pids` is asked again and again;
    `more_bytes` is what stages may take that are not where they were."""
    end = time.monotonic() + SETTLE_SECONDS
    while True:
        now = holdings(pids())
        excess = [f"{name} has {said}" for name, held in now.items() if (said := held.beyond(before[name], more_bytes))]
        if not excess or time.monotonic() > end:
            return excess
        time.sleep(0.2)


def processes_with(mark: str) -> list[str]:
    """Processes that were started, by whomever, with this in their environment."""
    found = []
    for folder in pathlib.Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            if mark.encode() in (folder / "environ").read_bytes() and is_running(int(folder.name)):
                found.append(f"{folder.name} ({(folder / 'comm').read_text().strip()})")
        except OSError:
            continue  # it has just ended, or is another user's
    return found


def files_in(folder: pathlib.Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def control_groups_of(pid: int) -> list[str]:
    """That a head made for its workers."""
    return [str(path) for path in pathlib.Path("/sys/fs/cgroup").glob(f"**/lamina-{pid}-*")]


def memory_group(pid: int) -> pathlib.Path:
    """Of a process with a limit of memory by a control group."""
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "/lamina-" not in path:
            continue
        if "memory" in controllers.split(","):
            return pathlib.Path(f"/sys/fs/cgroup/memory{path}")
        if not controllers:
            return pathlib.Path(f"/sys/fs/cgroup{path}")
    raise RuntimeError(f"process {pid} is in no control group of its own")


def remove_group(group: pathlib.Path) -> None:
    """A head could not remove it while a process was in it, and may be trying again. One that has just ended is still counted."""
    end = time.monotonic() + SETTLE_SECONDS
    while group.exists():
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
