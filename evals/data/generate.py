"""Small data sets with a known truth, from a seed: what a model can reach on them is known beforehand.

Standard library alone, so that a generated file is the same on every machine.
"""

from __future__ import annotations

import csv
import math
import random
import sys
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

Row = dict[str, object]


def churn(rows: int, seed: int) -> list[Row]:
    """Customers who leave (`churned`: yes or no) mostly for a short tenure, many calls and a monthly contract.

    Numbers, whole numbers, categories, flags and dates; one in twenty `spend` values is missing.
    """
    rng = random.Random(seed)
    return [_customer(rng, i) for i in range(rows)]


def houses(rows: int, seed: int) -> list[Row]:
    """Prices: linear in area, rooms and age, with a premium per town and noise of 10 (standard deviation)."""
    rng = random.Random(seed)
    premium = {"hill": 60.0, "river": 30.0, "plain": 0.0}
    made = []
    for _ in range(rows):
        area, rooms, age, town = rng.uniform(40, 200), rng.randint(1, 6), rng.randint(0, 80), rng.choice([*premium])
        price = 2.0 * area + 15.0 * rooms - 0.8 * age + premium[town] + rng.gauss(0, 10)
        made.append({"area": round(area, 1), "rooms": rooms, "age": age, "town": town, "price": round(price, 2)})
    return made


def loans(rows: int, seed: int) -> list[Row]:
    """Chinese column names, categories and label (`违约`: 是 or 否), decided by income and city."""
    rng = random.Random(seed)
    shift = {"北京": -0.5, "上海": 0.0, "广州": 0.5}
    made = []
    for _ in range(rows):
        income, city, age = rng.lognormvariate(9, 0.5), rng.choice([*shift]), rng.randint(20, 65)
        risk = shift[city] - 2.5 * (math.log(income) - 9) - 0.5
        label = "是" if rng.random() < _chance(risk * 2) else "否"
        made.append({"收入": round(income, 2), "城市": city, "年龄": age, "违约": label})
    return made


def noise(rows: int, seed: int) -> list[Row]:
    """Five features and a balanced label that has nothing to do with them."""
    rng = random.Random(seed)
    labels = [i % 2 for i in range(rows)]
    rng.shuffle(labels)
    return [{**{f"x{k}": rng.gauss(0, 1) for k in range(5)}, "label": label} for label in labels]


SETS: dict[str, Callable[[int, int], list[Row]]] = {"churn": churn, "houses": houses, "loans": loans, "noise": noise}


def write(rows: Sequence[Row], path: Path) -> Path:
    """The rows as CSV with a header; a missing value is an empty field."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def main(argv: Sequence[str]) -> int:
    """`python -m evals.data.generate SET ROWS SEED FILE`."""
    if len(argv) != 4 or argv[0] not in SETS:
        sys.stderr.write(f"usage: python -m evals.data.generate {{{','.join(SETS)}}} ROWS SEED FILE\n")
        return 2
    write(SETS[argv[0]](int(argv[1]), int(argv[2])), Path(argv[3]))
    return 0


def _customer(rng: random.Random, number: int) -> Row:
    tenure, calls, contract = rng.randint(1, 72), min(9, int(rng.expovariate(0.5))), rng.choice(["month", "year"])
    spend = round(rng.uniform(10, 120), 2) if rng.random() > 0.05 else None
    risk = 0.8 - 0.06 * tenure + 0.9 * calls + (1.2 if contract == "month" else -1.2)
    return {
        "tenure": tenure,
        "calls": calls,
        "spend": spend,
        "contract": contract,
        "paperless": rng.choice(["true", "false"]),
        "joined": (date(2020, 1, 1) + timedelta(days=number % 1500)).isoformat(),
        "churned": "yes" if rng.random() < _chance(1.5 * risk - 1) else "no",
    }


def _chance(risk: float) -> float:
    return 1 / (1 + math.exp(-risk))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
