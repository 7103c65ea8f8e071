"""Work to come and work that was done, as data."""

from __future__ import annotations

from agent.past import Past, Place, Work

HERE = Place(backend="sim", offer="here")


def work(tool: str = "tune_model", /, **more: object) -> Work:
    """A search of logistic regressions over 1000 rows of ten columns, unless told otherwise."""
    return Work.model_validate(_fields(tool) | more)


def past(seconds: float, tool: str = "tune_model", /, **more: object) -> Past:
    """The same, done by run r in that time."""
    known: dict[str, object] = {"run": "r", "call": "r/tune/1", "seconds": seconds, "usd_micro": 0}
    return Past.model_validate(_fields(tool) | known | more)


def _fields(tool: str) -> dict[str, object]:
    searched = {"family": "logistic_regression", "trials": 8} if tool == "tune_model" else {}
    return {"tool": tool, "task": "classification", "rows": 1000, "columns": 10, "place": HERE} | searched
