"""Pictures to pixels: every format and mode, and what is no picture is refused with its row."""

from __future__ import annotations

import base64
import io
import random
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tools.errors import Invalid
from tools.recipes.card import Input
from tools.recipes.models import pixels
from tools.recipes.models.encode import matrix
from tools.recipes.models.pixels import Pixels, open_picture

IMAGE = Input(name="image", datatype="BYTES", kind="image")
AGE = Input(name="age", datatype="FP64", kind="number")


def encoded(colour: object, *, mode: str = "RGB", size: tuple[int, int] = (12, 12), form: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.new(mode, size, colour).save(stream, form)  # type: ignore[arg-type]
    return stream.getvalue()


def cells(*contents: object) -> Any:
    return matrix({"image": contents}, [IMAGE], lowercase=False)


RED, GREY = encoded("red"), encoded("gray")


def test_colour_and_side_follow_from_the_training_rows() -> None:
    coloured, plain = Pixels(images=[0]).fit(cells(RED, GREY)), Pixels(images=[0]).fit(cells(GREY))
    assert (coloured.side_, coloured.channels_, plain.channels_) == (16, 3, 1)
    assert Pixels(images=[0]).fit(cells(encoded("gray", size=(900, 700)))).side_ == 32
    assert Pixels(images=[0]).fit(cells(encoded("gray", size=(8, 8)))).side_ == 8
    assert coloured.transform(cells(RED)).shape == (1, 16 * 16 * 3)
    assert coloured.transform(cells(RED)).reshape(-1, 3)[0].tolist() == [1.0, 0.0, 0.0]


def test_a_picture_comes_as_bytes_or_as_base64_and_a_missing_one_is_black() -> None:
    made = Pixels(images=[0]).fit(cells(RED))
    told = made.transform(cells(RED, base64.b64encode(RED).decode(), None))
    np.testing.assert_array_equal(told[0], told[1])
    assert not told[2].any()


def test_what_is_no_base64_is_refused_by_name() -> None:
    with pytest.raises(Invalid, match="'image' holds no image: not base64"):
        cells("@@@")


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "I", "I;16", "F", "CMYK", "YCbCr"])
def test_every_mode_is_brought_to_the_same_pixels(mode: str) -> None:
    form = "PNG" if mode in ("1", "L", "P", "LA", "RGBA", "I;16") else "TIFF"
    picture = open_picture(encoded(0, mode=mode, form=form))
    assert picture.mode == "RGB"


def test_what_is_transparent_shows_white_and_a_turned_picture_stands_upright() -> None:
    assert open_picture(encoded((0, 0, 0, 0), mode="RGBA")).getpixel((0, 0)) == (255, 255, 255)
    lying = Image.new("RGB", (20, 10))
    lying.getexif()[0x0112] = 6
    stream = io.BytesIO()
    lying.save(stream, "JPEG", exif=lying.getexif())
    assert open_picture(stream.getvalue()).size == (10, 20)


def test_a_picture_that_would_unpack_into_too_much_is_refused_by_its_header() -> None:
    with pytest.raises(ValueError, match="6000 × 6000 pixels, more than"):
        open_picture(encoded(0, mode="1", size=(6_000, 6_000)))
    with pytest.raises(ValueError, match="has more than 25000000 pixels"):
        open_picture(encoded(0, mode="1", size=(14_000, 14_000)))


def test_every_row_without_a_picture_is_named() -> None:
    made = Pixels(images=[0]).fit(cells(RED))
    with pytest.raises(Invalid) as refused:
        made.transform(cells(RED, b"text", RED[:40], RED))
    assert [f.split(":")[0] for f in refused.value.faults] == ["row 1", "row 2"]
    with pytest.raises(Invalid) as many:
        made.transform(cells(*[b"text"] * 500))
    assert many.value.faults[-1] == "and 480 more"


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_bytes_that_were_tampered_with_are_a_picture_or_a_fault(form: str) -> None:
    chance = random.Random(form)
    good = encoded("teal", form=form)
    made = Pixels(images=[0]).fit(cells(good))
    for _ in range(60):
        content = bytearray(good)
        for _ in range(chance.randrange(1, 9)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        try:
            told = made.transform(cells(bytes(content[: chance.randrange(1, len(content) + 1)])))
        except Invalid:
            continue
        assert np.isfinite(told).all()


def test_formats_that_run_programs_are_not_opened() -> None:
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n"
    with pytest.raises(ValueError, match="no picture"):
        open_picture(postscript)
    assert "EPS" not in pixels.FORMATS


def test_columns_beside_the_pictures_are_kept() -> None:
    given = matrix({"image": [RED, RED, RED], "age": [0.0, None, 10.0]}, [IMAGE, AGE], lowercase=False)
    made = Pixels(images=[0]).fit(given)
    told = made.transform(given)
    assert told[:, -2].tolist() == [0.0, 0.5, 1.0]
    assert told[:, -1].tolist() == [0.0, 1.0, 0.0]
