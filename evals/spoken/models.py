"""Goals that train a model: what is said of data, label, families, search, cleaning, split and what happens then."""

from __future__ import annotations

from collections.abc import Callable

from evals.spoken import demands, figures, riders, serving
from evals.spoken.telling import Teller
from tools.metrics import METRICS
from tools.record import Json

_STEMS = (
    "churn",
    "loans",
    "orders",
    "patients",
    "trips",
    "sensor_log",
    "leads",
    "claims",
    "houses",
    "q3_sales",
    "users2025",
)
_FOLDERS = ("", "", "", "data/", "s3://acme-ml/raw/", "gs://lake/", "./", "/mnt/data/")
_ENDINGS = ("csv", "csv", "parquet", "jsonl")
_CLASS_LABELS = (
    "churned",
    "is_fraud",
    "outcome",
    "defaulted",
    "species",
    "y",
    "target",
    "Survived",
    "risk_level",
    "will_buy",
)
_HAN_LABELS = ("是否流失", "违约", "类型", "等级")
_NUMBER_LABELS = ("price", "amount", "minutes", "demand_kw", "total_cost", "rent", "delay_min", "SalePrice")
_HAN_NUMBERS = ("房价", "租金", "销量", "金额")
_COLUMNS = ("customer_id", "zip_code", "PassengerId", "email", "row_id", "created_by", "notes")
_CLASS_FAMILIES = (
    "logistic_regression",
    "random_forest",
    "gradient_boosting",
    "decision_tree",
    "svm",
    "knn",
    "naive_bayes",
    "mlp",
)
_NUMBER_FAMILIES = ("linear_regression", "ridge", "lasso", "random_forest", "gradient_boosting", "mlp")


def uri(teller: Teller) -> str:
    """The address of a table."""
    pick = teller.chance.choice
    return f"{pick(_FOLDERS)}{pick(_STEMS)}.{pick(_ENDINGS)}"


def label(teller: Teller, plain: tuple[str, ...], han: tuple[str, ...]) -> str:
    return teller.chance.choice(han if teller.tongue == "zh" and teller.maybe(0.25) else plain)


def _part(task: str, *data: Json) -> Json:
    return {
        "task": task,
        "data": list(data),
        "clauses": [],
        "name": "*",
        "target": "*",
        "rollout": {"strategy": "none"},
    }


def _classify(teller: Teller) -> tuple[Json, str]:
    place, name = uri(teller), label(teller, _CLASS_LABELS, _HAN_LABELS)
    return _part("classification", {"uri": place, "label": name, "role": "train"}), teller.say(
        "classify", uri=place, label=teller.name(name)
    )


def _regress(teller: Teller) -> tuple[Json, str]:
    place, name = uri(teller), label(teller, _NUMBER_LABELS, _HAN_NUMBERS)
    return _part("regression", {"uri": place, "label": name, "role": "train"}), teller.say(
        "regress", uri=place, label=teller.name(name)
    )


def _train_test(teller: Teller) -> tuple[Json, str]:
    kind = teller.chance.choice(["csv", "parquet"])
    train, test, name = f"train.{kind}", f"test_set.{kind}", label(teller, _CLASS_LABELS, _HAN_LABELS)
    part = _part("classification", {"uri": train, "label": name, "role": "train"}, {"uri": test, "role": "holdout"})
    return part, teller.say("train_test", uri=train, uri2=test, label=teller.name(name))


def _text(teller: Teller) -> tuple[Json, str]:
    place = teller.chance.choice(["reviews.jsonl", "tickets.csv", "data/comments.jsonl", "mails.parquet"])
    name, model = teller.chance.choice(["sentiment", "topic", "queue", "stars"]), "distilbert-base-uncased"
    text = teller.say("text_classify", uri=place, label=teller.name(name), model=model)
    part = _part("text-classification", {"uri": place, "label": name, "role": "train"})
    return part | {"models": [model] if model in text else []}, text


def _images(teller: Teller) -> tuple[Json, str]:
    folder = teller.chance.choice(["./images", "data/xrays/", "s3://acme/photos/", "./leaves"])
    model = teller.chance.choice(["resnet-18", "efficientnet-b0", "vit-base-patch16-224", "resnet-50"])
    text = teller.say("image_classify", folder=folder, model=model)
    return _part("image-classification", {"uri": folder}) | {"models": [model] if model in text else []}, text


def _tokens(teller: Teller) -> tuple[Json, str]:
    model = teller.chance.choice(["bert-base-cased", "roberta-base"])
    part = _part("token-classification", {"uri": "hf:conll2003"}) | {"models": [model]}
    return part, teller.say("token_classify", model=model)


def _language(teller: Teller) -> tuple[Json, str]:
    place, model = (
        teller.chance.choice(["chats.jsonl", "s3://acme/dialogs.jsonl"]),
        teller.chance.choice(["llama-3-8b", "qwen-7b", "mistral-7b"]),
    )
    return _part("causal-lm", {"uri": place}) | {"models": [model]}, teller.say(
        "language_model", uri=place, model=model
    )


def _cluster(teller: Teller) -> tuple[Json, str]:
    place = uri(teller)
    text, flag = teller.flagged("cluster", uri=place)
    return _part("clustering", {"uri": place}) | {"models": [flag] if flag else []}, text


def _recommend(teller: Teller) -> tuple[Json, str]:
    place, items = teller.chance.choice(["clicks.csv", "ratings.parquet", "purchases.csv"]), "items.csv"
    if teller.maybe(0.5):
        return _part("recommendation", {"uri": place, "role": "interactions"}), teller.say("recommend", uri=place)
    key = teller.chance.choice(["item_id", "sku"])
    part = _part("recommendation", {"uri": place, "role": "interactions"}, {"uri": items, "role": "items"})
    part["prepare"] = {"join": [{"left": place, "right": items, "on": [key], "how": "inner"}]}
    return part, teller.say("recommend_items", uri=place, items=items, key=key)


def _forecast(teller: Teller) -> tuple[Json, str]:
    place, name = uri(teller), teller.chance.choice(["units", "revenue", "load_mw", "sold"])
    data: Json = {
        "uri": place,
        "label": name,
        "time": teller.chance.choice(["date", "ts", "week", "ds"]),
        "role": "train",
    }
    if teller.maybe(0.6):
        text = teller.say("forecast", uri=place, label=teller.name(name), time=data["time"])
        return _part("forecasting", data), text
    data["id"] = teller.chance.choice(["store", "sku", "region"])
    text = teller.say("forecast_per", uri=place, label=teller.name(name), time=data["time"], id=data["id"])
    return _part("forecasting", data), text


def _joined(teller: Teller) -> tuple[Json, str]:
    left, right = teller.chance.sample(["orders.csv", "customers.csv", "accounts.parquet", "events.parquet"], 2)
    key, name = teller.chance.choice(["customer_id", "user_id", "id"]), label(teller, _CLASS_LABELS, _HAN_LABELS)
    text, flag = teller.flagged("joined", uri=left, uri2=right, key=key, label=teller.name(name))
    part = _part("classification", {"uri": left, "label": name, "role": "train"}, {"uri": right, "role": "train"})
    part["prepare"] = {"join": [{"left": left, "right": right, "on": [key], "how": flag or "inner"}]}
    return part, text


def _command(teller: Teller) -> tuple[Json, str]:
    place, name = uri(teller), label(teller, _CLASS_LABELS, _HAN_LABELS)
    command = teller.chance.choice(
        ["python train.py", "python fit.py --epochs 5", "bash run.sh", "python -m trainer --lr 3e-4"]
    )
    predict = teller.chance.choice(["python predict.py", "python infer.py --batch 64"]) if teller.maybe(0.5) else None
    said = {"uri": place, "label": teller.name(name), "cmd": command}
    text = teller.say("command_predict", pred=predict, **said) if predict else teller.say("command", **said)
    part = _part("classification", {"uri": place, "label": name, "role": "train"})
    return part | {"train": {"kind": "command", "value": command, "predict": predict}}, text


Core = Callable[[Teller], tuple[Json, str]]
_TABULAR: tuple[tuple[Core, float, tuple[str, ...]], ...] = (
    (_classify, 6, demands.SCORES),
    (_regress, 5, (*demands.ERRORS, "r2")),
    (_train_test, 1, demands.SCORES),
    (_joined, 1.5, demands.SCORES),
    (_command, 1.5, demands.SCORES),
)
_SPECIAL: tuple[tuple[Core, float, tuple[str, ...]], ...] = (
    (_text, 1, ("accuracy", "f1_macro", "f1_micro")),
    (_images, 1, ("accuracy", "f1_macro")),
    (_tokens, 0.5, ("f1",)),
    (_language, 0.7, ("perplexity",)),
    (_cluster, 0.8, ("silhouette",)),
    (_recommend, 0.8, ("ndcg_at_10", "recall_at_10")),
    (_forecast, 1.2, ("mae", "mape", "smape", "rmse")),
)


def trained(teller: Teller) -> tuple[Json, str]:
    """A goal that trains one model, and its text."""
    kinds = (*_TABULAR, *_SPECIAL)
    (core, _, metrics), *_ = teller.chance.choices(kinds, weights=[k[1] for k in kinds])
    part, text = core(teller)
    case: Json = {"contract": {"parts": [part]}, "exact": True}
    said = _wanted(teller, part, metrics)
    if (core, metrics) in [(c, m) for c, _, m in _TABULAR]:
        said += _worked(teller, part)
    said += serving.afterwards(teller, case["contract"], part)
    said += riders.common(teller, case, share=0.28)
    said += _ruled_out(teller, case["contract"], part)
    return case, teller.text(text, said)


def _ruled_out(teller: Teller, contract: Json, part: Json) -> list[str]:
    if not teller.maybe(0.18):
        return []
    kinds = ["no_external_data"]
    kinds += ["no_deploy", "no_deploy"] if part["rollout"]["strategy"] == "none" else []
    kinds += ["no_production"] if contract.get("environment") != "production" else []
    kinds += ["no_gpu"] if "gpu_count" not in contract.get("placement", {}) else []
    return [riders.constraint(teller, contract, *kinds)]


def _wanted(teller: Teller, part: Json, metrics: tuple[str, ...]) -> list[str]:
    said: list[str] = []
    picked = teller.chance.sample(metrics, min(len(metrics), teller.chance.choice([0, 1, 1, 1, 2])))
    for metric in picked:
        made, text = demands.demand(teller, metric)
        part["clauses"].append(made)
        said.append(text)
    if not picked and metrics[0] != "perplexity" and teller.maybe(0.4):
        metric = teller.chance.choice(metrics)
        falls = METRICS[metric].better == "min"
        part["objective"] = {"metric": metric, "direction": "min" if falls else "max"}
        said.append(teller.say("objective_min" if falls else "objective", m=teller.say("metric", metric)))
    return said


def _worked(teller: Teller, part: Json) -> list[str]:
    """Families, search, cleaning, columns, split: what is done to a table."""
    said: list[str] = []
    numbers = part["task"] == "regression"
    if "train" not in part and teller.maybe(0.3):
        said.append(_families(teller, part, _NUMBER_FAMILIES if numbers else _CLASS_FAMILIES))
        if teller.maybe(0.35):
            said.append(_search(teller, part))
    if teller.maybe(0.18):
        kinds = teller.chance.sample(
            ["drop_missing", "drop_duplicates", "impute", "clip_outliers", "scale", "one_hot"], 2
        )
        kinds = kinds[: teller.chance.choice([1, 1, 2])]
        if not {"drop_missing", "impute"} <= set(kinds):
            part.setdefault("prepare", {})["clean"] = kinds
            said += [teller.say("clean", kind) for kind in kinds]
    if teller.maybe(0.12):
        names = teller.chance.sample(_COLUMNS, teller.chance.choice([1, 1, 2]))
        part.setdefault("prepare", {})["drop_columns"] = names
        more = {"d": names[1]} if len(names) > 1 else {}
        said.append(teller.say("drop_columns_two" if more else "drop_columns", c=names[0], **more))
    if len(part["data"]) == 1 and teller.maybe(0.2):
        said.append(_split(teller, part))
    return said


def _families(teller: Teller, part: Json, known: tuple[str, ...]) -> str:
    first, second = teller.chance.sample(known, 2)
    if teller.maybe(0.6):
        part["models"] = [first]
        return teller.say("families_one", f=teller.say("family", first))
    part["models"] = [first, second]
    return teller.say("families_two", f=teller.say("family", first), g=teller.say("family", second))


def _search(teller: Teller, part: Json) -> str:
    method, number = (
        teller.chance.choice(["random", "grid", "tpe", "none"]),
        teller.chance.choice([8, 10, 16, 20, 30, 50]),
    )
    part["search"] = {"method": None if method == "none" else method, "trials": number}
    return teller.say("search", method, n=str(number))


def _split(teller: Teller, part: Json) -> str:
    way, share = (
        teller.chance.choice(["random", "stratified", "group", "date", "time"]),
        teller.chance.choice([0.1, 0.2, 0.25, 0.3]),
    )
    said = f"{share * 100:g}%" if teller.maybe(0.7) else f"{share * 100:g} %"
    if way == "random":
        part["split"] = {"by": "random", "holdout": share}
        kept = round(100 - share * 100)
        return teller.say("split_share", s=said, train=str(kept), test=str(100 - kept))
    if way == "stratified":
        part["split"] = {"by": "stratified", "holdout": share}
        return teller.say("split_stratified", s=said)
    if way == "group":
        part["split"] = {
            "by": "group",
            "holdout": share,
            "column": teller.chance.choice(["patient_id", "user_id", "household"]),
        }
        return teller.say("split_group", s=said, c=part["split"]["column"])
    if way == "time":
        part["split"] = {
            "by": "time",
            "holdout": share,
            "column": teller.chance.choice(["created_at", "order_date", "ts"]),
        }
        return teller.say("split_time", s=said, c=part["split"]["column"])
    day = teller.chance.choice(["2025-06-01", "2024-01-01", "2025-11-15"])
    part["split"] = {"by": "time", "at": day}
    return teller.say("split_date", date=figures.date(teller.chance, teller.tongue, day))
