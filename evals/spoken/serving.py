"""What is said of serving: environment, strategy, steps, replicas, lease, rollback conditions, upkeep afterwards."""

from __future__ import annotations

from evals.spoken import demands, riders
from evals.spoken.telling import Teller, phrases
from tools.record import Json

_STEPS = ((10, 50, 100), (5, 25, 50, 100), (1, 10, 100), (20, 100), (5, 20, 100), (25, 50, 75, 100))


def afterwards(teller: Teller, contract: Json, part: Json) -> list[str]:
    """Sometimes what is trained is deployed too."""
    if not teller.maybe(0.25):
        return []
    if teller.maybe(0.3):
        part["rollout"]["strategy"] = "direct"
        said = [teller.say("train_deploy_plain")]
    else:
        place = riders.environment(teller, contract)
        said = [teller.say("train_deploy", env=place)]
        part["rollout"]["strategy"] = "canary" if contract["environment"] == "production" else "direct"
    return said + rolled_out(teller, part)


def rolled_out(teller: Teller, part: Json) -> list[str]:
    """How it reaches traffic; fills the rollout of a part that is deployed."""
    rollout, said = part["rollout"], []
    way = teller.chance.choice(["", "", "direct", "rolling", "blue_green", "canary", "canary", "shadow"])
    if way in ("direct", "rolling", "blue_green"):
        rollout["strategy"] = way
        said.append(teller.say("rollout", way))
    elif way == "canary":
        said.append(_canary(teller, rollout))
    elif way == "shadow":
        rollout |= {"strategy": "shadow", "hold_s": teller.chance.choice([3600, 7200, 14400, 86400])}
        said.append(teller.say("shadow", d=teller.span(rollout["hold_s"])))
    if teller.maybe(0.3):
        said.append(replicas(teller, rollout))
    if teller.maybe(0.12):
        rollout["lease_s"] = teller.chance.choice([7200, 43200, 86400, 172800, 604800])
        said.append(teller.say("lease", d=teller.span(rollout["lease_s"])))
    if teller.maybe(0.3):
        metric = teller.chance.choice((*demands.LIVE, "availability"))
        made, text = demands.abort(teller, metric)
        part["clauses"].append(made)
        said.append(text)
    return said


def _canary(teller: Teller, rollout: Json) -> str:
    steps = teller.chance.choice(_STEPS)
    rollout |= {"strategy": "canary", "steps": list(steps)}
    text = _spoken_steps(teller, steps)
    if teller.maybe(0.25):
        return teller.say("canary_bare", s=text)
    rollout["hold_s"] = teller.chance.choice([300, 600, 900, 1800, 3600])
    return teller.say("canary", s=text, d=teller.span(rollout["hold_s"]))


def _spoken_steps(teller: Teller, steps: tuple[int, ...]) -> str:
    percents = [f"{step}%" for step in steps]
    forms = ["/".join(map(str, steps)) + "%", ", ".join(percents), " → ".join(percents), "/".join(percents)]
    if teller.tongue == "en":
        forms += [
            ", ".join(percents[:-1]) + " and " + percents[-1],
            ", then ".join(percents),
            ", ".join(map(str, steps[:-1])) + f" and {steps[-1]} percent",
        ]
    else:
        forms += ["、".join(percents), "，".join(percents), "到".join(percents), "、".join(percents[:-1]) + "、全量"]
    return teller.chance.choice(forms)


def replicas(teller: Teller, rollout: Json) -> str:
    """A number of replicas, a range, or an upper bound."""
    way, number = (
        teller.chance.choice(["replicas", "replicas", "range", "max"]),
        teller.chance.choice([2, 3, 4, 5, 6, 8]),
    )
    if way == "range":
        rollout |= {"min_replicas": 2, "max_replicas": number + 4}
        return teller.say("replicas_range", a="2", b=str(number + 4))
    if way == "max":
        rollout["max_replicas"] = number
        return teller.say("replicas_max", n=teller.count(number))
    rollout["replicas"] = number
    return teller.say("replicas", n=teller.count(number))


def rhythm(teller: Teller, upkeep: Json) -> str:
    """How often something is looked at."""
    if teller.maybe(0.4):
        seconds = teller.chance.choice(list(phrases(teller.tongue)["every_word"]))
        upkeep["every_s"] = int(seconds)
        return teller.say("every_word", seconds)
    upkeep["every_s"] = teller.chance.choice([300, 600, 900, 1800, 7200, 14400, 43200, 172800])
    return teller.say("every", d=teller.span(upkeep["every_s"]))
