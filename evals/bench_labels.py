"""Random labels as a benchmark: how often chance alone meets a clause, beside what chance gives."""

from __future__ import annotations

from evals.bench_series import Measurement, Series, Target
from evals.random_labels import THRESHOLD, run


def bench_random_labels(repeats: int = 200) -> Measurement:
    """`repeats` balanced sets with random labels against an accuracy that only luck reaches."""
    result = run(repeats)
    span = f"chance gives {result.expected:.2f}, 99 % range {result.low} to {result.high}"
    says = f"at most {result.high} of {result.sets} sets MET: {span}"
    return Measurement(
        name="random-labels",
        series=(
            Series.of(f"MET at accuracy >= {THRESHOLD}", f"of {result.sets} sets", [float(result.met)]),
            Series.of("chance gives", f"of {result.sets} sets", [result.expected]),
        ),
        targets=(Target(says=says, met=result.fair),),
    )
