"""What can be had to compute on, and at what price."""

from __future__ import annotations

from tools.ports import Offer
from tools.record import Record
from tools.tool import Done, Effect, Site, Tool


class ListOffers(Record):
    """No arguments: everything the backend offers."""


class Offers(Record):
    offers: tuple[Offer, ...]


def _list(args: ListOffers, site: Site) -> Done:
    del args
    return Done(result=Offers(offers=tuple(site.backend.compute.offers())).model_dump(mode="json"))


list_offers = Tool(
    name="list_offers",
    does="List where work can run, with processors, memory, devices and price.",
    effect=Effect.READS,
    args=ListOffers,
    result=Offers,
    provides=("offers",),
    uses="offers",
    start=_list,
)
