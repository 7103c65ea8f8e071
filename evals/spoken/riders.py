"""What any goal may add: money, time, place, what is ruled out. Each fills the contract and returns how it is said."""

from __future__ import annotations

from evals.spoken import figures
from evals.spoken.telling import Teller, phrases
from tools.record import Json

_AMOUNTS = (1, 2, 3, 5, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 75, 100, 120, 200, 500)
_GPUS = ("A100", "H100", "T4", "L4", "A10G", "V100")
_REGIONS = ("us-east-1", "eu-west-1", "us-west-2", "ap-southeast-1", "eu-central-1", "europe-west4")
_INSTANCES = ("g5.xlarge", "c5.4xlarge", "m5.2xlarge", "p4d.24xlarge", "ml.g4dn.xlarge")
_NAMESPACES = ("ml-team", "risk", "search", "nlp-prod", "recsys", "data-sci")


def budget(teller: Teller, contract: Json, *, per: bool = False) -> str:
    """An amount for the whole goal, or per day or month."""
    amount = teller.chance.choice(_AMOUNTS)
    contract["budget_usd"] = amount
    each = teller.chance.choice(["day", "month"]) if per else None
    if each:
        contract["budget_per"] = each
    return teller.say(f"budget_{each}" if each else "budget", x=teller.money(amount))


def foreign_budget(teller: Teller, case: Json) -> str:
    """An amount in another currency: a question, never a budget."""
    case.setdefault("questions", []).append("budget_usd")
    return teller.say("foreign", x=figures.foreign(teller.chance, teller.tongue, teller.chance.choice(_AMOUNTS[4:])))


def deadline(teller: Teller, contract: Json) -> str:
    """A span or a time of the clock."""
    if teller.maybe(0.35):
        seconds = teller.chance.choice(list(phrases(teller.tongue)["clock"]))
        contract["deadline_s"] = int(seconds)
        return teller.say("deadline_clock", t=teller.say("clock", seconds))
    span = teller.chance.choice(figures.SPANS[2:])
    contract["deadline_s"] = span
    return teller.say("deadline", d=teller.span(span))


def placement(teller: Teller, contract: Json) -> list[str]:
    """Where it runs: one or two statements."""
    place = contract.setdefault("placement", {})
    ways = teller.chance.sample(
        ["gpu", "backend", "spot", "region", "instance", "sizes"], teller.chance.choice([1, 1, 2])
    )
    if {"gpu", "instance"} <= set(ways):
        ways.remove("instance")
    return [_WAYS[way](teller, contract, place) for way in ways]


def _gpu(teller: Teller, contract: Json, place: Json) -> str:
    number = teller.chance.choice([1, 2, 4, 8])
    place["gpu_count"] = number
    if teller.maybe(0.15) and number > 1:
        return teller.say("gpu_bare", n=teller.count(number))
    place["gpu"] = teller.chance.choice(_GPUS)
    if number == 1:
        return teller.say("gpu_one", g=place["gpu"])
    return teller.say("gpu", n=str(number), g=place["gpu"])


def _backend(teller: Teller, contract: Json, place: Json) -> str:
    place["backend"] = teller.chance.choice(["local", "kubernetes", "aws"])
    return teller.say("backend", place["backend"])


def _spot(teller: Teller, contract: Json, place: Json) -> str:
    place["spot"] = teller.maybe(0.5)
    if not place["spot"]:
        contract.setdefault("constraints", []).append("no_spot")
    return teller.say("spot_yes" if place["spot"] else "spot_no")


def _region(teller: Teller, contract: Json, place: Json) -> str:
    place["regions"] = [teller.chance.choice(_REGIONS)]
    return teller.say("region", r=place["regions"][0])


def _instance(teller: Teller, contract: Json, place: Json) -> str:
    place["instance_types"] = [teller.chance.choice(_INSTANCES)]
    return teller.say("instance", i=place["instance_types"][0])


def _sizes(teller: Teller, contract: Json, place: Json) -> str:
    place["cpus"], place["memory_gb"] = teller.chance.choice([(2, 4), (4, 8), (4, 16), (8, 32), (16, 64)])
    return teller.say("sizes", c=str(place["cpus"]), m=str(place["memory_gb"]))


_WAYS = {"gpu": _gpu, "backend": _backend, "spot": _spot, "region": _region, "instance": _instance, "sizes": _sizes}


def constraint(teller: Teller, contract: Json, *kinds: str) -> str:
    """Something ruled out; kinds that the contract contradicts are for the caller to leave out."""
    kind = teller.chance.choice(kinds)
    contract.setdefault("constraints", []).append(kind)
    return teller.say("constraint", kind)


def namespace(teller: Teller, contract: Json) -> str:
    contract["namespace"] = teller.chance.choice(_NAMESPACES)
    return teller.say("namespace", n=contract["namespace"])


def environment(teller: Teller, contract: Json, *kinds: str) -> str:
    contract["environment"] = teller.chance.choice(kinds or ("staging", "production", "dev"))
    return teller.say("environment", contract["environment"])


def common(teller: Teller, case: Json, *, share: float) -> list[str]:
    """Money, time and place, each with the given probability."""
    contract, said = case["contract"], []
    if teller.maybe(share):
        said.append(budget(teller, contract))
    elif teller.maybe(0.04):
        said.append(foreign_budget(teller, case))
    if teller.maybe(share):
        said.append(deadline(teller, contract))
    if teller.maybe(share / 2):
        said += placement(teller, contract)
    return said
