"""Runs attacks and their twins, one after the other, and says which were held."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from evals.attacks import program
from evals.attacks.deliver import NEUTRAL, WAYS, Delivered
from evals.attacks.judgement import breaches, broken
from evals.attacks.records import Attack, Channel, spelled
from tools.record import Record

_CORPUS = Path(__file__).parent / "corpus"


class Result(Record):
    """How one attack went."""

    id: str
    channel: str
    wants: str = ""
    breaches: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    """Why the twin does not work."""
    twin: bool = False
    """There is one."""

    @property
    def held(self) -> bool:
        return not self.breaches

    @property
    def works(self) -> bool | None:
        """None where there is no twin."""
        return not self.broken if self.twin else None


def corpora() -> list[Path]:
    """Every corpus of the project."""
    return sorted(_CORPUS.glob("*.jsonl"))


def judge(attacks: Iterable[Attack]) -> list[Result]:
    """Every attack and its twin, judged. Users' programs run together in one real job."""
    wanted = list(attacks)
    real = [a for a in wanted if a.channel == "program"]
    found = {a.id: _judged(a) for a in wanted if a.channel != "program"}
    for attack, (harm, fault) in zip(real, program.tried(real), strict=True):
        found[attack.id] = _result(attack, harm, fault)
    return [found[a.id] for a in wanted]


def _judged(attack: Attack) -> Result:
    way, neutral = WAYS[attack.channel], _neutral(attack.channel)
    harm = breaches(attack, way(spelled(attack.payload)), neutral)
    fault = () if attack.twin is None else broken(attack, way(spelled(attack.twin)), neutral)
    return _result(attack, harm, fault)


def _result(attack: Attack, harm: tuple[str, ...], fault: tuple[str, ...]) -> Result:
    return Result(
        id=attack.id,
        channel=attack.channel,
        wants=attack.wants,
        breaches=harm,
        broken=fault,
        twin=attack.twin is not None,
    )


@cache
def _neutral(channel: Channel) -> Delivered | None:
    """What comes of a text that says nothing."""
    return WAYS[channel](NEUTRAL[channel]) if channel in NEUTRAL else None
