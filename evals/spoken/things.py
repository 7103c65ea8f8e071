"""Goals about things that exist: deploy, roll back, scale, watch, evaluate, compare, estimate, clean up, diagnose."""

from __future__ import annotations

from collections.abc import Callable

from evals.spoken import demands, models, riders, serving
from evals.spoken.telling import Teller
from tools.record import Json

_NAMES = ("fraud", "search-rank", "churn", "ctr", "eta-model", "recsys", "credit_risk", "support-bot", "geo", "pricing")


def _case(task: str, **more: object) -> tuple[Json, Json]:
    part: Json = {"task": task, "data": [], "clauses": [], "name": "*", "rollout": {"strategy": "*"}, **more}
    return {"contract": {"parts": [part], "placement": {}}, "exact": True}, part


def _thing(teller: Teller) -> tuple[str, str]:
    """A name, and how it is spoken of."""
    name = teller.chance.choice(_NAMES)
    if teller.tongue == "en":
        return name, teller.chance.choice(
            [f"`{name}`", name, f"the {name} endpoint", f"the `{name}` service", f"our {name} model", f"{name}"]
        )
    return name, teller.chance.choice(
        [f"`{name}`", f"{name} 服务", name, f"{name} 模型", f"{name} 接口", f"线上的 {name}@production"]
    )


def _said(teller: Teller, key: str, contract: Json, thing: str, **slots: str) -> str:
    spoken, _, flag = thing.partition("@")
    if flag:
        contract["environment"] = flag
    return teller.say(key, t=spoken, **slots)


def _deploy(teller: Teller) -> tuple[Json, str]:
    name, version = teller.chance.choice(_NAMES), f"v{teller.chance.randint(2, 20)}"
    case, part = _case("deploy", target=name, source_models=[f"{name}:{version}"], rollout={"strategy": "direct"})
    forms = [f"{name}:{version}", f"{name}:{version}", f"`{name}:{version}`", f"{name} {version}"]
    forms += (
        [f"version {version[1:]} of {name}"]
        if teller.tongue == "en"
        else [f"{name} 的 {version} 版本", f"{name} 模型 {version}"]
    )
    text = teller.say("deploy", a=teller.chance.choice(forms))
    contract = case["contract"]
    if teller.maybe(0.7):
        text += (" " if teller.tongue == "en" else "，") + riders.environment(teller, contract)
        part["rollout"]["strategy"] = "canary" if contract["environment"] == "production" else "direct"
    said = serving.rolled_out(teller, part)
    if teller.maybe(0.2) and not any(c.get("abort") for c in part["clauses"]):
        made, demanded = demands.live(teller, teller.chance.choice(demands.LIVE))
        part["clauses"].append(made)
        said.append(demanded)
    said += [riders.namespace(teller, contract)] if teller.maybe(0.15) else []
    said += riders.common(teller, case, share=0.15)
    return case, teller.text(text, said)


def _rollback(teller: Teller) -> tuple[Json, str]:
    name, thing = _thing(teller)
    case, part = _case("rollback", target=name)
    if teller.maybe(0.5):
        version = f"v{teller.chance.randint(2, 40)}"
        part["source_models"] = [f"{name}:{version}"]
        text = _said(teller, "rollback_to", case["contract"], thing, v=version)
    else:
        text = _said(teller, "rollback_previous", case["contract"], thing)
    said = (
        [riders.environment(teller, case["contract"], "production")]
        if teller.maybe(0.3) and teller.tongue == "en"
        else []
    )
    return case, text + "".join(f" {piece.replace('to ', 'in ', 1).replace('into ', 'in ', 1)}" for piece in said) + (
        "." if teller.tongue == "en" else "。"
    )


def _scale(teller: Teller) -> tuple[Json, str]:
    name, thing = _thing(teller)
    case, part = _case("scale", target=name)
    if teller.maybe(0.65):
        number = teller.chance.choice([1, 2, 3, 4, 6, 8, 10])
        part["rollout"]["replicas"] = number
        text = _said(teller, "scale", case["contract"], thing, n=teller.count(number))
    else:
        part["rollout"] |= {"min_replicas": 2, "max_replicas": 8}
        text = _said(teller, "scale_range", case["contract"], thing, a="2", b="8")
    said: list[str] = []
    if teller.maybe(0.5):
        made, demanded = demands.live(teller, teller.chance.choice(demands.LIVE))
        part["clauses"].append(made)
        said.append(demanded)
    if teller.maybe(0.25):
        said.append(riders.budget(teller, case["contract"], per=True))
    return case, teller.text(text, said)


def _watch(teller: Teller) -> tuple[Json, str]:
    name, thing = _thing(teller)
    upkeep: Json = {"watch": True, "retrain_on": []}
    case, part = _case("watch", target=name, upkeep=upkeep)
    text, said = _said(teller, "watch", case["contract"], thing), []
    if teller.maybe(0.7):
        said.append(serving.rhythm(teller, upkeep))
    if teller.maybe(0.5):
        upkeep["for_s"] = teller.chance.choice([86400, 172800, 604800, 1209600, 2592000])
        said.append(teller.say("watch_for", d=teller.span(upkeep["for_s"])))
    if teller.maybe(0.6):
        made, demanded = demands.live(teller, teller.chance.choice((*demands.LIVE, "availability")))
        part["clauses"].append(made)
        said.append(demanded)
    if teller.maybe(0.45):
        said.append(_retrains(teller, part))
    if teller.maybe(0.25):
        said.append(riders.budget(teller, case["contract"], per=True))
    return case, teller.text(text, said)


def _retrains(teller: Teller, part: Json) -> str:
    if teller.maybe(0.4):
        value, said = demands.figure(teller, "drift_psi")
        part["clauses"].append(demands.clause("drift_psi", value))
        part["upkeep"]["retrain_on"] = ["drift"]
        return teller.say("breach_psi", m=teller.say("metric", "drift_psi"), v=said)
    cause = teller.chance.choice(["drift", "new_data"])
    part["upkeep"]["retrain_on"] = [cause]
    return teller.say("retrain", cause)


def _evaluate(teller: Teller) -> tuple[Json, str]:
    name, version = teller.chance.choice(_NAMES), f"v{teller.chance.randint(2, 20)}"
    place, label = models.uri(teller), teller.chance.choice(["outcome", "label", "y", "churned"])
    data = [{"uri": place, "label": label, "role": "holdout"}]
    case, part = _case("evaluate", target=name, source_models=[f"{name}:{version}"], data=data, split="*")
    said: list[str] = []
    for metric in teller.chance.sample(demands.SCORES, teller.chance.choice([1, 1, 2])):
        made, text = demands.threshold(teller, metric)
        part["clauses"].append(made)
        said.append(text)
    if teller.maybe(0.25):
        said.append(riders.constraint(teller, case["contract"], "no_deploy", "no_retrain", "read_only"))
    return case, teller.text(teller.say("evaluate", a=f"{name}:{version}", uri=place, label=label), said)


def _compare(teller: Teller) -> tuple[Json, str]:
    name = teller.chance.choice(_NAMES)
    place, label, metric = (
        models.uri(teller),
        teller.chance.choice(["outcome", "label", "y"]),
        teller.chance.choice(demands.SCORES),
    )
    sources = [f"{name}:v3", f"{name}:v4"]
    objective = {"metric": metric, "direction": "max"}
    data = [{"uri": place, "label": label, "role": "holdout"}]
    case, _ = _case("compare", target="*", source_models=sources, data=data, objective=objective, split="*")
    said = [teller.say("compare_by", m=teller.say("metric", metric))]
    if teller.maybe(0.3):
        said.append(riders.constraint(teller, case["contract"], "no_deploy"))
    return case, teller.text(teller.say("compare", a=sources[0], b=sources[1], uri=place, label=label), said)


def _estimate(teller: Teller) -> tuple[Json, str]:
    case, _ = _case("estimate", target="*", models="*", data="*")
    number, gpu = teller.chance.choice([2, 4, 8]), teller.chance.choice(["A100", "H100", "L4"])
    case["contract"] |= {"placement": {"gpu": gpu, "gpu_count": number}, "deadline_s": "*"}
    what, _ = teller.flagged("estimated")
    text = teller.say("estimate", x=what)
    return case, text + teller.say(
        "estimate_on", n=str(number), g=gpu, d=teller.span(teller.chance.choice([7200, 14400, 36000]))
    )


def _cleanup(teller: Teller) -> tuple[Json, str]:
    if teller.maybe(0.4):
        case, _ = _case("cleanup")
        text = teller.say("cleanup_all")
    else:
        name = teller.chance.choice(("old-rank", "demo-bot", "exp_42", "legacy-ocr"))
        case, _ = _case("cleanup", target=name)
        text = teller.say("cleanup", t=teller.chance.choice([name, f"`{name}`"]))
    if teller.maybe(0.4):
        case["contract"]["environment"] = teller.chance.choice(["staging", "dev"])
        place = {"staging": ("in staging", "，测试环境"), "dev": ("in dev", "，dev 环境")}[
            case["contract"]["environment"]
        ]
        text += f" {place[0]}" if teller.tongue == "en" else place[1]
    return case, text + ("." if teller.tongue == "en" else "。")


def _diagnose(teller: Teller) -> tuple[Json, str]:
    name, thing = _thing(teller)
    case, _ = _case("diagnose", target=name)
    text = _said(teller, "diagnose", case["contract"], thing)
    said: list[str] = []
    if teller.maybe(0.5):
        metric = teller.chance.choice(demands.LIVE[1:])
        said.append(teller.say("symptom", m=teller.say("metric", metric), v=demands.figure(teller, metric)[1]))
    return case, teller.text(text, said)


_KINDS: tuple[tuple[Callable[[Teller], tuple[Json, str]], float], ...] = (
    (_deploy, 4), (_rollback, 1.5), (_scale, 1.5), (_watch, 2.5), (_evaluate, 1.5), (_compare, 1), (_estimate, 0.6),
    (_cleanup, 1), (_diagnose, 1),
)  # fmt: skip


def existing(teller: Teller) -> tuple[Json, str]:
    """A goal about something that exists, and its text."""
    (make,) = teller.chance.choices([k for k, _ in _KINDS], weights=[w for _, w in _KINDS])
    return make(teller)
