"""The hyper-parameter search a goal asks for: method and number of trials."""

from __future__ import annotations

from typing import Final

from agent.brain.rules.grammar.reading import Reading
from agent.contract import Search

_WORDS: Final = {
    "random": "random", "grid": "grid", "bayes": "tpe", "tpe": "tpe", "optuna": "tpe",
    "随机": "random", "网格": "grid", "贝叶斯": "tpe",
}  # fmt: skip


def search(reading: Reading) -> Search | None:
    """None if the goal names neither a method nor a number of trials."""
    methods = [reading[n].readings["search"] for n in reading.where("search") if not reading.negated(n)]
    trials: int | None = None
    for at in reading.dims("trial"):
        reading.claim(at)
        said = reading.text[reading[at].start : reading[at].end].lower()
        methods += [method for word, method in _WORDS.items() if word in said]  # `30 random trials`
        trials = trials or int(reading[at].number or 0) or None
    if trials is None:
        trials = _times(reading)
    if not methods and trials is None:
        return None
    return Search.model_validate({"method": methods[0] if methods else None, "trials": trials})


def _times(reading: Reading) -> int | None:
    """`贝叶斯搜索 40 次`: how often, in the sentence of the search."""
    tuned = [n for n in reading.where("act", "train") if reading[n].text in ("调参", "调优")]
    for n in reading.kinds("number", free=True):
        said, after = reading.get(n - 1), reading.get(n + 1)
        tries = said is not None and said.text.endswith(("搜", "试", "调", "搜索", "各跑"))
        if tries and after is not None and after.text in ("次", "组", "轮") and (reading[n].number or 0) >= 1:
            reading.claim(n)
            return int(reading[n].number or 0)  # `各搜 20 次`
    for cue in (*reading.where("search"), *tuned):
        for n in reading.in_sentence(cue):
            after = reading.get(n + 1)
            counted = (after is not None and after.text in ("次", "组", "轮")) or reading[n].dim == "epoch"
            if (
                counted
                and reading[n].kind in ("number", "quantity")
                and reading.free(n)
                and (reading[n].number or 0) >= 1
            ):
                reading.claim(n)
                return int(reading[n].number or 0)
    return None
