"""Tools about models that exist: bringing one, comparing it, choosing among several, and asking what work costs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from tools.backends.sim.backend import SimBackend
from tools.backends.sim.clock import VirtualClock
from tools.backends.sim.world import load_world
from tools.bring import BringModel, bring_model
from tools.compute import QuoteCost, Quoted, quote_cost
from tools.errors import Failed
from tools.evaluate import EvaluateModel
from tools.ports import Tags
from tools.record import Json
from tools.register import CARD, Found
from tools.tool import Done, Site
from tools.train import Selected, SelectModel, select_model


@pytest.fixture
def site(tmp_path: Path) -> Site:
    backend = SimBackend(load_world("steady"), clock=VirtualClock(), folder=tmp_path / "objects")
    tags = Tags(run="r", call="r/find/1", owner="ada", lease_until=1e12)
    return Site(backend=backend, tags=tags, limit_s=60.0, now=0.0)


def folder(place: Path, card: str = '{"task": "regression", "label": "y"}') -> Path:
    place.mkdir()
    (place / CARD).write_text(card, encoding="utf-8")
    (place / "model.skops").write_bytes(b"weights")
    return place


def brought(model: Path, site: Site) -> Found:
    made = bring_model.start(BringModel(folder=str(model)), site)
    assert isinstance(made, Done)
    return Found.model_validate(made.result)


def test_a_model_in_a_folder_is_copied_with_its_digest_and_what_its_card_says(tmp_path: Path, site: Site) -> None:
    found = brought(folder(tmp_path / "m"), site)
    assert (found.task, found.label) == ("regression", "y")
    assert found.key is not None
    assert (site.backend.objects.fetch(found.key) / "model.skops").read_bytes() == b"weights"
    assert found.digest == site.backend.objects.digest(found.key)
    assert brought(tmp_path / "m", site) == found


def test_a_copy_that_was_brought_goes_with_its_run(tmp_path: Path, site: Site) -> None:
    found = brought(folder(tmp_path / "m"), site)
    assert found.key is not None
    assert bring_model.stop is not None
    for _ in range(2):
        bring_model.stop(BringModel(folder=str(tmp_path / "m")), site, "")
    assert site.backend.objects.names("imports/") == []


def test_a_model_without_a_label_or_of_an_unknown_task_says_so(tmp_path: Path, site: Site) -> None:
    found = brought(folder(tmp_path / "m", '{"task": "poetry", "label": null}'), site)
    assert (found.task, found.label) == (None, None)


@pytest.mark.parametrize("card", ["", "[]", "{}", "not json"])
def test_a_folder_without_a_readable_card_is_refused(tmp_path: Path, site: Site, card: str) -> None:
    with pytest.raises(Failed, match="no readable"):
        brought(folder(tmp_path / "m", card), site)


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path, site: Site) -> None:
    with pytest.raises(Failed, match=r"holds no model\.json"):
        brought(tmp_path, site)


def test_nothing_else_of_the_machine_comes_along(tmp_path: Path, site: Site) -> None:
    model = folder(tmp_path / "m")
    secret = tmp_path / "secret"
    secret.write_text("s", encoding="utf-8")
    (model / "notes").symlink_to(secret)
    with pytest.raises(Failed, match="is a link"):
        brought(model, site)


EVALUATE: Json = {"task": "classification", "label": "y", "measures": [{"metric": "f1"}], "data": "d", "model": "m"}


def test_rivals_are_compared_as_others_and_mounted_by_their_name() -> None:
    against = [{"to": "incumbent", "name": "m:v1"}, {"to": "baseline", "name": "baseline"}]
    args = EvaluateModel.model_validate(
        EVALUATE | {"against": against, "others": {"m:v1": "k1"}, "rivals": {"svm": "k2"}}
    )
    assert [(a.to, a.name) for a in args.recipe.against] == [
        ("incumbent", "m:v1"),
        ("baseline", "baseline"),
        ("other", "svm"),
    ]
    assert args.mounts == {"data": "d", "model": "m", "m:v1": "k1", "svm": "k2"}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"against": [{"to": "other", "name": "x"}]}, "no model is given for x"),
        ({"rivals": {"data": "k"}}, "data cannot be a model's name here"),
    ],
)
def test_a_comparison_without_its_model_is_refused(more: Json, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        EvaluateModel.model_validate(EVALUATE | more)


def test_the_best_of_each_other_family_is_a_rival(site: Site) -> None:
    tried = [("svm", 0.8), ("mlp", 0.7), ("svm", 0.9), ("mlp", 0.75), ("knn", None)]
    candidates = tuple({"key": f"k{n}", "family": f, "value": v} for n, (f, v) in enumerate(tried))
    made = select_model.start(SelectModel(candidates=candidates, metric="f1", direction="max"), site)
    assert isinstance(made, Done)
    chosen = Selected.model_validate(made.result)
    assert (chosen.key, chosen.rivals) == ("k2", {"mlp": "k3", "knn": "k4"})


def quoted(site: Site, **wanted: object) -> Quoted:
    made = quote_cost.start(QuoteCost.model_validate(wanted), site)
    assert isinstance(made, Done)
    return Quoted.model_validate(json.loads(json.dumps(made.result)))


def test_offers_that_fit_are_priced_the_cheapest_first_and_unknown_prices_last(site: Site) -> None:
    found = quoted(site, seconds_low=1800, seconds_high=3600, spot=False)
    assert [q.offer for q in found.quotes] == ["sim.here", "sim.small", "sim.large", "sim.gpu", "sim.secret"]
    large = found.quotes[2]
    assert (large.usd_micro_low, large.usd_micro_high) == (210_000, 420_000)
    assert found.quotes[-1].usd_micro_high is None


@pytest.mark.parametrize(
    ("wanted", "offers"),
    [
        ({"gpu": "L4", "gpu_count": 4}, [("sim.gpu", 4)]),
        ({"gpu_count": 1}, [("sim.gpu", 1)]),
        ({"gpu": "L4", "gpu_memory_gb": 80}, []),
        ({"spot": True}, [("sim.large.spot", 1)]),
        ({"regions": ["sim-2"], "gpu": "L4"}, [("sim.gpu", 1)]),
        ({"cpus": 32}, [("sim.secret", 1)]),
        ({"instance_types": ["sim.small"]}, [("sim.small", 1)]),
    ],
)
def test_only_what_fits_is_quoted(site: Site, wanted: Json, offers: list[tuple[str, int]]) -> None:
    assert [(q.offer, q.machines) for q in quoted(site, **wanted).quotes] == offers


def test_without_a_time_only_the_price_of_an_hour_is_told(site: Site) -> None:
    (first, *_) = quoted(site, gpu="L4").quotes
    assert (first.usd_micro_per_hour, first.usd_micro_low) == (800_000, None)
