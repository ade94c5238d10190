#!/usr/bin/env python3
"""Requests a second of a pipeline on one, two and three equal machines, many requests under way at once.

Machines are those of bench/machines.py; requests come from this host over HTTP, on connections that stay open. Pipelines are
deployed and asked in turns, each once a round. Prints Markdown tables: requests a second predicted from the pieces and what runs taught,
found when the plan was tried before it was chosen, and measured; the ratio to one machine of the same round; with --profile also
where the time goes. Medians over rounds with quartiles.
"""
import argparse
import contextlib
import dataclasses
import http.client
import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from figures import spread
from machines import Machine, Machines, command, die_with_parent, end
from models import LAMINA, folder_of

NAMES = ["one", "two", "three"]
TICK = 1 / os.sysconf("SC_CLK_TCK")
WARM_UP_SECONDS = 2
REQUEST_SECONDS = 60


@dataclasses.dataclass
class Pipeline:
    directory: pathlib.Path
    period: float  # seconds, predicted
    tried: float  # the same, measured by `lamina configure`; nan where it did not run
    stages: list[dict]

    def seconds_of(self, machine: str) -> float:
        """What a request takes there, predicted."""
        return sum(replica["share"] * stage["seconds"] for stage in self.stages for replica in stage["replicas"]
                   if replica["device"] == machine)


@dataclasses.dataclass
class Round:
    rate: float  # requests a second
    head: float  # processor seconds a request, of head and HTTP front end
    client: float  # the same, of this process
    busy: dict[str, float]  # processor seconds a request, by worker
    throttled: dict[str, float]  # share of the time that a worker stood still for its quota


def predicted_stages(benchmark: dict, cuts: list[int]) -> list[dict]:
    """Machine k runs the pieces from cuts[k] to cuts[k + 1]; the times are those that `lamina configure` reckons with."""
    stages = []
    for device, (begin, finish) in enumerate(itertools.pairwise(cuts)):
        pieces = benchmark["measurements"][device][begin:finish]
        seconds = sum(piece["steady"] for piece in pieces) * benchmark["steady_fusion"][device]
        hop = benchmark["cut_bytes"][begin] / benchmark["links"][max(device - 1, 0)][device]["bandwidth"]
        stages.append({"begin": begin, "end": finish, "seconds": seconds, "period": max(seconds, hop),
                       "replicas": [{"device": NAMES[device], "share": 1}]})
    return stages


def balanced_cuts(benchmark: dict) -> list[int]:
    """The cuts, one stage a machine, whose slowest stage is fastest: all of them are tried."""
    last = len(benchmark["pieces"])
    inner = itertools.combinations(range(1, last), len(benchmark["devices"]) - 1)
    return min(([0, *cuts, last] for cuts in inner),
               key=lambda cuts: max(stage["period"] for stage in predicted_stages(benchmark, cuts)))


def first_devices(benchmark: dict, count: int) -> dict:
    """The benchmark as if only the first machines had been there."""
    fewer = dict(benchmark)
    for key in ("devices", "measurements", "wake", "fusion", "steady_fusion", "messages", "formats"):
        fewer[key] = benchmark[key][:count]
    fewer["links"] = [row[:count] for row in benchmark["links"][:count]]
    fewer["blocks"] = [{**block, "measurements": block["measurements"][:count]} for block in benchmark["blocks"]]
    return fewer


def configure(directory: pathlib.Path, benchmark: dict, options: argparse.Namespace, gateway: str) -> Pipeline:
    if not options.forced:
        print(command(LAMINA, "configure", directory, NAMES[0], "--objective", "throughput", "--replicas", options.replicas,
                      "--wire", options.wire, "--measure", options.measure, "--insecure", "--head-listen", f"{gateway}:0").stdout, file=sys.stderr)
        plan = json.loads((directory / "plan.json").read_text())
        tried = plan["measured"]["period"] if "measured" in plan else float("nan")
        return Pipeline(directory, plan["period"], tried, plan["stages"])
    cuts = balanced_cuts(benchmark)
    stages = predicted_stages(benchmark, cuts)
    # A piece may be known by any of its layers; its name starts with the first.
    places = [f'"{benchmark["pieces"][piece]["name"].split(" … ")[0]}":{NAMES[device]}'
              for device, stage in enumerate(stages) for piece in range(stage["begin"], stage["end"])]
    command(LAMINA, "configure", directory, NAMES[0], "--insecure", "-c", f"must={{{','.join(places)}}}")
    return Pipeline(directory, max(stage["period"] for stage in stages), float("nan"), stages)


@contextlib.contextmanager
def deployed(directory: pathlib.Path, machines: Machines):
    """The process that serves, and its port."""
    with open(directory / "head.log", "w") as log:
        process = subprocess.Popen([LAMINA, "deploy", directory, "--port", "0", "--insecure", "--head-listen", f"{machines.gateway}:0"],
                                   stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
                                   preexec_fn=die_with_parent)
    try:
        for line in process.stdout:
            found = re.match(r"serving on http://.*:(\d+)", line)
            if found:
                yield process, int(found[1])
                return
        raise RuntimeError(f"the deployment did not start: {(directory / 'head.log').read_text()[-500:]}")
    finally:
        end(process)


def processor_seconds(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK


def ask(head: subprocess.Popen, port: int, used: list[str], body: bytes, clients: int, seconds: float,
        machines: Machines) -> Round:
    """Clients that send a request as soon as they have the answer to the one before."""
    stop = threading.Event()
    ends: list[float] = []  # append is atomic
    problems: list[BaseException] = []

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_SECONDS)
        try:
            while not stop.is_set():
                connection.request("POST", "/input", body)
                reply = connection.getresponse()
                answer = reply.read()
                if reply.status != 200:
                    raise RuntimeError(f"status {reply.status}: {answer[:200]!r}")
                ends.append(time.perf_counter())
        except BaseException as problem:  # told by the main thread
            problems.append(problem)
            stop.set()
        finally:
            connection.close()

    def usage() -> dict:
        return {"head": processor_seconds(head.pid), "client": time.process_time(),
                "busy": {name: processor_seconds(process.pid) for name, process in machines.processes.items()},
                "throttled": {name: group.throttled() for name, group in machines.groups.items()}}

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    stop.wait(WARM_UP_SECONDS)
    before, begin = usage(), time.perf_counter()
    stop.wait(seconds)
    after, finish = usage(), time.perf_counter()
    stop.set()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
    counted = [moment for moment in ends if begin <= moment <= finish]
    if len(counted) < 2:
        raise RuntimeError(f"{len(counted)} answers in {seconds} s; give --seconds more")
    count = len(counted)
    return Round((count - 1) / (max(counted) - min(counted)), (after["head"] - before["head"]) / count,
                 (after["client"] - before["client"]) / count,
                 {name: (after["busy"][name] - before["busy"][name]) / count for name in used},
                 {name: (after["throttled"][name] - before["throttled"][name]) / (finish - begin) for name in used})


def profile(count: int, pipeline: Pipeline, rounds: list[Round], cpus: float) -> str:
    def milliseconds(values: list[float]) -> str:
        return spread([value * 1e3 for value in values])

    rows = []
    for name in NAMES[:count]:
        rows.append(f"| {count} | {name} | {pipeline.seconds_of(name) * 1e3:.2f} | {milliseconds([r.busy[name] for r in rounds])} | "
                    f"{spread([r.busy[name] * r.rate / cpus for r in rounds])} | {spread([r.throttled[name] for r in rounds])} | "
                    f"{milliseconds([r.head for r in rounds])} | {milliseconds([r.client for r in rounds])} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="ResNet50")
    parser.add_argument("--cpus", type=float, default=0.5, help="share of the processors that each machine has")
    parser.add_argument("--megabits", type=float, default=1000, help="rate of each link, a second")
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8, help="length of a round for each pipeline")
    parser.add_argument("--forced", action="store_true", help="cut here, by trying all cuts, instead of by the planner")
    parser.add_argument("--replicas", default="1", help="machines that may run the same stage; auto: all")
    parser.add_argument("--wire", default="f32", help="format of tensors between machines, as of `lamina configure`")
    parser.add_argument("--measure", type=int, default=4, help="plans to run before one is chosen; 0: by the measured pieces alone")
    parser.add_argument("--profile", action="store_true", help="also print where the time goes")
    options = parser.parse_args()
    if len(NAMES) * options.cpus > os.cpu_count():
        sys.exit(f"{len(NAMES)} machines of {options.cpus} CPUs are more than the {os.cpu_count()} there are")
    folder = folder_of(options.model)
    body = (folder / "input1.npy").read_bytes()
    with contextlib.ExitStack() as guard:
        scratch = pathlib.Path(guard.enter_context(tempfile.TemporaryDirectory()))
        machines = guard.enter_context(Machines([Machine(name, options.cpus) for name in NAMES], options.megabits))
        whole = scratch / "model"
        command(LAMINA, "slice", folder / "model.keras", "-o", whole)
        devices = scratch / "devices.toml"
        machines.describe(devices)
        command(LAMINA, "benchmark", whole, "--insecure", "--devices", devices)
        benchmark = json.loads((whole / "benchmark.json").read_text())
        pipelines = {}
        for count in range(1, len(NAMES) + 1):
            directory = scratch / f"model{count}"
            shutil.copytree(whole, directory)
            fewer = first_devices(benchmark, count)
            (directory / "benchmark.json").write_text(json.dumps(fewer))
            pipelines[count] = configure(directory, fewer, options, machines.gateway)
        rounds: dict[int, list[Round]] = {count: [] for count in pipelines}
        for _ in range(options.rounds):
            for count, pipeline in pipelines.items():
                with deployed(pipeline.directory, machines) as (head, port):
                    rounds[count].append(ask(head, port, NAMES[:count], body, options.clients, options.seconds, machines))
    print(f"{options.model}, {options.cpus} CPUs a machine, links of {options.megabits:g} Mbit/s, {options.clients} clients\n")
    print("| machines | predicted, requests/s | tried, requests/s | measured, requests/s | predicted / measured | tried / measured | to one machine |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for count, pipeline in pipelines.items():
        rates = [r.rate for r in rounds[count]]
        print(f"| {count} | {1 / pipeline.period:.2f} | {1 / pipeline.tried:.2f} | {spread(rates)} | "
              f"{spread([1 / pipeline.period / rate for rate in rates])} | {spread([1 / pipeline.tried / rate for rate in rates])} | "
              f"{spread([rate / one.rate for rate, one in zip(rates, rounds[1])])} |")
    if options.profile:
        print("\nA request, ms of a processor; shares of the machine's quota in use, of the time stood still for it\n")
        print("| machines | worker | predicted, ms of a clock | worker | quota in use | stood still | head | clients |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        for count, pipeline in pipelines.items():
            print(profile(count, pipeline, rounds[count], options.cpus))


if __name__ == "__main__":
    main()
