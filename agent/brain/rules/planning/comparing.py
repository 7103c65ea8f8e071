"""With what a model is compared on the holdout: the baseline, what serves now, the other candidates, named models."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent import learning
from agent.brain.rules.planning.draft import Draft
from agent.contract import Comparand
from agent.plan import ref
from agent.survey import incumbent, is_path
from tools.record import Json


@dataclass(frozen=True, kw_only=True)
class Rivals:
    """Arguments of an evaluation that name the others, and the steps that find them."""

    args: Json = field(default_factory=dict)
    needs: tuple[str, ...] = ()


def always(d: Draft) -> bool:
    """Whether it is compared also where no clause asks, so that what decides must be measured."""
    return d.part.task == "compare" or _beside_baseline(d) or _candidates(d)


def _beside_baseline(d: Draft) -> bool:
    """An existing model comes without the rows that a baseline would be made from."""
    return learning.learns(d.part) and (d.task in learning.AGAINST_BASELINE or "baseline" in asked(d))


def asked(d: Draft) -> set[Comparand]:
    return {c.relative.to for c in learning.holdout_clauses(d.part) if c.relative is not None}


def pairs(d: Draft) -> Rivals:
    """What the model under test is compared with, and the steps that find those models."""
    against: list[Json] = []
    others: dict[str, Json] = {}
    needs: list[str] = []
    if _beside_baseline(d):
        against.append({"to": "baseline", "name": "baseline"})
    if "incumbent" in asked(d):
        name = incumbent(d.part, d.survey.endpoints.get(d.endpoint))
        _enter("incumbent", name, found(d, "incumbent", name), against, others, needs)
    if d.part.task in learning.EXISTING:
        _enter_all(list(zip(models(d), d.facts["model"], strict=True))[1:], against, others, needs)
    elif "other" in asked(d):
        named = [(name, found(d, f"other{nth}", name)) for nth, name in enumerate(d.part.source_models, start=1)]
        _enter_all(named, against, others, needs)
    args: Json = {} if d.part.task not in learning.EXISTING else {"called": models(d)[0]}
    args |= {"against": against, "others": others} if against else {}
    if _candidates(d):
        args["rivals"] = ref(d.of("model"), "rivals")
    return Rivals(args=args, needs=tuple(needs))


def after(d: Draft, index: int) -> Rivals:
    """An existing model against those that are named after it: every pair is compared once."""
    against: list[Json] = []
    others: dict[str, Json] = {}
    needs: list[str] = []
    _enter_all(list(zip(models(d), d.facts["model"], strict=True))[index + 1 :], against, others, needs)
    return Rivals(args={"called": models(d)[index], "against": against, "others": others}, needs=tuple(needs))


def _enter_all(named: list[tuple[str, str]], against: list[Json], others: dict[str, Json], needs: list[str]) -> None:
    for name, step in named:
        _enter("other", name, step, against, others, needs)


def _enter(to: str, name: str, step: str, against: list[Json], others: dict[str, Json], needs: list[str]) -> None:
    name = f"{name}:newest" if name in ("data", "model") else name  # mounts of the evaluation itself
    against.append({"to": to, "name": name})
    others[name] = ref(step, "key")
    needs.append(step)


def _candidates(d: Draft) -> bool:
    """The goal names several families: each is compared with the one that is chosen."""
    return len(learning.named_families(d.part)) > 1 and not learning.by_command(d.part) and learning.learns(d.part)


def models(d: Draft) -> tuple[str, ...]:
    """The existing models that the part is about; the target's newest where none is named."""
    return d.part.source_models or (d.part.target or d.part.name,)


def find_all(d: Draft) -> tuple[str, ...]:
    """One step for each existing model that the part is about."""
    names = models(d)
    return tuple(found(d, "find" + (f"-{nth}" if len(names) > 1 else ""), n) for nth, n in enumerate(names, start=1))


def found(d: Draft, step: str, model: str) -> str:
    """The step that finds an existing model in the registry, or brings it from a folder; made once."""
    if any(s.id == d.prefix + step for s in d.steps):
        return d.prefix + step
    if is_path(model):
        return d.add(step, "bring_model", {"folder": d.survey.models.get(model) or model})
    name, _, version = model.partition(":")
    return d.add(step, "find_model", {"name": name, "version": version or None})
