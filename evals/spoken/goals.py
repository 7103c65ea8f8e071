"""Random goals with what they mean, said in many ways: `goal(Random(7), "en")` is a case as a corpus file holds it.

The phrase tables are written from how people talk, not from the grammar's lexicon, so a round trip through the
grammar measures understanding rather than memory.
"""

from __future__ import annotations

from random import Random

from evals.spoken import demands, models, riders, things
from evals.spoken.telling import TONGUES, Teller
from tools.record import Json

_SHARE_TRAINED = 0.55
_SHARE_TWO = 0.05


def goal(chance: Random, tongue: str | None = None) -> Json:
    """One case: text, contract with every field that the text states, questions."""
    teller = Teller(tongue or chance.choice(TONGUES), chance)
    draw = chance.random()
    if draw < _SHARE_TWO:
        case, text = _two(teller)
    elif draw < _SHARE_TWO + _SHARE_TRAINED:
        case, text = models.trained(teller)
    else:
        case, text = things.existing(teller)
    return {"text": text, **case}


def goals(seed: int, number: int) -> list[Json]:
    """Reproducible goals, the languages in turn."""
    chance = Random(seed)
    return [goal(chance, TONGUES[n % 2]) for n in range(number)]


def _two(teller: Teller) -> tuple[Json, str]:
    """Two jobs in one goal, numbered or not."""
    first, one = _short(teller, "short_classify", "classification", "a.csv", "spam_flag", "f1")
    if teller.maybe(0.6):
        second, two = _short(teller, "short_regress", "regression", "b.parquet", "minutes", "rmse")
        contract: Json = {"parts": [first, second]}
    else:
        other = {
            "task": "deploy",
            "target": "ranker",
            "source_models": ["ranker:v2"],
            "name": "*",
            "rollout": {"strategy": "direct"},
        }
        two, contract = teller.say("short_deploy", a="ranker:v2"), {"parts": [first, other], "environment": "staging"}
    text = teller.say(teller.chance.choice(["two_lettered", "two_joined"]), p=one, q=two)
    case: Json = {"contract": contract, "exact": True}
    if teller.maybe(0.3):
        whole = {"en": "In total ", "zh": "总共"}[teller.tongue]
        stop = {"en": ". ", "zh": "。"}[teller.tongue]
        text += stop + whole + riders.budget(teller, contract)
    return case, text


def _short(teller: Teller, key: str, task: str, uri: str, label: str, metric: str) -> tuple[Json, str]:
    made, said = demands.threshold(teller, metric)
    part = {"task": task, "data": [{"uri": uri, "label": label}], "clauses": [made], "name": "*", "target": "*"}
    return part, teller.say(key, uri=uri, label=label, clause=said)
