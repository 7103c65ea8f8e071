"""How long each step of a rollout, or the shadow, is watched. It claims the span it takes."""

from __future__ import annotations

from agent.brain.rules.grammar.reading import Reading


def hold(reading: Reading, strategy: str | None, steps: tuple[float, ...]) -> float | None:
    """Seconds; None if the goal does not say. Spans in a clause about the shadow come first."""
    shadows = strategy == "shadow"
    places = sorted(
        reading.dims("duration"), key=lambda n: not (shadows and reading.clause_has(n, "strategy", "shadow"))
    )
    for at in places:
        if reading[at].means("unit", "duration:0.001") or _is_deadline(reading, at):
            continue
        if _holds(reading, at, strategy, steps):
            reading.claim(at)
            return reading[at].number
    return _each_time(reading) or _after_each(reading) if steps else None


def _after_each(reading: Reading) -> float | None:
    """`5 % 半小时，20 % 半小时，然后全量`, `5 % for an hour, 25 % for an hour`: the same span behind several steps."""
    taken = {n for n in reading.dims("percent", free=False) if not reading.free(n)}
    spans = [n for n in reading.dims("duration") if taken & {n - 1, n - 2, n - 3}]
    if len(spans) < 2 or len({reading[n].number for n in spans}) > 1:
        return None
    reading.claim(*spans)
    return reading[spans[0]].number


def _holds(reading: Reading, at: int, strategy: str | None, steps: tuple[float, ...]) -> bool:
    before = reading.get(at - 1)
    beside = strategy == "shadow" and reading.clause_has(at, "strategy", "shadow")
    cue = reading.near(at, "step", before=4, after=3)
    if _leased(reading, at) and not beside and cue is None:
        return False
    every = before is not None and before.means("every", "unit")
    if every and not steps and strategy != "canary":
        return False
    step = cue is not None and not _watches_thing(reading, cue, strategy, steps)
    shadow = strategy == "shadow" and reading.sentence_has(at, "strategy", "shadow")
    return every or step or shadow or (bool(steps) and _listed(reading, at))


def _leased(reading: Reading, at: int) -> bool:
    return reading.near(at, "lease", before=4, after=0) is not None


def _listed(reading: Reading, at: int) -> bool:
    """`10/50/100, an hour, …` and `10 % for an hour`: a span among the steps."""
    before = reading.get(at - 1)
    if before is None:
        return False
    lone = all(n == at or reading[n].kind == "punct" for n in reading.in_clause(at))
    held = before.text.lower() in ("for", "every") or before.means("strategy", "canary")
    among = any(not reading.free(n) and reading[n].dim == "percent" for n in reading.in_sentence(at))
    return (held and among) or lone


def _each_time(reading: Reading) -> float | None:
    """`5 % → 50 % → 100 % every half an hour`: a rhythm that is one word, in the clause of the steps."""
    for at in reading.where("every"):
        near = any(not reading.free(n) and reading[n].dim == "percent" for n in reading.in_clause(at) if n < at)
        if near and not reading[at].means("every", "unit"):
            return float(reading[at].readings["every"])
    return None


def _watches_thing(reading: Reading, cue: int, strategy: str | None, steps: tuple[float, ...]) -> bool:
    """`then watch it for two days` is upkeep, `watch each step for ten minutes` is not."""
    after = reading.get(cue + 1)
    if not reading[cue].means("act", "watch") or after is None:
        return False
    thing = after.text.lower() in ("it", "them", "他", "它") or after.means("noun") or after.kind == "quoted"
    return thing or (not steps and strategy not in ("canary", "shadow"))


def _is_deadline(reading: Reading, at: int) -> bool:
    before = reading.get(at - 1)
    return before is not None and (before.means("cmp") or before.text.lower() in ("in", "within"))
