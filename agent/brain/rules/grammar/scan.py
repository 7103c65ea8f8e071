"""From a goal's text to tokens: quotations, places, names of versions, dates, numbers, words, Han characters.

It decides what is one thing and must not be taken apart; it knows no meaning.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, Literal

from agent.brain.rules.grammar.lexicon import lexicon, pieces
from agent.brain.rules.grammar.patterns import Pattern

Kind = Literal[
    "quoted", "data", "artefact", "version", "model_file", "program", "command", "image", "date", "clock", "enum",
    "number", "word", "han", "punct",
]  # fmt: skip

_DATA: Final = r"(?:csv|tsv|parquet|pq|jsonl|ndjson|json|txt|xlsx|feather|arrow|orc|avro|npz|npy|h5|zip|tgz)(?:\.gz)?"
_MODEL: Final = r"(?:onnx|pkl|pickle|joblib|skops|pt|pth|safetensors|ckpt|keras|gguf|bin)"
_HAN: Final = "\u3007\u3400-\u9fff"
_END: Final = r"(?![A-Za-z0-9_])"
_FRESH: Final = r"(?<![A-Za-z0-9_])"
_START: Final = r"(?<![\w/.])"
_FOLDERS: Final = r"(?:~/|\.{1,2}/|/)?(?:[A-Za-z0-9_.-]+/)*[A-Za-z0-9_]"
_STEP: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
_SCHEMES: Final = "s3|gs|gcs|https?|hdfs|abfss?|wasbs?|file|az|ftp|r2|oss|cos|models|runs|dbfs"
_IN_URI: Final = rf"[^\s,;\"'`<>(){_HAN}，。；、）]*[^\s,;\"'`<>(){_HAN}，。；、）.:!?]"
_CIRCLED: Final = {ord("①") + n: f"({n + 1})" for n in range(9)}

_NAMES: Final = rf"""
  (?P<quoted>`[^`\n]+`|"[^"\n]{{1,200}}"|“[^”\n]{{1,200}}”|「[^」\n]+」|『[^』\n]+』|‘[^’\n]{{1,80}}’
    |(?<![\w'])'[^'\n]{{1,80}}'(?!\w))
| (?P<uri>{_FRESH}(?:{_SCHEMES}):/{{1,3}}{_IN_URI}|{_FRESH}(?:sklearn|hf|openml|kaggle):[\w./-]*\w)
| (?P<program>(?:\.{{0,2}}/)?[A-Za-z0-9_][\w./-]*\.(?:py|sh|ipynb|R){_END})
| (?P<file>{_FOLDERS}[A-Za-z0-9_.*-]*\.{_DATA}{_END})
| (?P<model_file>{_FOLDERS}[A-Za-z0-9_.-]*\.{_MODEL}{_END})
| (?P<hanfile>(?<![\w])[\w-]{{1,24}}\.{_DATA}{_END})
| (?P<image>{_FRESH}[a-z0-9][\w.-]*(?:\.[a-z]+|:\d+)/[\w./-]+:[\w.-]*\w)
| (?P<folder>{_START}(?:\.{{1,2}}/|~/|/)(?=[A-Za-z_]){_STEP}(?:/{_STEP})*/?
    |{_START}\.{{1,2}}/[{_HAN}A-Za-z0-9_/-]+(?=[\s,;。)]|$)
    |{_START}[A-Za-z_][A-Za-z0-9_-]*(?:/[A-Za-z0-9_-]+)*/(?![\w/]))
| (?P<hanartefact>(?<!\w)[{_HAN}]{{1,12}}[:@][vV]\d[A-Za-z0-9_.]*(?<!\.))
| (?P<artefact>{_FRESH}[A-Za-z][A-Za-z0-9_-]*(?:[./][A-Za-z0-9_-]+)*[:@]
    (?:[vV]\d[A-Za-z0-9_.]*[A-Za-z0-9_]|[vV]\d|latest|champion|production|prod|staging){_END})
"""
_MONTH: Final = (
    r"(?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_FIGURES: Final = rf"""
| (?P<date>\b\d{{1,2}}(?:st|nd|rd|th)?\s(?:of\s)?{_MONTH}\.?,?\s(?:19|20)\d\d\b
    |\b{_MONTH}\.?\s(?:\d{{1,2}}(?:st|nd|rd|th)?,?\s)?(?:19|20)\d\d\b
    |{_FRESH}\d{{4}}[-/]\d{{1,2}}[-/]\d{{1,2}}(?!\d)
    |\d{{4}}\s?年\s?\d{{1,2}}\s?月(?:\s?\d{{1,2}}\s?[日号])?|\d{{1,2}}\s?月\s?\d{{1,2}}\s?[日号])
| (?P<clock>{_FRESH}(?:[01]?\d|2[0-4]):[0-5]\d(?:\s?[apAP]\.?[mM]\b\.?)?(?!\d)
    |{_FRESH}(?:1[0-2]|0?[1-9])\s?[apAP]\.?[mM]{_END})
| (?P<enum>\((?:[a-hA-H]|[1-9]|i{{1,3}}|iv|[一二三四])\)|第[一二三四](?:[,、:]|个(?:任务|模型)?[:,是])
    |(?:(?<![^\n])|(?<=[:;,.。!?])|(?<=[:;,.!?]\s))(?:[1-9][.)](?!\d)|[一二三四]、|[a-h]\))(?=\s|[A-Za-z{_HAN}]))
| (?P<version>{_FRESH}[vV]\d+(?:\.\d+)*{_END})
| (?P<number>\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?(?!\d)|\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|\.\d+)(?P<kilo>[kK](?![A-Za-z0-9]))?
| (?P<unit>(?<=\d)(?:ms|min|hr|[smhdw])(?=\d))
| (?P<word>[^\W\d{_HAN}](?:[^\W{_HAN}]*)(?:'[a-z]+)?(?:[-./][^\W{_HAN}]+)*)
| (?P<han>[{_HAN}])
| (?P<punct>[^\s\w])
"""
_TOKEN: Final = Pattern(_NAMES + _FIGURES, re.VERBOSE)
_LARGEST: Final = 1e15
_PLACE: Final = Pattern(
    rf"^(?:(?:s3|gs|gcs|https?|hdfs|abfss?|file|az|sklearn|hf):\S+|[^\s=<>]+\.{_DATA}|(?:\.{{1,2}}|~)?/\S+)$"
)
_ARTEFACT: Final = Pattern(r"^[\w./-]+[:@][vV]?\d[\w.]*$")
_COMMAND: Final = Pattern(
    r"^(?:python[\d.]*|bash|sh|make|torchrun|accelerate|uv|node|Rscript|julia|deepspeed|mpirun|npm|poetry|\./)\b.*|.*\.(?:py|sh)\b.*",
    re.S,
)
_MODEL_URI: Final = Pattern(rf"^(?:models|runs):|\.{_MODEL}$")


HUB: Final = Pattern(
    r"^[\w.-]+/[\w.-]*(?:bert|electra|ernie|gpt|llama|mistral|mixtral|qwen|gemma|phi|falcon|bloom|t5|bart|resnet|vit|swin|deit|"
    r"convnext|efficientnet|whisper|wav2vec|macbert|glm|baichuan|deepseek|yolo|clip|bge|e5|minilm|pegasus|pythia|opt)[\w.-]*$",
    re.IGNORECASE,
)
"""A checkpoint of the hub with its organisation: one name, not two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One indivisible stretch of the goal. `text` is what it names, without quotation marks."""

    kind: Kind
    text: str
    start: int
    end: int
    pieces: tuple[str, ...] = ()
    number: float | None = None
    quoted: bool = False


_DECIMAL_COMMA: Final = Pattern(r"(?<![\w.,])(0),(\d{1,4})(?![\d.,]*\d)")
"""`0,95`: no list and no thousands begin with a lone zero."""


_FENCED: Final = Pattern(r"^[ \t]*```.*?(?:^[ \t]*```[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_PRINTED: Final = Pattern(
    r"^\s*\[?(?:\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d|(?:WARN(?:ING)?|INFO|ERROR|DEBUG|FATAL|TRACE|Traceback)\b)",
    re.MULTILINE,
)
_SHOWN: Final = Pattern(
    r"\b(?:logs?|output|trace|messages?|comments?|wrote|said|says|e-?mail|errors?|printed|ticket)\b"
    r"|日志|输出|报错|留言|评论|邮件|消息|写道|原话",
    re.IGNORECASE,
)
_CITED: Final = Pattern(
    r"^[ \t]*(?:>+[ \t]*(?=[^\d\s=>.])|(?:system|assistant|admin|root)[ \t]*:).*$", re.MULTILINE | re.IGNORECASE
)


def normalise(text: str) -> str:
    """Full-width forms become ASCII, apostrophes straight, circled numbers `(1)`; cited lines (`> …`) fall silent."""
    plain = _normal(text)
    plain = _FENCED.sub(lambda block: _quiet(block.group()) if _is_log(plain, block) else block.group(), plain)
    return _CITED.sub(lambda cited: _quiet(cited.group()), plain)


def _quiet(text: str) -> str:
    """Blanks in place of a text; its lines stay, so that every place keeps its number."""
    return "".join("\n" if c == "\n" else " " for c in text)


def _is_log(text: str, block: re.Match[str]) -> bool:
    """A block of what a program printed or somebody else wrote, not one of commands or of the goal itself."""
    lead = text[: block.start()].rstrip().rpartition("\n")[2]
    return bool(_PRINTED.search(block.group()) or _SHOWN.search(lead))


def _normal(text: str) -> str:
    plain = text.translate(_CIRCLED)
    plain = "".join(c if c in "…" else unicodedata.normalize("NFKC", c) for c in plain)
    plain = re.sub(r"(?<=\d)\.{2,3}(?=\d)", "-", _DECIMAL_COMMA.sub(r"\1.\2", plain))
    return plain.replace("’", "'").replace("′", "'").replace("—", ",").replace("–", "-").replace("−", "-")


def scan(text: str) -> list[Token]:
    """Tokens of a normalised text, in order."""
    tokens: list[Token] = []
    for match in _TOKEN.finditer(text):
        tokens.extend(_token(match))
    marks = [t for t in tokens if t.kind == "enum"]
    if [_rank(t.text) for t in marks] == list(range(1, len(marks) + 1)) and len(marks) > 1:
        return tokens
    return [inner for t in tokens for inner in (_taken_apart(t) if t.kind == "enum" else (t,))]


def _rank(mark: str) -> int:
    """1 for `(a)`, `1.`, `一、`, `第一,`; 2 for the next."""
    core = re.sub(r"[()第,、:.个是任务模型]", "", mark).lower()
    for series in ("abcdefgh", "123456789", "一二三四"):
        if len(core) == 1 and core in series:
            return series.index(core) + 1
    return {"i": 1, "ii": 2, "iii": 3, "iv": 4}.get(core, 0)


def _taken_apart(token: Token) -> list[Token]:
    """A lone `(1)` or `6.` is no enumeration: its characters stand for themselves."""
    found: list[Token] = []
    for n, char in enumerate(token.text):
        at = token.start + n
        number = float(char) if char in "123456789" else None
        kind: Kind = (
            "number"
            if number
            else "word"
            if char.isascii() and char.isalpha()
            else "han"
            if char.isalpha()
            else "punct"
        )
        found.append(Token(kind=kind, text=char, start=at, end=at + 1, pieces=(char.lower(),), number=number))
    return found


def _token(match: re.Match[str]) -> list[Token]:
    group = match.lastgroup or "punct"
    raw, start, end = match.group(), match.start(), match.end()
    if group == "quoted":
        return [_quoted(raw, start, end)] if raw[1:-1].strip() else []
    if group in ("number", "kilo"):
        value = float(match.group("number").replace(",", "")) * (1000 if match.group("kilo") else 1)
        if value > _LARGEST:
            return [Token(kind="word", text=raw, start=start, end=end, pieces=(raw,))]
        return [Token(kind="number", text=raw, start=start, end=end, pieces=(raw,), number=value)]
    if group in ("hanfile", "hanartefact"):
        return _han_name(raw, start, end, "data" if group == "hanfile" else "artefact")
    if group in ("word", "unit"):
        return _word(raw, start, end)
    if group in ("uri", "file", "folder"):
        return [Token(kind="model_file" if _MODEL_URI.search(raw) else "data", text=raw, start=start, end=end)]
    kinds: dict[str, Kind] = {
        "program": "program", "model_file": "model_file", "image": "image", "artefact": "artefact", "date": "date",
        "clock": "clock", "enum": "enum", "version": "version", "han": "han",
    }  # fmt: skip
    kind = kinds.get(group, "punct")
    return [
        Token(
            kind=kind,
            text=raw,
            start=start,
            end=end,
            pieces=(raw.lower(),) if kind in ("han", "punct", "version") else (),
        )
    ]


def _quoted(raw: str, start: int, end: int) -> Token:
    inner = raw[1:-1].strip()
    kind: Kind = "quoted"
    if _PLACE.match(inner) or (re.fullmatch(rf"[^=<>]+\.{_DATA}", inner) and not _COMMAND.match(inner)):
        kind = "data"
    elif _COMMAND.match(inner) and not _ARTEFACT.match(inner):
        kind = "command" if " " in inner or inner.startswith("./") else "program"
    elif re.search(rf"\.{_MODEL}$", inner):
        kind = "model_file"
    elif _ARTEFACT.match(inner):
        kind = "artefact"
    return Token(kind=kind, text=inner, start=start, end=end, quoted=True)


_LEADS: Final = (
    "部署", "上线", "发布", "回滚", "评估", "比较", "对比", "监控", "测试", "数据", "文件", "基于", "使用", "利用",
    "读取", "根据",
    "训练", "用", "在", "对", "把", "将", "从", "是", "和", "与", "给", "拿",
)  # fmt: skip


def _han_name(raw: str, start: int, end: int, kind: Kind) -> list[Token]:
    """`用客户.csv` is a word and a file: characters that introduce a name are not part of it, `用户.csv` is one."""
    cut = 0
    latin = re.search(rf"(?<=[{_HAN}])[A-Za-z0-9_-]+[.:@]", raw)
    compounds = lexicon().words["compounds"]
    if latin:
        cut = latin.start()
    else:
        while (lead := next((w for w in _LEADS if raw.startswith(w, cut)), None)) is not None:
            if raw[cut : cut + 2] in compounds or raw[cut + len(lead)] in ".:@":
                break
            cut += len(lead)
    words = [
        Token(kind="han", text=c, start=start + n, end=start + n + 1, pieces=(c,)) for n, c in enumerate(raw[:cut])
    ]
    return [*words, Token(kind=kind, text=raw[cut:], start=start + cut, end=end)]


def _spoken(raw: str) -> str:
    """`endpoint's` is said of an endpoint; `what's` and `let's` are words of their own."""
    return raw if raw.lower() in ("what's", "let's", "it's", "that's", "who's") else raw.removesuffix("'s")


def _word(raw: str, start: int, end: int) -> list[Token]:
    """`blue/green` and `and/or` are words with a mark between them."""
    if "/" in raw and not HUB.match(raw):
        found: list[Token] = []
        at = start
        for part in re.split(r"(/)", raw):
            kind: Kind = "punct" if part == "/" else "word"
            if part[:1].isdigit():
                kind = "number"
            number = float(part) if kind == "number" and re.fullmatch(r"\d+(?:\.\d+)?", part) else None
            found.append(Token(kind=kind, text=part, start=at, end=at + len(part), pieces=pieces(part), number=number))
            at += len(part)
        return found
    name = raw.removesuffix("'s")
    return [Token(kind="word", text=name, start=start, end=end, pieces=pieces(re.sub(r"[-.]", " ", _spoken(raw))))]
