"""The registry of models: named, versioned by content, kept beside the runs."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import get_args

from pydantic import Field

from tools import served
from tools.errors import Failed, NotFound
from tools.language import tr
from tools.recipes import licences
from tools.recipes.records import SEEN_ROWS, Task
from tools.record import Record
from tools.tool import Done, Effect, Outcome, Site, Tool

NAME = r"[\w][\w.-]{0,62}"
"""What a model or an endpoint may be called."""
VERSION_LENGTH = 12
VALIDATION = "validation.parquet"
CARD = "model.json"


class RegisterModel(Record):
    name: str = Field(pattern=f"^{NAME}$")
    model: str
    """Object key of the model folder."""
    data: str
    """Object key of the prepared data: its validation part is kept, to draw requests from."""
    label: str | None


class Registered(Record):
    key: str
    """Object key `models/NAME/VERSION`."""
    version: str
    """The first digits of the content digest: the same model is the same version."""
    digest: str
    data: str
    """Object key of the folder that requests are drawn from."""
    label: str | None


def _start(args: RegisterModel, site: Site) -> Done:
    objects = site.backend.objects
    digest = objects.digest(args.model)
    version = "v-" + digest[:VERSION_LENGTH]
    key = f"models/{args.name}/{version}"
    objects.put(key, objects.fetch(args.model))
    requests = f"requests/{args.name}/{version}"
    objects.put(f"{requests}/{VALIDATION}", objects.fetch(f"{args.data}/{VALIDATION}"))
    _keep_seen(args, seen_of(key), site)
    _enter(args.name, version, site)
    made = Registered(key=key, version=version, digest=digest, data=requests, label=args.label)
    return Done(result=made.model_dump(mode="json"))


def seen_of(key: str) -> str:
    """Where the hashes of the rows lie that a registered model was trained on."""
    return "seen/" + key.removeprefix("models/")


def _keep_seen(args: RegisterModel, key: str, site: Site) -> None:
    """Keep the first that was said: the same model again was trained on the same rows."""
    objects = site.backend.objects
    if key in objects.names(key):
        return
    with suppress(NotFound):
        objects.put(key, objects.fetch(f"{args.data}/{SEEN_ROWS}"))


def _enter(name: str, version: str, site: Site) -> None:
    """Note that this version is the newest; registering the newest again changes nothing."""
    objects = site.backend.objects
    known = {key: _order(key, site) for key in objects.names(f"models/{name}/")}
    own, newest = known.get(f"models/{name}/{version}", 0), max(known.values(), default=0)
    with tempfile.TemporaryDirectory() as place:
        note = Path(place) / "entry.json"
        note.write_text(json.dumps({"order": own if own and own == newest else newest + 1}), encoding="utf-8")
        objects.put(f"registry/{name}/{version}.json", note)


def _order(key: str, site: Site) -> int:
    """The how manyth registration under its name a model is; 0 when nothing says so."""
    name = "registry/" + key.removeprefix("models/") + ".json"
    try:
        return int(json.loads(site.backend.objects.fetch(name).read_text(encoding="utf-8"))["order"])
    except (NotFound, OSError, ValueError, KeyError):
        return 0


def _find(args: RegisterModel, site: Site) -> Outcome | None:
    try:
        site.backend.objects.fetch(args.model)
    except NotFound:
        return None
    return _start(args, site)


register_model = Tool(
    name="register_model",
    does="Keep the model under a name and a version that is its content digest.",
    effect=Effect.CREATES,
    args=RegisterModel,
    result=Registered,
    requires=("model",),
    provides=("registered",),
    judged=("name", "model"),
    uses="objects",
    start=_start,
    find=_find,
)


class FindModel(Record):
    name: str = Field(pattern=f"^{NAME}$")
    version: str | None = None
    """None: the one that was registered last."""
    before: str | None = None
    """Instead: what the endpoint of that name was left with before this version."""


class Found(Record):
    """What the registry holds; every field None when it holds nothing of that name."""

    key: str | None
    version: str | None = None
    digest: str | None = None
    data: str | None = None
    label: str | None = None
    task: Task | None = None
    """What it was trained for, as its card says."""
    licences: tuple[str, ...] = ()
    """Restricting licences, as it says of itself: names of our own table."""


def _look(args: FindModel, site: Site) -> Done:
    objects = site.backend.objects
    keys = _candidates(args, site)
    if not keys:
        return Done(result=Found(key=None).model_dump(mode="json"))
    newest = max(keys, key=lambda key: _order(key, site))
    name = newest.removeprefix("models/")
    found = Found(
        key=newest,
        version=name.rpartition("/")[2],
        digest=objects.digest(newest),
        data=f"requests/{name}",
        label=(card := read_card(objects.fetch(newest))).label,
        task=card.task,
        licences=card.licences,
    )
    return Done(result=found.model_dump(mode="json"))


def _candidates(args: FindModel, site: Site) -> list[str]:
    """Object keys of the models that it may be."""
    objects, prefix = site.backend.objects, f"models/{args.name}/"
    if args.before is None:
        return [k for k in objects.names(prefix) if args.version in (None, k.removeprefix(prefix))]
    key = served.previous(args.name, args.before, site)
    return [] if key is None or key not in objects.names(key) else [key]


class Said(Record):
    """What a model's card says of it, as far as the registry needs it."""

    label: str | None
    """The column the model predicts; None where nothing is labelled."""
    task: Task | None
    licences: tuple[str, ...] = ()


def read_card(model: Path) -> Said:
    """What the card in a model's folder says. Failed when there is no readable one."""
    try:
        card = json.loads((model / CARD).read_text(encoding="utf-8"))
        task = card.get("task")
        stated = (*licences.restricting(card.get("license")), *licences.beside(model))
        return Said(
            label=card["label"],
            task=task if task in get_args(Task) else None,
            licences=tuple(sorted(set(stated))),
        )
    except (OSError, ValueError, KeyError, AttributeError, RecursionError) as error:
        raise Failed(
            tr("the model in {model} has no readable {card}", model=model, card=CARD), cause="data_invalid"
        ) from error


find_model = Tool(
    name="find_model",
    does="Look a model up in the registry by name and version.",
    effect=Effect.READS,
    args=FindModel,
    result=Found,
    provides=("registered",),
    judged=("name", "version"),
    uses="objects",
    start=_look,
)
