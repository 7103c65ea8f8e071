"""The model server, asked in its own process: every kind of answer, and requests that are no rows of the model."""

from __future__ import annotations

import asyncio
import base64
import io
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import pytest
from PIL import Image
from recipe_shop import Shop

from tools.recipes.models.model import Columns, Model, Predictions, load
from tools.recipes.records import TrainArgs
from tools.recipes.serve import Service, application


def asked(shop: Shop, **columns: list[Any]) -> httpx.Response:
    """The answer of the trained model to these rows."""
    model = load(shop.trained)
    Service(model=model, name="m", version="1").check()
    return told(model, **columns)


def told(model: Model, **columns: list[Any]) -> httpx.Response:
    service = Service(model=model, name="m", version="1")
    datatypes = {i.name: i.datatype for i in model.metadata.inputs}
    tensors = [
        {"name": name, "datatype": datatypes[name], "shape": [len(values)], "data": values}
        for name, values in columns.items()
    ]

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=application(service))
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return await client.post("/v2/models/m/infer", json={"inputs": tensors})

    return asyncio.run(send())


def outputs(answer: httpx.Response) -> dict[str, tuple[str, list[int], list[Any]]]:
    assert answer.status_code == 200, answer.text
    return {o["name"]: (o["datatype"], o["shape"], o["data"]) for o in answer.json()["outputs"]}


def png(bright: bool) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((9, 9), 250 if bright else 5, dtype=np.uint8)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    shop = Shop(tmp_path_factory.mktemp("pictures"))
    rows = [{"image": png(i % 2 == 0), "y": ("light", "dark")[i % 2]} for i in range(60)]
    shop.lay(pl.DataFrame(rows), train=40, validation=10)
    shop.train(learn("image-classification", metric="accuracy"))
    return shop


def learn(task: str, **more: object) -> TrainArgs:
    given = {"task": task, "label": "y", "family": "logistic_regression", "trials": 1, "seconds": 60.0}
    return TrainArgs.model_validate(given | more)


def test_a_picture_is_sent_as_base64_and_answered_with_a_class(pictures: Shop) -> None:
    told = outputs(asked(pictures, image=[base64.b64encode(png(bright)).decode() for bright in (True, False)]))
    assert told["prediction"] == ("BYTES", [2], ["light", "dark"])
    assert told["probability"][1] == [2, 2]


def test_what_is_no_picture_is_a_bad_request_with_its_row(pictures: Shop) -> None:
    stream = io.BytesIO()
    Image.new("1", (14_000, 14_000)).save(stream, "PNG")
    good = base64.b64encode(png(True)).decode()
    cases = {
        "@@@ no base64": "not base64",
        base64.b64encode(b"no picture").decode(): "row 1: is no picture",
        base64.b64encode(png(True)[:40]).decode(): "row 1: is no picture",
        base64.b64encode(stream.getvalue()).decode(): "row 1: the picture has more than",
    }
    for sent, says in cases.items():
        answer = asked(pictures, image=[good, sent])
        assert answer.status_code == 400
        assert says in answer.json()["faults"][0]


def test_a_text_is_answered_with_a_class(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    rows = [{"said": ("很好用", "太差了")[i % 2], "y": ("好", "差")[i % 2]} for i in range(60)]
    shop.lay(pl.DataFrame(rows), train=40, validation=10)
    shop.train(learn("text-classification", metric="accuracy"))
    assert outputs(asked(shop, said=["好用", None, "差"]))["prediction"][2][::2] == ["好", "差"]
    assert asked(shop, said=[1.5]).status_code == 400


def test_a_number_is_answered_as_one_and_without_probabilities(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.lay(
        pl.DataFrame({"x": [float(i) for i in range(60)], "y": [2.0 * i for i in range(60)]}), train=40, validation=10
    )
    shop.train(learn("regression", metric="rmse", family="linear_regression"))
    told = outputs(asked(shop, x=[3.0]))
    assert list(told) == ["prediction"]
    assert told["prediction"][0] == "FP64"
    assert told["prediction"][2] == pytest.approx([6.0])


class Failing(Model):
    """A model whose file is as it should be, and that fails on every row."""

    def predict_rows(self, columns: Columns) -> tuple[Predictions, list[list[float]] | None]:
        raise ValueError(f"{len(columns)} columns and no answer")


def test_a_model_that_fails_is_answered_for_and_nothing_reaches_the_server(pictures: Shop) -> None:
    """An error that goes on to the server makes it close the connection, and whoever comes next would be lost."""
    model = load(pictures.trained)
    failed = told(Failing(model.estimator, model.metadata, model.digest), image=[""])
    assert failed.status_code == 500
    assert failed.json() == {"error": "the model failed: ValueError"}


def test_a_number_as_large_as_none_can_be_is_as_good_as_missing(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    rows = pl.DataFrame({"x": [float(i) for i in range(60)], "y": [2000.0 * i for i in range(60)]})
    shop.lay(rows, train=40, validation=10)
    shop.train(learn("regression", metric="rmse", family="linear_regression"))
    large, missing = outputs(asked(shop, x=[1e308, None]))["prediction"][2]
    assert large == missing


def test_a_cluster_is_answered_by_its_name(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    noise = np.random.default_rng(0).normal(size=80)
    shop.lay(pl.DataFrame({"x": noise + np.arange(80) % 2 * 50}), train=50, validation=20)
    shop.train(learn("clustering", label=None, metric="silhouette", family="kmeans"))
    told = outputs(asked(shop, x=[0.0, 50.0, 1.0]))["prediction"]
    assert told[0] == "BYTES"
    assert told[2][0] == told[2][2] != told[2][1]
