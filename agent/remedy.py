"""What a goal that asks for a repair allows, once a look at its endpoint has found what ails it. Pure.

"Why is it slow, fix it" leaves open what is done. What may be done follows from the cause that was diagnosed, from a
closed table: more servers, at most twice as many, or back to the version before; once for each part.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Literal

from agent import rollout
from agent.contract import Contract, Part
from agent.lines import Decided, Diagnosed
from agent.state import Run
from agent.survey import Survey, wanted_version
from tools.errors import Cause
from tools.language import tr
from tools.ports import EndpointState
from tools.tool import Effect

REMEDY = "remedy"
"""The change that a decision to mend asks for."""
REMEDIES: Mapping[Cause, Literal["scale", "rollback"]] = {
    "capacity": "scale",
    "slo_breach": "rollback",
    "user_code_error": "rollback",
    "node_lost": "rollback",
}
"""What mends an endpoint, by what ails it, as the task that it would be a goal of. Any other cause mends nothing."""
FACTOR = 2
"""By how much a size that a goal leaves open may change at once."""


def wanted(part: Part, run: Run) -> Decided | None:
    """What follows once everything planned for the part is over: to mend what a look at its endpoint found, once; or
    to say that it is still so."""
    if not run.opened or part.task != "diagnose" or not _over(part, run):
        return None
    found = diagnosed(part, run)
    if found is None:
        return None
    if not _tried(part, run) and found.cause in REMEDIES and not _hands_off(run):
        return Decided(action="revise", part=part.name, change=REMEDY, why=found.text)
    left = _left(part, found, run)
    return None if left is None else Decided(action="revise", part=part.name, change="stop", why=left)


def _over(part: Part, run: Run) -> bool:
    return all(run.done(s.id) for s in run.plan.of_part(part.name))


def _hands_off(run: Run) -> bool:
    """The goal says to change nothing, whatever it asks for besides."""
    return run.contract is not None and "read_only" in run.contract.constraints


def _tried(part: Part, run: Run) -> bool:
    return any(d.change == REMEDY and d.part == part.name for d in run.decisions)


def _left(part: Part, found: Diagnosed, run: Run) -> str | None:
    """Why what was found is not mended; None where nothing was found to ail it afterwards."""
    steps = run.plan.of_part(part.name)
    if not any(s.effect is not Effect.READS for s in steps):
        return tr("{found}; nothing was done about it", found=found.text)
    later = [s.id for s in steps if s.tool == "read_traffic" and s.id != found.step]
    still = [d for d in run.diagnoses if later and d.step == later[-1]]
    return tr("after the remedy: {found}", found=still[-1].text) if still else None


def diagnosed(part: Part, run: Run) -> Diagnosed | None:
    """What the first look at the part's endpoint found; what ails it after a remedy is another question. A look that
    failed once says nothing: why it failed is no cause of the endpoint's."""
    looks = {s.id for p in run.plans for s in p.plan.of_part(part.name) if s.tool == "read_traffic"}
    found = [d for d in run.diagnoses if d.part == part.name and d.step in looks]
    if not found or any(c.phase == "failed" for c in run.calls.of_step(found[0].step or "")):
        return None
    return [d for d in found if d.step == found[0].step][-1]


def meant(part: Part, run: Run) -> Part:
    """The part that its calls are judged by: once it is to be mended, the roll back or the growth that mends it."""
    if not run.opened or part.task != "diagnose" or not _tried(part, run):
        return part
    found = diagnosed(part, run)
    if found is None:
        return part
    task = REMEDIES.get(found.cause)
    if task is None:
        return part
    serving = rollout.incumbent(run.survey.endpoints.get(part.endpoint)) if run.survey is not None else None
    least = max(part.rollout.min_replicas or 1, serving.replicas if serving is not None else 1)
    bounds = part.rollout.model_copy(update={"min_replicas": least}) if task == "scale" else part.rollout
    return part.model_copy(update={"task": task, "rollout": bounds})


def remedied(part: Part, cause: Cause | None, seen: Survey) -> Part | None:
    """The part as it would be stated to mend what ails it; None where nothing does: no such cause, nothing that serves,
    no version before it."""
    task = REMEDIES.get(cause) if cause is not None else None
    state = seen.endpoints.get(part.endpoint)
    serving = rollout.incumbent(state)
    if task == "rollback" and (wanted_version(part) or seen.previous.get(part.endpoint)):
        return part.model_copy(update={"task": task})
    if task != "scale" or serving is None:
        return None
    most = sizes(part, state)[-1]
    if most <= serving.replicas:
        return None
    grown = part.rollout.model_copy(update={"replicas": most})
    return part.model_copy(update={"task": task, "rollout": grown})


def _said(words: str, han: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{words})\b|{han}", re.IGNORECASE)


_WAYS: tuple[tuple[re.Pattern[str], tuple[float, float]], ...] = (
    (_said("hal(?:f|ve[sd]?|ving)", "一半|减半|半数"), (1 / FACTOR, 1 / FACTOR)),
    (_said("doubl(?:e[sd]?|ing)|twice", "翻倍|翻番|加倍|两倍|二倍"), (FACTOR, FACTOR)),
    (
        _said(r"down|fewer|less|reduc\w+|decreas\w+|shr[iu]nk\w*|smaller", "减少|缩容|缩减|缩小|降低|调低"),
        (1 / FACTOR, 1.0),
    ),
    (
        _said(
            r"up|out|more (?:replicas|servers|copies|instances)|increas\w+|grow\w*|bigger", "增加|扩容|扩大|增大|调高"
        ),
        (1.0, FACTOR),
    ),
)
"""What a goal says of the way, and from which to which multiple of what serves that is. Two ways say neither."""


def sizes(part: Part, state: EndpointState | None, text: str = "") -> range:
    """The numbers of servers that a goal allows which leaves them open: from half of what serves to twice that, the
    way that its text says, within its own bounds."""
    serving, bounds = rollout.incumbent(state), part.rollout
    now = max(1, serving.replicas) if serving is not None else 1
    ways = [way for said, way in _WAYS if said.search(text)]
    exact = [way for way in ways if way[0] == way[1]]
    least, most = (exact or ways)[0] if len(exact) == 1 or len(ways) == 1 else (1 / FACTOR, FACTOR)
    low, high = math.ceil(now * least), math.ceil(now * most)
    low = max(low, bounds.min_replicas or 1)
    high = min(high, bounds.max_replicas or high)
    return range(low, max(low, high) + 1)


def as_if_said(contract: Contract) -> Contract:
    """The contract with some size where it leaves one open: what else it asks for may not be possible."""
    parts = tuple(
        p.model_copy(
            update={
                "rollout": p.rollout.model_copy(
                    update={"replicas": p.rollout.min_replicas or p.rollout.max_replicas or 1}
                )
            }
        )
        if p.task == "scale" and p.rollout.replicas is None
        else p
        for p in contract.parts
    )
    return contract.model_copy(update={"parts": parts})


def left_open(contract: Contract) -> tuple[str, ...]:
    """What only a person can say where no look at the facts did."""
    return tuple(
        f"{p.name}{tr(': ')}{tr('how many replicas is to be said: nothing here finds the number by itself')}"
        for p in contract.parts
        if p.task == "scale" and p.rollout.replicas is None
    )


def leaves_size_open(part: Part, run: Run) -> bool:
    """The goal asks for another size and does not say which."""
    return run.opened and part.task == "scale" and part.rollout.replicas is None
