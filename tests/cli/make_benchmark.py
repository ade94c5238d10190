"""A benchmark of the model in DIR on given machines: 'a' and 'b' of equal speed, 'slow' ten times slower. Every piece takes
10 ms on 'a', whatever it is, and 20 ms for 8 rows; links take 1 µs and carry 10 GB/s."""
import hashlib
import json
import pathlib
import sys

directory = pathlib.Path(sys.argv[1])
text = (directory / "model.json").read_bytes()
boundaries = json.loads(text)["boundaries"]
names = ["first", "branch … join", "pool … flat", "scores"]
assert len(boundaries) == len(names) + 1
speeds = {"a": 1, "b": 1, "slow": 0.1}
pieces = [{"name": name, "begin": begin, "end": end, "weight_bytes": 1 << 20}
          for name, begin, end in zip(names, boundaries, boundaries[1:])]


def measured(seconds: float) -> dict:
    return {"median": seconds, "p10": seconds, "p90": seconds, "activation_bytes": 1 << 16, "weight_bytes": 1 << 20, "steady": seconds}


def figures(batch: int, seconds: float) -> dict:
    return {"batch": batch, "cut_bytes": [1000 * batch] * len(pieces) + [16 * batch],
            "measurements": [[measured(seconds / speed) for _ in pieces] for speed in speeds.values()],
            "fusion": [1.0] * len(speeds), "steady_fusion": [1.0] * len(speeds)}


link = {"round_trip_min": 1e-6, "round_trip_mean": 1e-6, "round_trip_max": 1e-6, "bandwidth": 1e10}
benchmark = {
    "format": "lamina-benchmark", "version": 4, "model": "small", "model_hash": hashlib.sha256(text).hexdigest(),
    "engine": "given", "memory_multiplier": 0.8, **figures(1, 0.01), "other_batches": [figures(8, 0.02)],
    "devices": [{"name": name, "address": "", "threads": 1, "memory": 1 << 30, "free_memory": 1 << 29} for name in speeds],
    "pieces": pieces, "wake": [0.0] * len(speeds), "links": [[link] * len(speeds)] * len(speeds),
    "messages": [{"send": 0, "send_byte": 0, "receive": 0, "receive_byte": 0}] * len(speeds),
    "formats": [[{"format": name, "narrow": 1e-10, "widen": 1e-10} for name in ("bf16", "f16", "int8", "lz4")]] * len(speeds),
}
(directory / "benchmark.json").write_text(json.dumps(benchmark))
