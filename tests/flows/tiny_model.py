"""A language model small enough to make while a test runs: a GGUF file of random weights, with bytes for words.

The format is GGUF version 3: a header, typed metadata, where each tensor lies, then the tensors, each aligned to 32
bytes. The model is of the `llama` architecture; what it says is nonsense, and the same for the same seed.
"""

from __future__ import annotations

import random
import struct
from array import array
from collections.abc import Sequence
from pathlib import Path

ALIGNED = 32
WIDTH, HIDDEN, HEADS, LAYERS = 32, 64, 4, 2
CONTEXT = 16_384
UNKNOWN, BEGIN, END = range(3)
_NORMAL, _UNK, _CONTROL, _BYTE = 1, 2, 3, 6
"""Kinds of tokens."""
_UINT32, _INT32, _FLOAT32, _STRING, _ARRAY = 4, 5, 6, 8, 9
"""Types of metadata values."""
_TEMPLATE = "{% for m in messages %}{{ m['content'] }}\n{% endfor %}"

Tensor = tuple[str, tuple[int, ...]]
"""(name, lengths of its dimensions, the innermost first)."""


def write(path: Path, *, seed: int = 0) -> Path:
    """The model's file."""
    tensors = _tensors(len(_words()))
    metadata = _metadata()
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata)) + b"".join(metadata)
    places, offset = b"", 0
    for name, shape in tensors:
        places += _string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, offset)
        offset += _padded(4 * _count(shape))
    chance = random.Random(seed)
    with path.open("wb") as file:
        file.write((head + places).ljust(_padded(len(head + places)), b"\0"))
        for name, shape in tensors:
            data = _weights(name, _count(shape), chance)
            file.write(data.ljust(_padded(len(data)), b"\0"))
    return path


def _tensors(words: int) -> list[Tensor]:
    square, up, down, norm = (WIDTH, WIDTH), (WIDTH, HIDDEN), (HIDDEN, WIDTH), (WIDTH,)
    of_layer = {
        "attn_norm": norm,
        "attn_q": square,
        "attn_k": square,
        "attn_v": square,
        "attn_output": square,
        "ffn_norm": norm,
        "ffn_gate": up,
        "ffn_up": up,
        "ffn_down": down,
    }
    layers = [(f"blk.{n}.{name}.weight", shape) for n in range(LAYERS) for name, shape in of_layer.items()]
    ends: list[Tensor] = [("output_norm.weight", norm), ("output.weight", (WIDTH, words))]
    return [("token_embd.weight", (WIDTH, words)), *layers, *ends]


def _weights(name: str, count: int, chance: random.Random) -> bytes:
    """Norms are ones; the rest is drawn wide enough that the model has something to say. It never says half a letter:
    bytes are words that it only reads."""
    if "norm" in name:
        return array("f", [1.0] * count).tobytes()
    drawn = array("f", [chance.gauss(0.0, 0.5) for _ in range(count)])
    if name == "output.weight":
        read_only = slice((END + 1) * WIDTH, (END + 1 + 256) * WIDTH)
        drawn[read_only] = array("f", [0.0] * (256 * WIDTH))
    return drawn.tobytes()


def _words() -> list[tuple[str, int]]:
    """(piece, kind): three that mean something to the server, every byte, and printable letters."""
    control = [("<unk>", _UNK), ("<s>", _CONTROL), ("</s>", _CONTROL)]
    single = [(f"<0x{byte:02X}>", _BYTE) for byte in range(256)]
    letters = [(chr(code), _NORMAL) for code in range(33, 127)]
    return [*control, *single, ("\u2581", _NORMAL), *letters]


def _metadata() -> list[bytes]:
    words = _words()
    sizes = {
        "block_count": LAYERS,
        "context_length": CONTEXT,
        "embedding_length": WIDTH,
        "feed_forward_length": HIDDEN,
        "attention.head_count": HEADS,
        "attention.head_count_kv": HEADS,
        "rope.dimension_count": WIDTH // HEADS,
        "vocab_size": len(words),
    }
    return [
        _text("general.architecture", "llama"),
        _text("general.name", "tiny"),
        *(_whole(f"llama.{name}", value) for name, value in sizes.items()),
        _key("llama.attention.layer_norm_rms_epsilon", _FLOAT32) + struct.pack("<f", 1e-5),
        _text("tokenizer.ggml.model", "llama"),
        _array("tokenizer.ggml.tokens", _STRING, [_string(piece) for piece, _ in words]),
        _array("tokenizer.ggml.scores", _FLOAT32, [struct.pack("<f", 0.0)] * len(words)),
        _array("tokenizer.ggml.token_type", _INT32, [struct.pack("<i", kind) for _, kind in words]),
        _whole("tokenizer.ggml.unknown_token_id", UNKNOWN),
        _whole("tokenizer.ggml.bos_token_id", BEGIN),
        _whole("tokenizer.ggml.eos_token_id", END),
        _text("tokenizer.chat_template", _TEMPLATE),
    ]


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _key(name: str, kind: int) -> bytes:
    return _string(name) + struct.pack("<I", kind)


def _text(name: str, value: str) -> bytes:
    return _key(name, _STRING) + _string(value)


def _whole(name: str, value: int) -> bytes:
    return _key(name, _UINT32) + struct.pack("<I", value)


def _array(name: str, kind: int, items: Sequence[bytes]) -> bytes:
    return _key(name, _ARRAY) + struct.pack("<IQ", kind, len(items)) + b"".join(items)


def _count(shape: tuple[int, ...]) -> int:
    total = 1
    for length in shape:
        total *= length
    return total


def _padded(length: int) -> int:
    return -(-length // ALIGNED) * ALIGNED
