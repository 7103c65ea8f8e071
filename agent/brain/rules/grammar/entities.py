"""From tokens to entities: phrases of the lexicon, names, and what is left as plain words.

An entity keeps every reading of its phrase; the interpreters of the fields choose by context.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from agent.brain.rules.grammar.lexicon import Lexicon, lexicon
from agent.brain.rules.grammar.patterns import Pattern
from agent.brain.rules.grammar.scan import HUB, Token

EntityKind = Literal[
    "term", "word", "han", "number", "quantity", "quoted", "data", "artefact", "version", "model_file", "program",
    "command", "image", "date", "clock", "enum", "punct", "region", "zone", "instance", "checkpoint",
]  # fmt: skip

_REGION: Final = Pattern(
    r"^(?:us|eu|ap|sa|ca|me|af|cn|il|mx)(?:-gov)?-(?:north|south|east|west|central|northeast|southeast|northwest|southwest)-?\d$"
    r"|^cn-[a-z]{4,}(?:-\d)?$"
)
_ZONE: Final = Pattern(r"^(?:us|eu|ap|sa|ca|me|af|cn|il|mx)(?:-gov)?-[a-z]+-?\d-?[a-f]$")
_GCP: Final = Pattern(
    r"^(?:us|europe|asia|australia|northamerica|southamerica)-(?:north|south|east|west|central|northeast|southeast)\d$"
)
_INSTANCE: Final = Pattern(
    r"^(?:ml\.)?[a-z]{1,3}\d[a-z0-9]*(?:-[a-z0-9]+)?\.(?:\d*x?large|medium|small|micro|nano|metal)$|^[a-z]\d[a-z]?-(?:standard|highmem|highcpu|highgpu|megagpu|ultragpu)-\w+$"
)
_CHECKPOINT: Final = Pattern(
    r"^(?:[\w-]+/)?(?:chinese-|multilingual-|legal-|clinical-|german-|japanese-)?(?:(?:distil|ro|de|al|mini|mobile|camem|xlm-ro|fin|sci|bio|tiny)?bert(?:a)?(?:[-_].*|$)|xlm-|electra|gpt-?[2j]|gpt-neo|llama|meta-llama|mistral|mixtral|qwen|phi-?\d|gemma|"
    r"t5(?:-|$)|flan-|bart-|resnet-?\d|vit(?:-|$)|efficientnet|mobilenet|convnext|densenet|vgg-?\d|yolo|clip-|whisper|wav2vec|falcon-|bloom|opt-\d|pythia|"
    r"codellama|deepseek|tinyllama|starcoder|all-minilm|unet|swin|deit|ernie|chatglm|baichuan|internlm|deberta|bge-|e5-|distilgpt2|smollm|stablelm|olmo|yi-\d|hubert|layoutlm|segformer|detr|inception)[\w./-]*$",
    re.IGNORECASE,
)  # fmt: skip
_MARKS: Final = frozenset(",.;:!?()[]-/。、…")
_NO_READINGS: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """One meaningful thing in the goal, with where it stands in the normalised text.

    `number` is in the canonical unit of `dim` (ratio, s, USD, GB, ...); `raw` is the figure as written.
    """

    kind: EntityKind
    text: str
    start: int
    end: int
    readings: Mapping[str, str] = field(default_factory=dict)
    number: float | None = None
    raw: float | None = None
    dim: str = ""
    exact: bool = True
    """False for a number that is a mere word (`one`), which may be a pronoun."""
    quoted: bool = False

    def means(self, kind: str, *values: str) -> bool:
        """Whether one reading is of that kind (and one of the values)."""
        value = self.readings.get(kind)
        return value is not None and (not values or value in values)


def entities(tokens: list[Token]) -> list[Entity]:
    """Entities of a scanned text, in order; quantities are not yet put together."""
    words = lexicon()
    found: list[Entity] = []
    at = 0
    while at < len(tokens):
        size, readings = _longest(words, tokens, at)
        if size:
            first, last = tokens[at], tokens[at + size - 1]
            number = first.number if size == 1 else None
            mark = size == 1 and first.text in _MARKS
            text = _spelled(tokens[at : at + size])
            kind: EntityKind = "punct" if mark else "term"
            found.append(
                Entity(
                    kind=kind, text=text, start=first.start, end=last.end, readings=readings, number=number, raw=number
                )
            )
            at += size
            continue
        found.extend(_plain(tokens[at], words))
        at += 1
    return _runs(_particles(found, words))


def _spelled(tokens: list[Token]) -> str:
    text = ""
    for n, token in enumerate(tokens):
        text += (" " if n and token.start > tokens[n - 1].end else "") + token.text
    return text


def _longest(words: Lexicon, tokens: list[Token], at: int) -> tuple[int, Mapping[str, str]]:
    """How many tokens the longest phrase at this place covers. A phrase never ends inside a hyphenated word."""
    if not tokens[at].pieces or (tokens[at].kind == "number" and tokens[at].number is None):
        return 0, _NO_READINGS
    for phrase in words.starting(tokens[at].pieces[0]):
        need, size = list(phrase.pieces), 0
        while need and at + size < len(tokens):
            if size and _apart(tokens[at + size - 1], tokens[at + size]):
                break
            have = tokens[at + size].pieces
            if not have or list(have) != need[: len(have)]:
                break
            need, size = need[len(have) :], size + 1
        if not need and size:
            return size, phrase.readings
    return 0, _NO_READINGS


def _apart(left: Token, right: Token) -> bool:
    """A blank between Chinese characters parts them: `标签 是否流失` is not `标签是`."""
    return left.kind == right.kind == "han" and left.end != right.start


def _plain(token: Token, words: Lexicon) -> list[Entity]:
    """A token the lexicon does not know. `five-minute` is a number and a unit."""
    if token.kind == "word" and len(token.pieces) > 1 and "-" in token.text:
        first = words.starting(token.pieces[0])
        if any(len(p.pieces) == 1 and "numword" in p.readings for p in first):
            return _split_word(token, words)
    return [_named(token)]


def _split_word(token: Token, words: Lexicon) -> list[Entity]:
    found: list[Entity] = []
    at = token.start
    for piece in token.text.split("-"):
        single = [p for p in words.starting(piece.lower()) if len(p.pieces) == 1]
        readings = single[0].readings if single else _NO_READINGS
        found.append(
            Entity(kind="term" if single else "word", text=piece, start=at, end=at + len(piece), readings=readings)
        )
        at += len(piece) + 1
    return found


def _named(token: Token) -> Entity:
    kind: EntityKind = token.kind
    if token.kind == "word":
        low = token.text.lower()
        if _ZONE.match(low):
            kind = "zone"
        elif _REGION.match(low) or _GCP.match(low):
            kind = "region"
        elif _INSTANCE.match(low):
            kind = "instance"
        elif (_CHECKPOINT.match(low) or HUB.match(low)) and (len(low) > 3 or low == "vit"):
            kind = "checkpoint"
    elif token.kind == "quoted" and (_CHECKPOINT.match(token.text) or HUB.match(token.text)):
        kind = "checkpoint"
    return Entity(
        kind=kind, text=token.text, start=token.start, end=token.end, number=token.number, raw=token.number,
        quoted=token.quoted,
    )  # fmt: skip


def _runs(found: list[Entity]) -> list[Entity]:
    """Neighbouring Han characters that mean nothing to the lexicon are one run."""
    joined: list[Entity] = []
    for entity in found:
        last = joined[-1] if joined else None
        touching = last is not None and entity.kind == last.kind == "han" and last.end == entity.start
        apart = {entity.text, last.text[-1]} & {*_NUMERALS, "把", "将"} if last is not None else set()
        if last is not None and touching and not apart:
            joined[-1] = Entity(kind="han", text=last.text + entity.text, start=last.start, end=entity.end)
            continue
        joined.append(entity)
    return joined


_NUMERALS: Final = "零〇一二两三四五六七八九十百千万亿半成"


def _particles(found: list[Entity], words: Lexicon) -> list[Entity]:
    """`roll the service back`: the verb learns its meaning from a particle behind its object."""
    result = list(found)
    for n, entity in enumerate(found):
        for particle, act in words.splits.get(entity.text.lower(), ()):
            if act == "diagnose" and n and found[n - 1].kind != "punct":
                continue
            if act == "estimate" and n and found[n - 1].text.lower() in ("of", "than"):
                continue  # `half of what the current one cost`
            if "act" not in entity.readings and _follows(found, n, particle):
                readings = {**entity.readings, "act": act}
                result[n] = Entity(kind="term", text=entity.text, start=entity.start, end=entity.end, readings=readings)
                break
    return result


def _follows(found: list[Entity], at: int, particle: tuple[str, ...]) -> bool:
    for n, entity in enumerate(found[at + 2 : at + 11], start=at + 2):
        if entity.kind == "punct" and entity.text in ".;!?。,":
            return False
        words = " ".join(e.text.lower() for e in found[n : n + len(particle)]).split()
        if words[: len(particle)] == list(particle):
            return True
    return False
