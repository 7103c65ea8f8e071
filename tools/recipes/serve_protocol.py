"""The Open Inference Protocol v2 as this model speaks it: a request in, checked columns out; an answer in, JSON out.

One tensor per source column, shape [n], raw values, null for missing. Every fault of a request is named at once.
Knows no HTTP and no model.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from tools.recipes.card import Card, Input
from tools.record import Json

ROWS_MOST = 10_000
FAULTS_MOST = 50
INTEGERS = range(-(2**63), 2**63)
ACCEPTED = {"FP64": ("FP64", "INT64"), "INT64": ("INT64", "FP64"), "BYTES": ("BYTES",)}
"""Datatype of an input → what a request may send for it, where no value is lost."""

Columns = Mapping[str, Sequence[Any]]


class BadRequestError(Exception):
    """The request is wrong; every fault with its place."""

    def __init__(self, *faults: str) -> None:
        more = len(faults) - FAULTS_MOST
        self.faults = faults if more <= 0 else (*faults[:FAULTS_MOST], f"and {more} more")
        super().__init__("; ".join(self.faults))


def parse(body: bytes) -> Json:
    """The JSON object of a request body. BadRequestError for anything else, NaN literals included."""
    try:
        request = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise BadRequestError(f"the body is not UTF-8: {error.reason} at byte {error.start}") from error
    except RecursionError as error:
        raise BadRequestError("the body is nested too deeply") from error
    except ValueError as error:
        raise BadRequestError(f"the body is not JSON: {error}") from error
    if not isinstance(request, dict):
        raise BadRequestError("the body must be a JSON object with `inputs`")
    return request


def columns(request: Json, inputs: Sequence[Input]) -> Columns:
    """The rows of a request as one sequence per input, in the model's order. BadRequestError with every fault."""
    tensors = request.get("inputs")
    if not isinstance(tensors, list) or not all(isinstance(tensor, dict) for tensor in tensors):
        raise BadRequestError("inputs: must be a list of tensors {name, shape, datatype, data}")
    faults: list[str] = []
    given = _by_name(tensors, inputs, faults)
    rows = {name: len(t["data"]) for name, t in given.items() if isinstance(t.get("data"), list)}
    faults += _count_faults(rows)
    made = {one.name: _column(one, given[one.name], faults) for one in inputs if one.name in given}
    faults += [f"inputs: column {one.name!r} is missing" for one in inputs if one.name not in given]
    if faults:
        raise BadRequestError(*faults)
    return made


def wanted(request: Json, known: Sequence[str]) -> frozenset[str]:
    """The outputs a request asks for: all that are known when it names none."""
    outputs = request.get("outputs")
    if outputs is None or outputs == []:
        return frozenset(known)
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        raise BadRequestError("outputs: must be a list of {name}")
    names = [output.get("name") for output in outputs]
    if faults := [f"outputs: there is no output {_short(name)}" for name in names if name not in known]:
        raise BadRequestError(*faults)
    return frozenset(names)


def response(
    card: Card, predictions: Sequence[Any], probabilities: Sequence[Sequence[float]] | None, only: frozenset[str]
) -> list[Json]:
    """The output tensors. ValueError for a number that is not finite: the model's fault, not the request's."""
    rows = len(predictions)
    numbers = card.answers == "number"
    values = [_finite(value) for value in predictions] if numbers else [str(value) for value in predictions]
    tensors: list[Json] = [_tensor("prediction", "FP64" if numbers else "BYTES", [rows], values)]
    if probabilities is not None:
        flat = [_finite(value) for row in probabilities for value in row]
        tensors.append(_tensor("probability", "FP64", [rows, len(card.classes)], flat))
    return [tensor for tensor in tensors if tensor["name"] in only]


def metadata(card: Card, *, name: str, version: str, digest: str) -> Json:
    """`/v2/models/NAME`: inputs in the model's order, outputs, and in `parameters` the order of the classes."""
    outputs = [_described("prediction", "FP64" if card.answers == "number" else "BYTES", [-1])]
    if card.answers == "class":
        outputs.append(_described("probability", "FP64", [-1, len(card.classes)]))
    return {
        "name": name,
        "versions": [version],
        "platform": "goalkeeper_sklearn",
        "inputs": [_described(one.name, one.datatype, [-1], kind=one.kind) for one in card.inputs],
        "outputs": outputs,
        "parameters": {
            "classes": list(card.classes),
            "positive": card.positive,
            "task": card.task,
            "answers": card.answers,
            "label": card.label,
            "family": card.family,
            "digest": digest,
        },
    }


def output_names(card: Card) -> tuple[str, ...]:
    return ("prediction", "probability") if card.answers == "class" else ("prediction",)


def probe(inputs: Sequence[Input]) -> Columns:
    """One row without any known value: what a model must be able to answer before it gets traffic."""
    return {one.name: [None] for one in inputs}


def _by_name(tensors: Sequence[Json], inputs: Sequence[Input], faults: list[str]) -> dict[str, Json]:
    known = {one.name for one in inputs}
    given: dict[str, Json] = {}
    for place, tensor in enumerate(tensors):
        name = tensor.get("name")
        if not isinstance(name, str) or name not in known:
            faults.append(f"inputs[{place}]: the model has no column {_short(name)}")
        elif name in given:
            faults.append(f"inputs[{place}]: column {name!r} is there twice")
        else:
            given[name] = tensor
    return given


def _count_faults(rows: Mapping[str, int]) -> list[str]:
    if not rows:
        return []
    if len(set(rows.values())) > 1:
        return ["inputs: the columns differ in length: " + ", ".join(f"{name!r} {n}" for name, n in rows.items())]
    count = next(iter(rows.values()))
    if not 1 <= count <= ROWS_MOST:
        return [f"inputs: {count} rows; send 1 to {ROWS_MOST}"]
    return []


def _column(one: Input, tensor: Json, faults: list[str]) -> Sequence[Any]:
    """The values of one tensor; what is wrong with it is added to the faults."""
    data, shape, datatype = tensor.get("data"), tensor.get("shape"), tensor.get("datatype")
    if datatype not in ACCEPTED[one.datatype]:
        faults.append(f"column {one.name!r}: datatype {_short(datatype)}; it is {one.datatype}")
    if not isinstance(data, list):
        faults.append(f"column {one.name!r}: data must be a flat list")
        return ()
    if shape != [len(data)] or isinstance(shape[0], bool):
        faults.append(f"column {one.name!r}: shape {_short(shape)} with {len(data)} values; it is [{len(data)}]")
    convert = _CONVERT[one.datatype]
    values: list[Any] = []
    for row, value in enumerate(data):
        try:
            values.append(None if value is None else convert(value))
        except (TypeError, ValueError, OverflowError) as error:
            faults.append(f"column {one.name!r}, row {row}: {_short(value)} is {error}")
    return values


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a number")
    if not math.isfinite(value):
        raise ValueError("not finite; send null for a missing value")
    return float(value)


def _integer(value: object) -> int:
    number = value if isinstance(value, int) and not isinstance(value, bool) else _number(value)
    if number != int(number) or int(number) not in INTEGERS:
        raise ValueError("not a 64-bit integer")
    return int(number)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError("not valid Unicode") from error
    return value


_CONVERT: Mapping[str, Callable[[object], object]] = {"FP64": _number, "INT64": _integer, "BYTES": _text}


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("the model answered with a number that is not finite")
    return float(value)


def _tensor(name: str, datatype: str, shape: list[int], data: list[Any]) -> Json:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


def _described(name: str, datatype: str, shape: list[int], **parameters: str) -> Json:
    described: Json = {"name": name, "datatype": datatype, "shape": shape}
    return described | ({"parameters": parameters} if parameters else {})


def _short(value: object) -> str:
    try:
        text = repr(value)
    except RecursionError:
        return "something nested deeply"
    return text if len(text) <= 60 else text[:57] + "..."


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON; send null for a missing value")
