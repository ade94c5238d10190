"""A benchmark of the model in DIR on three given machines of equal speed, on which branches pay: pieces take 10 ms each, within
a block 100 ms, branches 10 ms; links take 1 µs and carry 10 GB/s."""
import hashlib
import json
import pathlib
import sys

directory = pathlib.Path(sys.argv[1])
text = (directory / "model.json").read_bytes()
model = json.loads(text)
names = [layer["name"] for layer in model["graph"]["layers"]]
machines = ["a", "b", "c"]


def measured(seconds: float) -> dict:
    return {"median": seconds, "p10": seconds, "p90": seconds, "activation_bytes": 1 << 10, "weight_bytes": 1 << 10, "steady": seconds}


def name_of(layers: list) -> str:
    return names[layers[0]] if len(layers) == 1 else f"{names[layers[0]]} … {names[layers[-1]]}"


pieces = [{"name": name_of(range(begin, end)), "begin": begin, "end": end, "weight_bytes": 1 << 10}
          for begin, end in zip(model["boundaries"], model["boundaries"][1:])]
in_block = [any(block["begin"] <= piece["begin"] < block["end"] for block in model["blocks"]) for piece in pieces]
blocks = [{"begin": block["begin"], "end": block["end"], "input_bytes": [1000], "direct_bytes": 0,
           "branches": [{"name": name_of(branch), "inputs": [0], "output_bytes": 1000, "weight_bytes": 1 << 10} for branch in block["branches"]],
           "measurements": [[measured(0.01) for _ in block["branches"]] for _ in machines]} for block in model["blocks"]]
link = {"round_trip_min": 1e-6, "round_trip_mean": 1e-6, "round_trip_max": 1e-6, "bandwidth": 1e10}
benchmark = {
    "format": "lamina-benchmark", "version": 4, "model": model["graph"]["name"], "model_hash": hashlib.sha256(text).hexdigest(),
    "engine": "given", "batch": 2, "memory_multiplier": 0.8,
    "devices": [{"name": name, "address": "", "threads": 1, "memory": 2 << 30, "free_memory": 1 << 30} for name in machines],
    "pieces": pieces, "cut_bytes": [1000] * (len(pieces) + 1),
    "measurements": [[measured(0.1 if inside else 0.01) for inside in in_block] for _ in machines],
    "blocks": blocks, "wake": [0.0] * 3, "fusion": [1.0] * 3, "steady_fusion": [1.0] * 3, "links": [[link] * 3] * 3,
    "messages": [{"send": 0, "send_byte": 0, "receive": 0, "receive_byte": 0}] * 3,
    "formats": [[{"format": name, "narrow": 1e-10, "widen": 1e-10} for name in ("bf16", "f16", "int8", "lz4")]] * 3,
}
(directory / "benchmark.json").write_text(json.dumps(benchmark))
