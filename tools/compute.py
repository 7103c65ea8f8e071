"""What can be had to compute on, and at what price."""

from __future__ import annotations

from pydantic import Field

from tools.ports import Offer, Owned, Scope
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


class QuoteCost(Record):
    """Work of that length on what is named; what is left open fits anything."""

    seconds_low: float | None = Field(default=None, ge=0)
    """None: how long it takes is not known, and only the price of an hour is told."""
    seconds_high: float | None = Field(default=None, ge=0)
    gpu: str | None = None
    gpu_count: int | None = None
    gpu_memory_gb: float | None = None
    cpus: float | None = None
    memory_gb: float | None = None
    spot: bool | None = None
    regions: tuple[str, ...] = ()
    instance_types: tuple[str, ...] = ()


class Quote(Record):
    """What it would cost on one offer."""

    offer: str
    machines: int
    """How many of the offer are needed at once."""
    usd_micro_per_hour: int | None
    """Of all of them; None: the price is not known, which is never zero."""
    usd_micro_low: int | None = None
    usd_micro_high: int | None = None


class Quoted(Record):
    """Every offer that fits, the cheapest first and unknown prices last; empty when nothing fits."""

    quotes: tuple[Quote, ...]
    seconds_low: float | None
    seconds_high: float | None


def _fits(offer: Offer, args: QuoteCost) -> bool:
    return (
        (args.gpu is None or offer.gpu == args.gpu)
        and (args.gpu is not None or not args.gpu_count or offer.gpu is not None)
        and (args.gpu_memory_gb is None or (offer.gpu_memory_gb or 0.0) >= args.gpu_memory_gb)
        and offer.cpus >= (args.cpus or 0.0)
        and offer.memory_gb >= (args.memory_gb or 0.0)
        and args.spot in (None, offer.spot)
        and (not args.regions or offer.region in args.regions)
        and (not args.instance_types or offer.id in args.instance_types)
    )


def _priced(offer: Offer, args: QuoteCost) -> Quote:
    each = max(1, offer.gpu_count)
    machines = 1 if not args.gpu_count else -(-args.gpu_count // each)
    if (price := offer.usd_micro_per_hour) is None:
        return Quote(offer=offer.id, machines=machines, usd_micro_per_hour=None)
    hourly = price * machines
    low, high = (None if s is None else round(hourly * s / 3600) for s in (args.seconds_low, args.seconds_high))
    return Quote(offer=offer.id, machines=machines, usd_micro_per_hour=hourly, usd_micro_low=low, usd_micro_high=high)


def _quote(args: QuoteCost, site: Site) -> Done:
    quotes = [_priced(o, args) for o in site.backend.compute.offers() if _fits(o, args)]
    quotes.sort(key=lambda q: (q.usd_micro_per_hour is None, q.usd_micro_per_hour or 0, q.offer))
    made = Quoted(quotes=tuple(quotes), seconds_low=args.seconds_low, seconds_high=args.seconds_high)
    return Done(result=made.model_dump(mode="json"))


quote_cost = Tool(
    name="quote_cost",
    does="Say what work of a given length would cost on each offer that fits; start nothing.",
    effect=Effect.READS,
    args=QuoteCost,
    result=Quoted,
    provides=("quoted",),
    judged=("gpu", "gpu_count", "regions", "instance_types"),
    uses="offers",
    start=_quote,
)


class ListResources(Record):
    """No arguments: everything that runs own here."""


class Resources(Record):
    owned: tuple[Owned, ...]


def _resources(args: ListResources, site: Site) -> Done:
    del args
    backend = site.backend
    found = [o for port in (backend.jobs, backend.serving, backend.compute) for o in port.owned(Scope())]
    return Done(result=Resources(owned=tuple(found)).model_dump(mode="json"))


list_resources = Tool(
    name="list_resources",
    does="List the jobs, endpoints and machines that runs own, with owner and lease.",
    effect=Effect.READS,
    args=ListResources,
    result=Resources,
    provides=("owned",),
    uses="serving",
    start=_resources,
)
