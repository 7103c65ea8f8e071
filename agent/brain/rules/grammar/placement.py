"""Where the work may run and what the goal rules out: devices, regions, environment, namespace, constraints."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from agent.brain.rules.grammar.patterns import Pattern
from agent.brain.rules.grammar.reading import Reading
from agent.contract import Placement

_GPU_WORD: Final = Pattern(r"^([a-z]{1,2}\d{1,3}[a-z]?)-(\d+)g[bi]*$", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Place:
    """The contract's fields about the place."""

    placement: Placement
    environment: str | None
    namespace: str | None
    constraints: tuple[str, ...]


def place(reading: Reading) -> Place:
    """Read from the whole goal; claims the figures it uses."""
    spot = _spot(reading)
    constraints = _constraints(reading)
    if spot is False and any(reading.negated(n) for n in reading.where("spot", "spot")):
        constraints.append("no_spot")
    found = Placement.model_validate(
        {
            "backend": _backend(reading),
            **_gpus(reading),
            **_sizes(reading),
            "spot": spot,
            "regions": _texts(reading, "region"),
            "zones": _texts(reading, "zone"),
            "instance_types": _texts(reading, "instance"),
        }
    )
    return Place(
        placement=found, environment=_environment(reading), namespace=_namespace(reading),
        constraints=tuple(dict.fromkeys(constraints)),
    )  # fmt: skip


def _texts(reading: Reading, kind: str) -> list[str]:
    return list(dict.fromkeys(reading[n].text for n in reading.kinds(kind) if not reading.negated(n)))


def _backend(reading: Reading) -> str | None:
    found = [reading[n].readings["backend"] for n in reading.where("backend") if not reading.negated(n)]
    return next((name for name in ("kubernetes", "aws", "sim", "local") if name in found), None)


def _gpus(reading: Reading) -> dict[str, object]:
    for at in reading.where("gpu"):
        if reading.negated(at):
            continue
        found: dict[str, object] = {"gpu": reading[at].readings["gpu"], "gpu_count": _count(reading, at)}
        memory = next((n for n in (at + 1, at + 2) if n < len(reading) and reading[n].dim == "memory"), None)
        if memory is None:  # `两张 80G 的 A100`, `two 80 GB A100s`
            memory = next((n for n in range(at - 1, max(-1, at - 4), -1) if reading[n].dim == "memory"), None)
            memory = (
                None if memory is not None and any(e.kind == "punct" for e in reading.between(memory, at)) else memory
            )
        if memory is not None:
            reading.claim(memory)
            found["gpu_memory_gb"] = reading[memory].number
        return found
    for at, entity in enumerate(reading.entities):
        match = _GPU_WORD.match(entity.text) if entity.kind == "word" else None
        if match:
            return {
                "gpu": match.group(1).upper(),
                "gpu_count": _count(reading, at),
                "gpu_memory_gb": float(match.group(2)),
            }
    for at in reading.dims("gpu"):
        if not reading.negated(at) and reading[at].number:
            reading.claim(at)
            return {"gpu_count": int(reading[at].number or 0)}
    return {}


def _count(reading: Reading, at: int) -> int | None:
    """`2x T4`, `8 张 H100`, `one A10G`, `T4 x2`, `a T4`."""
    unit, single = reading.get(at - 1), reading.get(at - 2)
    if unit is not None and single is not None and unit.text in "卡张块颗片" and single.text.endswith("单"):
        return 1  # `单卡 A100`, `单张 L4`
    for find in (_each, _count_before, _count_behind):
        counted = find(reading, at)
        if counted is not None:
            return counted
    return None


def _count_before(reading: Reading, at: int) -> int | None:
    for n in (at - 1, at - 2):
        entity = reading.get(n)
        if entity is None or reading.sentence(n) != reading.sentence(at):
            break
        if entity.kind in ("number", "quantity") and entity.dim in ("", "times", "gpu") and entity.number:
            reading.claim(n)
            return int(entity.number)
        if n == at - 1 and entity.means("article"):
            return 1
        if not (entity.means("classifier") or entity.kind == "word" or entity.text in ("的", "NVIDIA")):
            break
    return None


def _count_behind(reading: Reading, at: int) -> int | None:
    if (word := reading.get(at + 1)) is not None and word.means("gpuword"):
        at += 1  # `L4 显卡一张`
    after, second = reading.get(at + 1), reading.get(at + 2)
    if after is not None and after.text.lower() in ("x", "×", "*") and second is not None and second.number:
        reading.claim(at + 2)
        return int(second.number)
    if after is not None and second is not None and second.text in ("张", "块", "个", "卡") and after.number:
        reading.claim(at + 1)
        return int(after.number)
    if after is not None and after.dim == "gpu" and after.number:
        reading.claim(at + 1)
        return int(after.number)
    match = re.fullmatch(r"[x×](\d+)", after.text.lower()) if after is not None else None
    return int(match.group(1)) if match else None


def _each(reading: Reading, at: int) -> int | None:
    """`四张每张 80GB 显存的 A100`, `four 80 GB A100s`: how many, with their memory in between."""
    seen = False
    for n in range(at - 1, max(-1, at - 8), -1):
        entity = reading[n]
        if entity.dim == "memory":
            seen = True
        elif entity.kind in ("number", "quantity") and entity.dim in ("", "gpu") and entity.number:
            if seen:
                reading.claim(n)
                return int(entity.number)
            return None
        elif not (
            entity.means("memoryword")
            or entity.means("every")
            or entity.means("classifier")
            or entity.text in ("的", "each", "-")
        ):
            return None
    return None


def _sizes(reading: Reading) -> dict[str, float]:
    found: dict[str, float] = {}
    for at in reading.dims("cpu"):
        if reading[at].number and not reading.negated(at):
            reading.claim(at)
            found.setdefault("cpus", reading[at].number or 0.0)
    for at in reading.dims("memory"):
        cue = reading.near(at, "memoryword", before=3, after=3)
        device = reading.near(at, "gpuword", "gpu", before=3, after=1)
        counted = any(reading[n].dim == "gpu" for n in range(max(0, at - 3), at))
        on_gpu = (
            counted
            or (cue is not None and reading[cue].means("memoryword", "gpu"))
            or (device is not None and device < at)
        )
        if cue is None and not on_gpu and not _beside_cpus(reading, at):
            continue
        reading.claim(at)
        found.setdefault("gpu_memory_gb" if on_gpu else "memory_gb", reading[at].number or 0.0)
    return found


def _beside_cpus(reading: Reading, at: int) -> bool:
    """`2 vCPUs and 4 GiB each`, `4 核 8G`: memory without its name."""
    cores = any(reading[n].dim == "cpu" for n in range(max(0, at - 3), min(at + 4, len(reading))))
    after = reading.get(at + 1)
    return cores or (after is not None and after.text.lower() in ("each", "per replica", "per pod", "apiece"))


_SPOTTING: Final = ("to", "that", "which", "who", "can", "will", "could")


def _spot(reading: Reading) -> bool | None:
    for at in reading.where("spot"):
        before = reading.get(at - 1)
        if reading[at].text.lower() == "spot" and before is not None and before.text.lower() in _SPOTTING:
            continue  # `to spot phishing`
        if reading[at].means("spot", "ondemand"):
            return False if not reading.negated(at) else None
        negated = reading.negated(at)
        if negated == "soft" and "不用" not in reading.text:
            return None
        return negated is None
    return None


def _environment(reading: Reading) -> str | None:
    found: list[str] = []
    for at in reading.where("env"):
        after = reading.get(at + 1)
        about_data = after is not None and after.means("dataword")
        name = reading[at].readings["env"]
        if name == "live" or about_data or _ruled_out_there(reading, at) or _compared_with(reading, at):
            continue
        found.append(name)
    found += ["production" for at in reading.where("comparand") if _runs_there(reading, at)]
    if found:
        return "production" if "production" in found else found[0]
    return "production" if _goes_live(reading) else None


def _runs_there(reading: Reading, at: int) -> bool:
    """`the fraud model in production`, `线上的 ctr`: where it runs, unless something is measured against it."""
    text = reading[at].text.lower()
    measured = ("cmp", "compar", "stable", "metric", "custom", "retrain_on")
    if "相比" in reading.text[max(0, reading[at].start - 4) : reading[at].start]:
        return False
    told = ("production" in text or "线上" in text) and not any(reading.clause_has(at, kind) for kind in measured)
    before = reading.get(at - 1)
    return told and not (
        before is not None
        and before.text in ("跟着", "陪着", "和", "跟", "与", "比", "较", "相比", "beside", "than", "versus")
    )


def _goes_live(reading: Reading) -> bool:
    for at in reading.where("act", "deploy"):
        words = reading[at].text.lower().split()
        if "live" in words and not reading.negated(at) and not reading[at].means("comparand"):
            return True
    return False


def _namespace(reading: Reading) -> str | None:
    for cue in reading.where("namespace"):
        for n in (cue + 1, cue + 2, cue - 1):
            entity = reading.get(n)
            if entity is None or reading.sentence(n) != reading.sentence(cue):
                continue
            if n == cue + 2 and (not reading[cue + 1].means("labelverb") or reading[cue + 1].text == ","):
                continue
            if entity.kind in ("word", "quoted") and re.fullmatch(r"[a-z0-9][a-z0-9-]*", entity.text):
                reading.claim(n)
                return entity.text
            after_env = n == cue - 1 and entity.kind == "term" and re.fullmatch(r"[a-z][a-z-]+", entity.text)
            if after_env and not any(k in entity.readings for k in ("det", "filler", "article", "from")):
                return entity.text
    return None


def _constraints(reading: Reading) -> list[str]:
    found: list[str] = []
    if any(_ruled_out_at(reading, n) for n in reading.where("act", "deploy")):
        found.append("no_deploy")
    if any(_ruled_out_there(reading, n) for n in reading.where("env", "production")):
        found.append("no_production")
    if reading.where("gpuword", "cpuonly") or any(_without_gpu(reading, n) for n in reading.where("gpuword", "gpu")):
        found.append("no_gpu")
    if any(reading.negated(n) for n in reading.where("external")):
        found.append("no_external_data")
    if _ruled_out(reading, "act", "retrain"):
        found.append("no_retrain")
    if reading.where("readonly"):
        found.append("read_only")
    return found


def _ruled_out_there(reading: Reading, at: int) -> bool:
    """`do not touch production`, `do not promote to production`."""
    if _compared_with(reading, at):
        return False
    if reading.negated(at) == "hard" or _left_alone(reading, at):
        return True
    verb = reading.near(at, "act", "deploy", before=4, after=3)
    return verb is not None and reading.negated(verb) == "hard"


def _left_alone(reading: Reading, at: int) -> bool:
    """`生产的别动`, `production is not to be touched`."""
    inside = [n for n in range(at + 1, min(at + 7, len(reading))) if reading.clause(n) == reading.clause(at)]
    return any(reading[n].means("touch") and reading.negated(n) == "hard" for n in inside)


def _compared_with(reading: Reading, at: int) -> bool:
    """`不能比线上低`: what runs there is a yardstick."""
    before = reading.get(at - 1)
    beside = (
        "比",
        "than",
        "较",
        "跟",
        "相比",
        "跟着",
        "陪着",
        "与",
        "beside",
        "alongside",
        "next to",
        "versus",
        "vs",
        "against",
    )
    return before is not None and before.text.lower() in beside


def _ruled_out_at(reading: Reading, verb: int) -> bool:
    """A deployment ruled out altogether, not only one place of it."""
    return reading.negated(verb) == "hard" and reading.near(verb, "env", before=3, after=4) is None


def _ruled_out(reading: Reading, kind: str, value: str) -> bool:
    return any(reading.negated(n) == "hard" for n in reading.where(kind, value))


def _without_gpu(reading: Reading, at: int) -> bool:
    negated = reading.negated(at)
    before = reading.get(at - 1)
    return negated == "hard" or (negated == "soft" and before is not None and before.text in ("不用", "不使用"))
