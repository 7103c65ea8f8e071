"""Clauses: thresholds, classes, comparisons, confidence, windows, conditions for rolling back."""

from __future__ import annotations

from evals.spoken import figures
from evals.spoken.telling import Teller
from tools.metrics import METRICS
from tools.record import Json

SCORES = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "f1_macro", "f1_weighted", "roc_auc", "pr_auc")
ERRORS = ("rmse", "mae", "mape", "mse")
LIVE = ("latency_p50_ms", "latency_p95_ms", "latency_p99_ms", "error_rate")
_PER_CLASS = ("recall", "precision", "f1")
_CLASSES = ("fraud", "yes", "high", "gold", "toxic", "spam")
_SHARES = (0.6, 0.65, 0.7, 0.75, 0.78, 0.8, 0.82, 0.85, 0.88, 0.9, 0.92, 0.95, 0.97, 0.99)


def clause(metric: str, value: float | None, **more: object) -> Json:
    """A clause as a corpus writes it; the operator follows from the metric."""
    known = METRICS[metric]
    op = ">=" if known.better == "max" else "<="
    return {"metric": metric, "op": op, "value": value, "where": known.where, **more}


def figure(teller: Teller, metric: str) -> tuple[float, str]:
    """A threshold that makes sense for the metric, and how it is said."""
    chance = teller.chance
    unit = METRICS[metric].unit
    if metric in ("mape", "smape"):
        value = chance.choice([0.04, 0.05, 0.08, 0.1, 0.12, 0.15, 0.2])
        return value, chance.choice([f"{value * 100:g}%", f"{value * 100:g} %", f"{value:g}"])
    if metric == "error_rate":
        value = chance.choice([0.001, 0.005, 0.01, 0.015, 0.02, 0.03])
        return value, chance.choice([f"{value * 100:g}%", f"{value * 100:g} %"])
    if metric == "availability":
        value = chance.choice([0.99, 0.995, 0.999])
        return value, f"{value * 100:g}%"
    if unit == "ms":
        number = chance.choice([20, 50, 80, 100, 120, 150, 200, 300, 500, 800])
        return number, figures.milliseconds(chance, teller.tongue, number)
    if metric == "throughput_rps":
        number = chance.choice([100, 300, 500])
        return number, f"{number} QPS" if teller.tongue == "zh" else f"{number} requests per second"
    if unit == "label":
        value = chance.choice([3, 5, 6.5, 12, 40, 150, 2500])
        return value, f"{value:g}"
    if metric in ("log_loss", "drift_psi", "perplexity"):
        value = {"log_loss": 0.35, "drift_psi": 0.2, "perplexity": 6.5}[metric]
        return value, f"{value:g}"
    value = 0.4 if metric in ("silhouette", "ndcg_at_10", "recall_at_10") else chance.choice(_SHARES)
    return value, f"{value:g}" if metric in ("silhouette", "r2", "mcc") else teller.ratio(value)


def threshold(teller: Teller, metric: str) -> tuple[Json, str]:
    """A plain demand."""
    value, said = figure(teller, metric)
    name = teller.say("metric", metric)
    rises = METRICS[metric].better == "max"
    if teller.maybe(0.06):
        made = clause(metric, value) | {"op": ">" if rises else "<"}
        return made, teller.say("strictly_above" if rises else "strictly_below", m=name, v=said)
    return clause(metric, value), teller.say("at_least" if rises else "at_most", m=name, v=said)


def _of_class(teller: Teller) -> tuple[Json, str]:
    metric, name = teller.chance.choice(_PER_CLASS), teller.chance.choice(_CLASSES)
    value, said = figure(teller, metric)
    text = teller.say("for_class", m=teller.say("metric", metric), v=said, c=name)
    return clause(metric, value, **{"class": name}), text


def _compared(teller: Teller, metric: str) -> tuple[Json, str]:
    name = teller.say("metric", metric)
    if METRICS[metric].better == "min":
        share = teller.chance.choice([0.05, 0.1, 0.2])
        text, flag = teller.flagged("lower_ratio", m=name, p=f"{share * 100:g}%")
        relative = {"to": flag or "incumbent", "delta": -share, "kind": "ratio"}
    elif teller.maybe(0.5):
        number = teller.chance.choice([1, 2, 3])
        text, flag = teller.flagged("better_points", m=name, p=figures.points(teller.chance, teller.tongue, number))
        relative = {"to": flag or "incumbent", "delta": number / 100, "kind": "absolute"}
    else:
        text, relative = teller.say("not_worse", m=name), {"to": "incumbent", "delta": 0, "kind": "*"}
    return clause(metric, None, relative=relative), text


def demand(teller: Teller, metric: str) -> tuple[Json, str]:
    """A demand of any kind on what a model is trained to."""
    kind = teller.chance.random()
    if kind < 0.08 and metric in SCORES:
        return _of_class(teller)
    if kind < 0.2:
        return _compared(teller, metric)
    made, text = threshold(teller, metric)
    if kind < 0.27:
        level = teller.chance.choice([0.9, 0.95, 0.99])
        percent = f"{level * 100:g}%" if teller.maybe(0.7) else f"{level * 100:g} %"
        return made | {"confidence": level}, teller.say("confidence", c=text, p=percent)
    return made, text


def live(teller: Teller, metric: str) -> tuple[Json, str]:
    """A demand on what runs, sometimes over a window."""
    if teller.maybe(0.15) and metric.startswith("latency"):
        value, said = figure(teller, metric)
        seconds = teller.chance.choice([60, 300, 600])
        span = teller.span(seconds)
        hyphened = f"{seconds // 60}-minute"
        text = teller.say("window", m=teller.say("metric", metric), v=said, d=span, dh=hyphened)
        return clause(metric, value, window_s=seconds), text
    return threshold(teller, metric)


def abort(teller: Teller, metric: str) -> tuple[Json, str]:
    """A condition for rolling back."""
    value, said = figure(teller, metric)
    key = "abort" if METRICS[metric].better == "min" else "abort_low"
    return clause(metric, value, abort=True), teller.say(key, m=teller.say("metric", metric), v=said)
