"""Which images and places of data the limits do not allow. A policy language without loops cannot ask this."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from pathlib import PurePosixPath
from unicodedata import normalize

from policies.limits import Limits


def images(named: Iterable[str], limits: Limits) -> tuple[str, ...]:
    """Those of the images that are not allowed: an entry without a digest allows every tag and digest of its name."""
    allowed = limits.allowed.images
    return () if allowed == "any" else tuple(image for image in named if not {image, _name(image)} & set(allowed))


def _name(image: str) -> str:
    """An image without tag and digest; a port stays with its registry."""
    bare = image.partition("@")[0]
    path, slash, last = bare.rpartition("/")
    return path + slash + last.partition(":")[0]


def outside(named: Iterable[str], limits: Limits) -> tuple[str, ...]:
    """Those of the places of data that lie in none that is allowed."""
    allowed = limits.allowed.locations
    return () if allowed == "any" else tuple(p for p in named if not any(_within(p, root) for root in allowed))


def never(named: Iterable[str], limits: Limits) -> tuple[str, ...]:
    """Those of the places of data that nothing may touch, whatever is allowed."""
    return tuple(p for p in named if any(_touches(p, root) for root in limits.never.locations))


def _within(place: str, root: str) -> bool:
    """`/data/a.csv` lies in `/data`, and `/database` does not; `sklearn:iris` in `sklearn:`, `s3://b/k` in `s3://b`."""
    if ".." in place.split("/"):
        return False
    if root.endswith((":", "/")):
        return place.startswith(root) or place == root.rstrip("/")
    return place == root or place.startswith(root + "/")


def _touches(place: str, root: str) -> bool:
    """A bare name is any folder or file of that name, however it is written."""
    folded = normalize("NFKC", place).casefold()
    if "://" not in folded:
        folded = posixpath.normpath(folded)
    if "/" in root:
        return _within(folded, root.casefold())
    return root.casefold() in PurePosixPath(folded).parts
