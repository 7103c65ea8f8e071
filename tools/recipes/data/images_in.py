"""Reads a folder of images with one sub-folder per class: every file is decoded once, so that nothing broken is learnt.

The only place of the data side that knows Pillow; it is imported when there are images to read.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tools.language import tr
from tools.recipes.data.checks import IMAGE
from tools.recipes.data.reading import Opened
from tools.recipes.faults import BadInput, Fault

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"})
MOST_PIXELS = 64_000_000
"""Of one image: a small file may claim any size, and decoding it takes the memory it claims."""
MOST_BYTES = 2 << 30
"""Of all files together: they are held in memory once."""
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Listed:
    """The files of a folder of images, by their class, and what lies beside them."""

    classes: dict[str, list[Path]]
    """Sub-folder → its image files, in the order of their names."""
    others: list[Path]
    """Files that are no images by their ending."""
    loose: list[Path]
    """Images that lie in no class folder."""


def listed(root: Path) -> Listed:
    """What is in the folder, without opening a file. BadInput when there is no folder with class folders."""
    require_folder(root)
    folders = sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    classes: dict[str, list[Path]] = {}
    others: list[Path] = []
    for folder in folders:
        files = sorted(_files(folder))
        classes[folder.name] = [p for p in files if p.suffix.lower() in ENDINGS]
        others += [p for p in files if p.suffix.lower() not in ENDINGS]
    beside = [p for p in sorted(root.iterdir()) if p.is_file() and not p.name.startswith(".")]
    found = Listed(
        classes=classes,
        others=others + [p for p in beside if p.suffix.lower() not in ENDINGS],
        loose=[p for p in beside if p.suffix.lower() in ENDINGS],
    )
    require_inside(root, [*found.others, *found.loose, *(p for paths in classes.values() for p in paths)])
    _require_classes(root, found)
    return found


def require_folder(root: Path) -> None:
    """BadInput(data_missing) unless there is a folder that can be listed."""
    problem = fix = ""
    if not root.exists():
        problem, fix = tr("does not exist"), tr("check the path")
    elif not root.is_dir():
        problem, fix = tr("is not a folder"), tr("name the folder, or say which format the file has")
    else:
        try:
            next(root.iterdir(), None)
        except OSError as error:
            problem, fix = (
                tr("cannot be listed ({strerror})", strerror=error.strerror),
                tr("give the user who runs this read access"),
            )
    if problem:
        raise BadInput([Fault(place=str(root), problem=problem, fix=fix)], cause="data_missing")


def require_inside(root: Path, files: Collection[Path]) -> None:
    """BadInput for links that lead out of the folder: what somebody packed into it is not a way to other files."""
    real = os.path.realpath(root)
    places = {p.parent for p in files} | {p for p in files if p.is_symlink()}
    outside = sorted(p for p in places if not Path(os.path.realpath(p)).is_relative_to(real))
    if outside:
        fix = tr("put the files themselves into the folder")
        raise BadInput(
            [
                Fault(place=str(p.relative_to(root)), problem=tr("is a link that leads out of the folder"), fix=fix)
                for p in outside[:_SHOWN]
            ]
        )


def read_images(root: Path, *, label: str) -> Opened:
    """Columns `image` (the bytes of each file) and the label (the name of its class folder), sorted by path.

    BadInput names every file that is broken, too large or no image, and every class without images.
    """
    if label == IMAGE:
        fix = tr("name it otherwise, or leave it out: it is then called `label`")
        raise BadInput(
            [Fault(place=tr("label {label!r}", label=label), problem=tr("is the column of the images"), fix=fix)]
        )
    found = listed(root)
    _require_room(root, found)
    faults = [f for name, files in found.classes.items() if not files for f in [_empty(root, name)]]
    images: list[bytes] = []
    labels: list[str] = []
    for name, files in found.classes.items():
        for path in files:
            content = path.read_bytes()
            if problem := broken(content):
                faults.append(Fault(place=str(path.relative_to(root)), problem=problem, fix=tr("replace or remove it")))
            images.append(content)
            labels.append(name)
    if faults:
        raise BadInput(_shown(faults))
    frame = pl.DataFrame({IMAGE: pl.Series(images, dtype=pl.Binary), label: pl.Series(labels, dtype=pl.String)})
    return Opened(frame=frame, findings=tuple(_findings(root, found)), label=label)


def broken(content: bytes) -> str | None:
    """Why these bytes are no image that can be learnt from; None when they are one."""
    from PIL import Image, UnidentifiedImageError

    if not content:
        return tr("is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                width, height = image.size
                if width * height > MOST_PIXELS:
                    return tr(
                        "has {width} × {height} pixels; at most {most} can be used",
                        width=width,
                        height=height,
                        most=MOST_PIXELS,
                    )
                image.load()
    except UnidentifiedImageError:
        return tr("is no image ({formats} can be read)", formats=", ".join(FORMATS))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return tr("has too many pixels; at most {most} can be used", most=MOST_PIXELS)
    except Warning as warning:
        return tr("is damaged ({error})", error=str(warning)[:120])
    except (OSError, SyntaxError, ValueError, EOFError, IndexError) as error:
        return tr("is damaged or cut off ({error})", error=str(error)[:120])
    return None


def _files(folder: Path) -> Iterator[Path]:
    return (
        p
        for p in folder.rglob("*")
        if p.is_file() and not any(part.startswith(".") for part in p.relative_to(folder).parts)
    )


def _require_classes(root: Path, found: Listed) -> None:
    if sum(map(len, found.classes.values())) == 0:
        where = tr("lie beside each other in it") if found.loose else tr("are in it")
        problem = tr("holds no class folder with images; {n} images {where}", n=len(found.loose), where=where)
        fix = tr("give each class a folder of its own, named as the class, with its PNG, JPEG, BMP, GIF or WebP files")
        raise BadInput([Fault(place=str(root), problem=problem, fix=fix)])
    if all(_holds_classes(root / name, files) for name, files in found.classes.items()):
        inside = ", ".join(repr(f"{root.name}/{name}") for name in list(found.classes)[:4])
        problem = tr(
            "its folders ({inside}) hold class folders, not images: they look like parts of a split", inside=inside
        )
        fix = tr("name one of them as the data, and another as the holdout")
        raise BadInput([Fault(place=str(root), problem=problem, fix=fix)])


def _holds_classes(folder: Path, files: Sequence[Path]) -> bool:
    """All of its images lie deeper, in folders of which there are several."""
    return len({p.relative_to(folder).parts[0] for p in files if p.parent != folder}) > 1 and all(
        p.parent != folder for p in files
    )


def _require_room(root: Path, found: Listed) -> None:
    size = sum(path.stat().st_size for files in found.classes.values() for path in files)
    if size > MOST_BYTES:
        problem = tr(
            "its images have {size:.1f} GiB together; at most {most} can be used",
            size=size / 2**30,
            most=MOST_BYTES >> 30,
        )
        raise BadInput([Fault(place=str(root), problem=problem, fix=tr("scale them down, or take a sample"))])


def _empty(root: Path, name: str) -> Fault:
    fix = tr("put images into it, or remove the folder")
    return Fault(place=f"{root.name}/{name}", problem=tr("the class holds no image"), fix=fix)


def _findings(root: Path, found: Listed) -> Iterator[str]:
    if found.others:
        named = ", ".join(repr(str(p.relative_to(root))) for p in found.others[:_SHOWN])
        yield tr("files that are no images were left out ({n}): {named}", n=len(found.others), named=named)
    if found.loose:
        named = ", ".join(repr(p.name) for p in found.loose[:_SHOWN])
        yield tr("images in no class folder were left out ({n}): {named}", n=len(found.loose), named=named)


def _shown(faults: list[Fault]) -> list[Fault]:
    """The first faults; what they leave out is counted in the last."""
    most = 4 * _SHOWN
    if len(faults) <= most:
        return faults
    rest = Fault(
        place="images",
        problem=tr("{n} more files cannot be used", n=len(faults) - most),
        fix=tr("replace them as well"),
    )
    return [*faults[:most], rest]
