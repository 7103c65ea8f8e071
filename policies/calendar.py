"""When something may be changed: days and hours of a time zone."""

from __future__ import annotations

import math
import re
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator

from tools.language import tr
from tools.record import Record

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DAYS: tuple[Day, ...] = get_args(Day)
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")


def _time(text: str) -> str:
    if not _TIME.fullmatch(text):
        raise ValueError(tr("{text!r} is no time of day: write HH:MM", text=text[:20]))
    return text


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(tr("{text!r} is no time zone: write one as Europe/Berlin", text=text[:60])) from error
    return text


@lru_cache(maxsize=64)
def _local(second: int, zone: str) -> tuple[str, int]:
    """Time of day and day of the week. A zone's offset is whole seconds, so all of a second is one time."""
    local = datetime.fromtimestamp(second, ZoneInfo(zone))
    return f"{local:%H:%M}", local.weekday()


TimeOfDay = Annotated[str, AfterValidator(_time)]
Zone = Annotated[str, AfterValidator(_zone)]


class Hours(Record):
    """A span of the day on some days of the week. One that ends before it begins goes on past midnight."""

    environments: tuple[str, ...]
    """Where nothing is changed at other times."""
    days: tuple[Day, ...]
    """On which the span begins."""
    from_: TimeOfDay = Field(alias="from")
    to: TimeOfDay
    timezone: Zone

    @model_validator(mode="after")
    def _some_time_is_left(self) -> Hours:
        if self.environments and (not self.days or self.from_ == self.to):
            raise ValueError(tr("nothing could ever be changed: name days, and a span from one time to another"))
        return self

    def contain(self, now: float) -> bool:
        """Whether `now`, in epoch seconds, lies inside, by the clocks of the time zone."""
        time, day = _local(math.floor(now), self.timezone)
        today, yesterday = _DAYS[day], _DAYS[day - 1]
        if self.from_ < self.to:
            return today in self.days and self.from_ <= time < self.to
        return (today in self.days and time >= self.from_) or (yesterday in self.days and time < self.to)
