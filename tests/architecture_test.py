#!/usr/bin/env python3
"""Folders of src include only folders that stand before them in src/README.md's table."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def folder_order(readme: str) -> list[str]:
    return re.findall(r"^\| `(\w+)` \|", readme, re.MULTILINE)


def violations(source: pathlib.Path, order: list[str]) -> list[str]:
    found = []
    for path in sorted(source.rglob("*")):
        if path.suffix not in (".h", ".cpp"):
            continue
        own = path.relative_to(source).parts[0]
        if own not in order:
            found.append(f"{path}: folder '{own}' is not in src/README.md")
            continue
        for included in re.findall(r'^#include "(\w+)/', path.read_text(), re.MULTILINE):
            if included in order and order.index(included) > order.index(own):
                found.append(f"{path}: '{own}' includes '{included}', which stands after it")
    return found


# Pairs that the order alone would allow but the design forbids.
FORBIDDEN = [("engine", "keras"), ("slice", "keras"), ("slice", "engine"), ("cluster", "keras"), ("serve", "keras"), ("plan", "engine")]


def forbidden_pairs(source: pathlib.Path) -> list[str]:
    found = []
    for own, included in FORBIDDEN:
        for path in sorted((source / own).rglob("*")):
            if path.suffix in (".h", ".cpp") and f'#include "{included}/' in path.read_text():
                found.append(f"{path}: '{own}' must know nothing of '{included}'")
    return found


def main() -> int:
    source = ROOT / "src"
    order = folder_order((source / "README.md").read_text())
    folders = {path.name for path in source.iterdir() if path.is_dir()}
    problems = [f"src/{name} is not in src/README.md" for name in sorted(folders - set(order))]
    problems += [f"src/README.md names '{name}', which is no folder" for name in sorted(set(order) - folders)]
    problems += violations(source, order) + forbidden_pairs(source)
    print("\n".join(problems) or f"{len(order)} folders, dependencies one way")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
