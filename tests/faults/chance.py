"""Faults by chance: of all kinds equally often; alone, two at once, or the second while the head plans anew after the first."""
import dataclasses
import random
import time

from testbed import MACHINES, Testbed

MANNERS = ("alone", "alone", "at once", "during a re-plan")
# What a machine is lost by, so that the head plans anew when it is back.
LOSSES = ("kill", "damaged store", "out of memory", "stop")
# A machine that stands still for less may not be missed.
LEAST_STOP = 3.0
# Until a worker that was ended has been started again and finds no room.
LEAST_FULL = 2.0


# Until silence counts as loss, and a little more.
NOTICE_SECONDS = 2.5


class Deck:
    """Each card once, in an order by chance, before any comes again."""

    def __init__(self, chance: random.Random, cards: tuple[str, ...]):
        self.chance, self.cards, self.left = chance, cards, []

    def draw(self, among: tuple[str, ...]) -> str:
        while not any(card in among for card in self.left):
            self.left += self.chance.sample(self.cards, len(self.cards))
        card = next(card for card in self.left if card in among)
        self.left.remove(card)
        return card


@dataclasses.dataclass
class Fault:
    kind: str
    machines: tuple[str, ...]
    hold: float  # seconds that it lasts, where it does

    def steps(self, bed: Testbed, link: str) -> tuple[list[list[str]], list[list[str]]]:
        """What begins it, and what ends it `hold` seconds later; `link` is the rate of a slow one."""
        match self.kind:
            case "kill":
                return [["kill", *self.machines]], []
            case "damaged store":
                return [["corrupt", *self.machines], ["kill", *self.machines]], []
            case "out of memory":
                return [["exhaust", *self.machines]], []
            case "stop":
                return [["stop", *self.machines]], [["continue", *self.machines]]
            case "partition":
                return [["cut", *self.machines]], [["heal", *self.machines]]
            case "slow link":
                return [["slow", *self.machines, link]], [["fast", *self.machines]]
            case "disk full":
                # Local workers share the head's disk. Whoever has forgotten all weights has to fetch them; their room is free once
                # nobody has them open.
                disk = self.machines if bed.net else ("head",)
                return [["forget", *self.machines], ["fill", *disk], ["kill", *self.machines], ["fill", *disk]], [["free", *disk]]
            case _:
                return [["kill", "head"]], [["restart", "head"]]

    def said(self) -> str:
        held = f" for {self.hold:.1f} s" if self.kind in ("stop", "partition", "slow link", "disk full") else ""
        return f"{self.kind}{'' if self.kind == 'head killed' else ' ' + '-'.join(self.machines)}{held}"


@dataclasses.dataclass
class Occasion:
    """One fault, or two."""
    manner: str
    faults: list[Fault]
    begin: float = 0.0
    over: float = 0.0
    whole: float = 0.0

    @property
    def kind(self) -> str:
        return self.faults[0].kind if self.manner == "alone" else f"two {self.manner}"

    def kills_head(self) -> bool:
        return any(fault.kind == "head killed" for fault in self.faults)

    def said(self) -> str:
        join = " and " if self.manner == "at once" else ", then while it is planned anew "
        return join.join(fault.said() for fault in self.faults)

    def run(self, bed: Testbed, link: str) -> None:
        self.begin = time.monotonic()
        if self.manner == "during a re-plan":
            perform(bed, self.faults[:1], link)
            bed.perform(["wait", "back"])
            perform(bed, self.faults[1:], link)
        else:
            perform(bed, self.faults, link)
        self.over = time.monotonic()
        bed.wait_until_whole()
        self.whole = time.monotonic()


def perform(bed: Testbed, faults: list[Fault], link: str) -> None:
    """Begins all at once, and ends each in its time."""
    before = bed.deployment.status()["recovery"]["recoveries"]
    steps = [fault.steps(bed, link) for fault in faults]
    for first, _ in steps:
        for step in first:
            bed.perform(step)
    begin = time.monotonic()
    for fault, (_, last) in sorted(zip(faults, steps), key=lambda one: one[0].hold):
        if last and fault.kind != "head killed":
            time.sleep(max(0.0, begin + fault.hold - time.monotonic()))
        for step in last:
            bed.perform(step)
    # So that what was lost is not taken to be there still. A machine that had nothing to do is missed by nobody.
    end = begin + NOTICE_SECONDS
    while bed.deployment.status()["recovery"]["recoveries"] == before and time.monotonic() < end:
        time.sleep(0.02)


class Draw:
    def __init__(self, seed: int, kinds: tuple[str, ...]):
        self.chance = random.Random(seed)
        self.kinds = kinds
        self.kind_deck, self.manner_deck = Deck(self.chance, kinds), Deck(self.chance, MANNERS)

    def occasion(self) -> Occasion:
        manner = self.manner_deck.draw(MANNERS)
        workers = tuple(kind for kind in self.kinds if kind != "head killed")
        if manner == "alone":
            return Occasion(manner, [self.fault(self.kinds, MACHINES)])
        first = self.fault(LOSSES if manner == "during a re-plan" else workers, MACHINES)
        if manner == "during a re-plan":
            first.hold = max(first.hold, LEAST_STOP)
            return Occasion(manner, [first, self.fault(self.kinds, MACHINES)])
        rest = tuple(machine for machine in MACHINES if machine not in first.machines)
        return Occasion(manner, [first, self.fault(workers, rest)])

    def fault(self, kinds: tuple[str, ...], machines: tuple[str, ...]) -> Fault:
        kind = self.kind_deck.draw(kinds)
        between = kind == "partition" and len(machines) > 1 and self.chance.random() < 0.5
        hold = self.chance.uniform(LEAST_FULL if kind == "disk full" else 0.2, 8.0)
        return Fault(kind, tuple(self.chance.sample(machines, 2 if between else 1)), hold)
