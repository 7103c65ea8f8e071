"""Which of the model tasks a part is: by what it says, its metrics, models, data and the name of its label."""

from __future__ import annotations

import re
from typing import Final

from agent.brain.rules.grammar import columns
from agent.brain.rules.grammar.entities import Entity
from agent.brain.rules.grammar.patterns import Pattern
from agent.brain.rules.grammar.reading import Reading
from tools.language import tr
from tools.metrics import metric

_KINDS: Final = (
    "token-classification", "text-classification", "image-classification", "causal-lm", "clustering", "recommendation",
    "forecasting", "regression", "classification",
)  # fmt: skip


_REGRESSORS: Final = ("linear_regression", "ridge", "lasso")


_CLASSIFIERS: Final = ("logistic_regression", "naive_bayes")


_LM: Final = Pattern(
    r"^(?:[\w-]+/)?(?:llama|meta-llama|mistral|mixtral|qwen|phi|gemma|gpt|falcon|bloom|opt|pythia|deepseek|tinyllama|codellama|starcoder|chatglm|baichuan|smollm|stablelm|olmo|yi)",
    re.IGNORECASE,
)


_VISION: Final = Pattern(
    r"^(?:[\w-]+/)?(?:resnet|vit|efficientnet|mobilenet|convnext|densenet|vgg|swin|deit|inception)", re.IGNORECASE
)


_TEXT: Final = Pattern(r"bert|electra|xlnet|ernie|deberta", re.IGNORECASE)


_IMAGES: Final = Pattern(
    r"(?<![a-z])(?:images?|imgs?|photos?|pictures?|x-?rays?|scans?|mri|mnist|cifar\w*)(?![a-z])|xray", re.IGNORECASE
)


_NUMERIC_METRICS: Final = ("regression", "forecasting")


_BUNDLED_NUMBERS: Final = ("diabetes", "california_housing", "linnerud")


def tasks_of(reading: Reading, at: int) -> tuple[str, ...]:
    known = metric(reading[at].readings.get("metric", ""))
    return known.tasks if known is not None else ()


def model_task(reading: Reading) -> tuple[str, str | None]:
    """The model task and, where nothing in the goal decides, what was assumed."""
    said = {reading[n].readings["task"] for n in reading.where("task") if not reading.negated(n)}
    metrics = [tasks_of(reading, n) for n in reading.where("metric")]
    narrow = next((t[0] for t in metrics if len(t) == 1 and t[0] in _KINDS), None)
    if _own_program(reading, said, metrics):
        return "custom", None
    special = _special(reading, said, narrow)
    if special is not None:
        return special, None
    if "forecasting" in said and _over_time(reading):
        return "forecasting", None
    if reading.where("column", "date") and not any("classification" in t for t in metrics):
        return "forecasting", None
    if _rhythmic(reading) and any(set(t) == set(_NUMERIC_METRICS) for t in metrics):
        return "forecasting", None
    numbers = any(set(t) & set(_NUMERIC_METRICS) for t in metrics if t)
    classes = any("classification" in t for t in metrics)
    families = {reading[n].readings["family"] for n in reading.where("family")}
    if ("regression" in said and "classification" not in said) or (numbers and not classes):
        return "regression", None
    if "classification" in said or classes:
        return "classification", None
    return _guess(reading, families)


def _own_program(reading: Reading, said: set[str], metrics: list[tuple[str, ...]]) -> bool:
    """A program of the user's own of which nothing says what it learns: no label, no kind, no metric of ours."""
    if not reading.kinds("program", "command"):
        return False
    told = (
        said
        or any(metrics)
        or reading.where("family")
        or reading.kinds("checkpoint")
        or reading.where("act", "predict")
    )
    return not (told or columns.label_columns(reading) or _pictures(reading))


def _special(reading: Reading, said: set[str], narrow: str | None) -> str | None:
    for kind in _KINDS[:3]:
        if kind in said and not (kind == "text-classification" and _tabular(reading)):
            return kind
    if "classification" in said and any(e.text.lower() in _WRITING for e in reading.entities) and not _tabular(reading):
        return "text-classification"
    by_source = _by_source(reading, said)
    if by_source is not None:
        return by_source
    if narrow is not None and narrow not in ("image-classification",):
        return narrow
    for kind in ("clustering", "recommendation"):
        if kind in said and not (kind == "clustering" and "classification" in said):
            return kind
    return None


def _by_source(reading: Reading, said: set[str]) -> str | None:
    """What a hub data set or a checkpoint is for."""
    hub = {_HUB_TASKS.get(reading[n].readings["hub"], "") for n in reading.where("hub")} - {""}
    hub |= {kind for n in reading.kinds("data") if (kind := _HUB_TASKS.get(reading[n].text.removeprefix("hf:"), ""))}
    if len(hub) == 1:
        return hub.pop()
    checkpoints = [reading[n].text for n in reading.kinds("checkpoint")]
    if any(_VISION.match(c) for c in checkpoints) or _pictures(reading):
        return "image-classification"
    if any(_TEXT.search(c) for c in checkpoints):
        return "text-classification"
    return "causal-lm" if "causal-lm" in said or any(_LM.match(c) for c in checkpoints) else None


_WRITING: Final = (
    "文本",
    "texts",
    "句子",
    "sentences",
    "utterances",
    "documents",
    "articles",
    "文章",
    "短文",
    "文档",
    "headlines",
)
_HUB_TASKS: Final = {
    "conll2003": "token-classification", "imdb": "text-classification", "ag_news": "text-classification",
    "sst2": "text-classification", "emotion": "text-classification", "yelp_polarity": "text-classification",
    "dbpedia_14": "text-classification", "mnist": "image-classification", "fashion_mnist": "image-classification",
    "cifar10": "image-classification", "cifar100": "image-classification", "food101": "image-classification",
    "wikitext": "causal-lm", "tatsu-lab/alpaca": "causal-lm",
}  # fmt: skip


def _tabular(reading: Reading) -> bool:
    return "tabular" in reading.text.lower() or "表格" in reading.text


def _pictures(reading: Reading) -> bool:
    places = [reading[n].text for n in reading.kinds("data", "word", "quoted", "program")]
    files = [p for p in places if re.search(r"\.(?:csv|parquet|jsonl)$", p)]
    return not files and any(_IMAGES.search(p) for p in places)


def _over_time(reading: Reading) -> bool:
    """`forecast` alone is prediction; with a time column, a rhythm or a horizon it is forecasting."""
    words = reading.where("task", "forecasting")
    return bool(words) and (
        bool(reading.where("column", "date"))
        or any(reading[n].text.lower() not in ("预测未来",) or _ahead(reading, n) for n in words)
    )


def _rhythmic(reading: Reading) -> bool:
    """`预测每天的 sales`, `predict daily revenue`: what is predicted comes in a rhythm."""
    return any(
        reading[n].means("every") or reading[n].text.lower() in ("daily", "weekly", "monthly", "hourly")
        for verb in reading.where("act", "predict")
        for n in range(verb + 1, min(verb + 6, len(reading)))
        if reading.clause(n) == reading.clause(verb)
    )


def _ahead(reading: Reading, at: int) -> bool:
    """`预测未来 7 天`: a horizon."""
    return any(e is not None and e.dim == "duration" for e in (reading.get(at + 1), reading.get(at + 2)))


def _guess(reading: Reading, families: set[str]) -> tuple[str, str | None]:
    bundled = {reading[n].readings["bundled"] for n in reading.where("bundled")}
    bundled |= {reading[n].text.removeprefix("sklearn:") for n in reading.kinds("data")}
    if families & set(_REGRESSORS) or bundled & set(_BUNDLED_NUMBERS):
        return "regression", None
    if families & set(_CLASSIFIERS) or any(e.text.startswith("sklearn:") for e in reading.entities):
        return "classification", None
    if "kmeans" in families:
        return "clustering", None
    labels = [e for e in _spoken_of(reading) if e.means("numeric") or _numeric_name(e.text)]
    if labels:
        return "regression", tr("`{label}` reads like a number, so this is taken as regression", label=labels[0].text)
    return "classification", tr("the goal names neither a metric nor the kind of model; classification is assumed")


def _spoken_of(reading: Reading) -> list[Entity]:
    """The label, and the words straight behind `predict`."""
    places = columns.label_columns(reading)
    for at in reading.where("act", "predict"):
        places += [n for n in range(at + 1, min(at + 5, len(reading))) if reading.clause(n) == reading.clause(at)]
    return [reading[n] for n in places]


_NUMBERS: Final = Pattern(
    r"(?:^|_)(?:price|amount|cost|revenue|sales|minutes|hours|days|seconds|count|cnt|qty|quantity|usd|kwh?|mw|km|value|total|"
    r"income|salary|wage|rent|age|duration|demand|load|delay|eta|temp|temperature|weight|height|area|yield|volume|speed|"
    r"distance|units|sold|spend|gmv|ltv|mpg|fare|profit|margin|consumption|power|energy|emissions?|co2|humidity|pressure|"
    r"depth|length|width|size|rainfall|pm25|mins?|secs?|hrs?|eur|gbp|cny|pct|percent)(?:_|$)|(?:价|价格|额|量|数|时长|费|费用|收入|租|金|工资|温度)$"
)


def _numeric_name(text: str) -> bool:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text)
    return bool(_NUMBERS.search(spaced.lower()))
