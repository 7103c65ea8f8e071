"""Pictures to pixels: the first step of every model of images.

A picture is decoded, laid over white, put upright and brought to the one size that training chose. What is no
picture, or would unpack into too much, is refused with its row.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from sklearn.base import BaseEstimator, TransformerMixin

from tools.errors import Invalid
from tools.language import tr
from tools.recipes.models.encode import bounded

PIXELS_MOST = 25_000_000
"""Of one picture, as its header says before anything is unpacked."""
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
SIDES = (8, 16, 32)
"""Sides in pixels of the square that pictures are brought to."""
_SAMPLE = 200
"""Pictures looked at to choose it."""
_SHOWN = 20


class Pixels(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Every picture as side × side × channels numbers from 0 to 1, then the other columns from 0 to 1 as well.

    A missing picture is black.
    """

    def __init__(self, *, images: Sequence[int], category: Sequence[int] = (), clip: bool = False) -> None:
        self.images = images
        self.category = category
        self.clip = clip

    def fit(self, X: NDArray[Any], y: object = None) -> Pixels:  # noqa: N803 - scikit-learn's names
        """Chooses the side and whether colour is looked at, by the pictures of the training rows."""
        chosen = set(self.images)
        self.others_ = [i for i in range(X.shape[1]) if i not in chosen]
        seen = [open_picture(cell) for cell in X[:, self.images].ravel()[:_SAMPLE] if cell]
        self.side_ = _side([max(picture.size) for picture in seen])
        self.channels_ = 3 if any(_coloured(picture) for picture in seen) else 1
        if self.others_:
            category = [i for i, column in enumerate(self.others_) if column in self.category]
            self.beside_ = bounded(category, clip=self.clip).fit(X[:, self.others_])
        return self

    def transform(self, X: NDArray[Any]) -> NDArray[np.float32]:  # noqa: N803 - scikit-learn's name
        """Shape [rows, numbers]. Invalid names every row whose picture cannot be opened."""
        faults: list[str] = []
        found = [[self._pixels(cell, row, faults) for cell in cells] for row, cells in enumerate(X[:, self.images])]
        if faults:
            more = [tr("and {n} more", n=len(faults) - _SHOWN)] if len(faults) > _SHOWN else []
            raise Invalid(*faults[:_SHOWN], *more)
        pixels = np.array(found, dtype=np.float32).reshape(len(X), -1)
        if not self.others_:
            return pixels
        return np.hstack([pixels, self.beside_.transform(X[:, self.others_]).astype(np.float32)])

    def _pixels(self, cell: bytes, row: int, faults: list[str]) -> NDArray[np.float32]:
        blank = np.zeros(self.side_ * self.side_ * self.channels_, dtype=np.float32)
        if not cell:
            return blank
        try:
            picture = open_picture(cell)
        except ValueError as error:
            faults.append(tr("row {row}: {error}", row=row, error=error))
            return blank
        fitted = picture.convert("RGB" if self.channels_ == 3 else "L")
        fitted = fitted.resize((self.side_, self.side_), Image.Resampling.BOX)
        return np.asarray(fitted, dtype=np.float32).ravel() / np.float32(255)


def open_picture(content: bytes) -> Image.Image:
    """Upright, without transparency. ValueError for what is no picture or unpacks into too much."""
    try:
        with warnings.catch_warnings():
            # What Pillow warns of is judged here: the size by its header, damage by failing.
            warnings.simplefilter("ignore")
            return _opened(content)
    except Image.DecompressionBombError as error:
        raise ValueError(tr("the picture has more than {most} pixels", most=PIXELS_MOST)) from error
    except (OSError, SyntaxError, EOFError, IndexError, KeyError, TypeError, ArithmeticError, MemoryError) as error:
        raise ValueError(tr("is no picture that can be opened ({kind})", kind=type(error).__name__)) from error


def _opened(content: bytes) -> Image.Image:
    with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
        width, height = picture.size
        if width * height > PIXELS_MOST:
            raise ValueError(
                tr(
                    "the picture has {width} × {height} pixels, more than {most}",
                    width=width,
                    height=height,
                    most=PIXELS_MOST,
                )
            )
        picture.draft("RGB", (2 * SIDES[-1], 2 * SIDES[-1]))
        picture.load()
        upright = ImageOps.exif_transpose(picture)
    if upright.mode in ("I", "I;16", "F"):
        return _stretched(upright)
    plain = upright.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", plain.size, "white"), plain).convert("RGB")


def _stretched(picture: Image.Image) -> Image.Image:
    """Grey levels of more than eight bits, their whole range brought to 0 to 255."""
    levels = np.asarray(picture, dtype=np.float64)
    top = 65535.0 if picture.mode == "I;16" else max(float(np.nanmax(levels)), 1.0)
    return Image.fromarray(np.clip(np.nan_to_num(levels) / top * 255.0, 0, 255).astype(np.uint8)).convert("RGB")


def _side(lengths: Sequence[int]) -> int:
    """The smallest side that loses nothing of most pictures, if there is one."""
    middle = float(np.median(lengths)) if lengths else 0.0
    return min([side for side in SIDES if side >= middle], default=SIDES[-1])


def _coloured(picture: Image.Image) -> bool:
    small = np.asarray(picture.resize((16, 16), Image.Resampling.BOX), dtype=np.int64)
    return bool((small.max(axis=2) - small.min(axis=2)).max() > 8)
