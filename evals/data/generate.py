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


def items(rows: int, seed: int) -> list[Row]:
    """Things to sell: `item_id`, category, price and a quality that nobody sees but through `rating`; one in twenty
    ratings is missing."""
    rng = random.Random(seed)
    made: list[Row] = []
    for number in range(rows):
        quality = rng.gauss(0, 1)
        rating = round(3 + quality + rng.gauss(0, 0.1), 2) if rng.random() > 0.05 else None
        kind, price = rng.choice(["book", "game", "tool"]), round(rng.lognormvariate(3, 0.6), 2)
        made.append({"item_id": f"i{number:03d}", "category": kind, "price": price, "rating": rating})
    return made


def behaviour(rows: int, seed: int) -> list[Row]:
    """What users did with the forty items of `items(40, seed)`, from January 2020 to June 2021: `bought` is decided by
    the item's rating, its price and how long the user looked, with little noise; one in fifty `seconds` is missing."""
    rng, goods = random.Random(seed + 1), items(40, seed)
    made: list[Row] = []
    for _ in range(rows):
        thing, seconds = rng.choice(goods), rng.expovariate(1 / 30)
        rating = float(str(thing["rating"])) if thing["rating"] is not None else 3.0
        appeal = 2.5 * (rating - 3) - 1.5 * (math.log(float(str(thing["price"]))) - 3) + 0.08 * (seconds - 25)
        day = date(2020, 1, 1) + timedelta(days=rng.randrange(546))
        made.append(
            {
                "user_id": f"u{rng.randrange(120):03d}",
                "item_id": thing["item_id"],
                "day": day.isoformat(),
                "seconds": round(seconds, 1) if rng.random() > 0.02 else None,
                "bought": 1 if rng.random() < _chance(4 * appeal) else 0,
            }
        )
    return made


def comments(rows: int, seed: int) -> list[Row]:
    """Short texts in English and Chinese by what they want (`intent`: refund, delivery or praise); one in fifty
    carries another one's label."""
    rng = random.Random(seed)
    made: list[Row] = []
    for _ in range(rows):
        intent, tongue = rng.choice([*_SAID]), rng.choice(["en", "zh"])
        words = _SAID[intent][tongue]
        opener, closer = rng.choice(_AROUND[tongue][0]), rng.choice(_AROUND[tongue][1])
        text = opener + rng.choice(words) + (" " if tongue == "en" else "，") + rng.choice(words) + closer
        label = rng.choice([*_SAID]) if rng.random() < 0.02 else intent
        made.append({"text": text, "intent": label})
    return made


def shoppers(rows: int, seed: int) -> list[Row]:
    """Three well-parted groups in four columns of very different scale; one in thirty `visits` is missing."""
    rng = random.Random(seed)
    centres = ((20.0, 4.0, 900.0, 0.1), (45.0, 12.0, 200.0, 0.5), (65.0, 2.0, 3000.0, 0.8))
    made: list[Row] = []
    for _ in range(rows):
        age, visits, spend, online = rng.choice(centres)
        made.append(
            {
                "age": round(rng.gauss(age, 3), 1),
                "visits": round(rng.gauss(visits, 0.8), 1) if rng.random() > 1 / 30 else None,
                "spend": round(rng.gauss(spend, 90), 2),
                "online": round(rng.gauss(online, 0.05), 3),
            }
        )
    return made


def sales(rows: int, seed: int) -> list[Row]:
    """Daily revenue of three stores: a level and a trend each, a strong weekly season and noise of 4 % of the level.

    `rows` counts all stores together.
    """
    rng = random.Random(seed)
    week = (0.8, 0.85, 0.9, 1.0, 1.2, 1.5, 0.75)
    stores = (("north", 200.0, 0.4), ("south", 400.0, -0.3), ("west", 120.0, 0.2))
    made: list[Row] = []
    for day in range(rows // len(stores)):
        for store, level, slope in stores:
            revenue = (level + slope * day) * week[day % 7] + rng.gauss(0, 0.04 * level)
            when = (date(2023, 1, 2) + timedelta(days=day)).isoformat()
            made.append({"day": when, "store": store, "revenue": round(revenue, 2)})
    return made


SETS: dict[str, Callable[[int, int], list[Row]]] = {
    "churn": churn,
    "houses": houses,
    "loans": loans,
    "noise": noise,
    "items": items,
    "behaviour": behaviour,
    "comments": comments,
    "shoppers": shoppers,
    "sales": sales,
}

_SAID = {
    "refund": {
        "en": ["I want my money back", "please refund the order", "this should be paid back", "return and refund it"],
        "zh": ["请给我退款", "我要求退钱", "这个要退货退款", "把钱退回来"],
    },
    "delivery": {
        "en": ["where is my parcel", "it has not arrived yet", "the courier is late", "when will it be delivered"],
        "zh": ["快递到哪了", "包裹还没收到", "什么时候能送到", "物流太慢了"],
    },
    "praise": {
        "en": ["works like a charm", "I love this product", "great quality and fair price", "would buy it again"],
        "zh": ["质量非常好", "我很喜欢这个产品", "物美价廉", "下次还会再买"],
    },
}
_AROUND = {
    "en": (["Hello, ", "", "Hi team: ", "So, "], ["", ".", " thanks", "!!"]),
    "zh": (["你好，", "", "请问，", "亲，"], ["", "。", "谢谢", "！"]),
}


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
