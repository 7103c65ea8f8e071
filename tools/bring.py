"""Bringing a model from a folder of this machine to where jobs can read it, for as long as the run lasts."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from tools.errors import Failed
from tools.language import tr
from tools.record import Record
from tools.register import CARD, VERSION_LENGTH, Found, read_card
from tools.tool import Done, Effect, Outcome, Site, Tool

MAX_BYTES = 2 * 1024**3


class BringModel(Record):
    folder: str = Field(min_length=1)
    """Absolute path of the model's folder, as one of our recipes leaves it."""


def _start(args: BringModel, site: Site) -> Done:
    folder = Path(args.folder)
    if not (folder / CARD).is_file():
        raise Failed(
            tr("{folder} holds no {card}: name the folder of a model trained here", folder=folder, card=CARD),
            cause="data_missing",
        )
    # What a link points to is not the model's own: nothing else of the machine is copied.
    files = [path for path in folder.rglob("*") if path.is_symlink() or path.is_file()]
    if linked := [path for path in files if path.is_symlink()]:
        raise Failed(
            tr("{name} is a link: put the file itself into the model's folder", name=linked[0]), cause="data_invalid"
        )
    if sum(path.stat().st_size for path in files) > MAX_BYTES:
        raise Failed(
            tr("{folder} is larger than {most} GiB", folder=folder, most=MAX_BYTES // 1024**3), cause="data_invalid"
        )
    card = read_card(folder)
    objects = site.backend.objects
    staged = _key(site)
    digest = objects.put(staged, folder)
    made = Found(
        key=staged,
        version="v-" + digest[:VERSION_LENGTH],
        digest=digest,
        label=card.label,
        task=card.task,
        licences=card.licences,
    )
    return Done(result=made.model_dump(mode="json"))


def _key(site: Site) -> str:
    return f"imports/{site.tags.call.replace('/', '-')}"


def _put_away(args: BringModel, site: Site, handle: str) -> None:
    """The copy is the call's own, whatever became of the call."""
    del args, handle
    site.backend.objects.remove(_key(site))


def _again(args: BringModel, site: Site) -> Outcome | None:
    """Putting the same folder under the same key again changes nothing."""
    return _start(args, site)


bring_model = Tool(
    name="bring_model",
    does="Copy a model's folder from this machine to where jobs can read it.",
    effect=Effect.CREATES,
    args=BringModel,
    result=Found,
    provides=("brought",),
    judged=("folder",),
    places=("folder",),
    uses="objects",
    start=_start,
    find=_again,
    stop=_put_away,
)
