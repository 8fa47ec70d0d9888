"""A Whisper model of many languages, made on the spot: it hears the same in every sound.

Its weights make each token call for the next one: it takes all speech for
Spanish, hears "hola mundo" in it and translates that "hello world".
Files, loading, language detection and decoding are those of real models.
"""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import ctranslate2.specs
import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

_WIDTH, _MELS, _TEXTS, _ALL = 16, 80, 50257, 51865
#: Whisper's languages in its own order, as far as these tests name them.
_LANGUAGES = [
    "en",
    "zh",
    "de",
    "es",
    *(f"{a}{b}" for a in "xqyw" for b in "abcdefghijklmnopqrstuvwx"),
]
_SPECIAL = (
    "<|endoftext|>",
    "<|startoftranscript|>",
    *(f"<|{code}|>" for code in _LANGUAGES[:99]),
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
)
_WORDS = ("Ġhola", "Ġmundo", "Ġhello", "Ġworld")
_CHAINS = (
    ("<|startoftranscript|>", "<|es|>"),
    ("<|transcribe|>", "<|0.00|>", "Ġhola", "Ġmundo", "<|2.00|>", "<|endoftext|>"),
    ("<|translate|>", "<|0.02|>", "Ġhello", "Ġworld", "<|2.02|>", "<|endoftext|>"),
)
_LOOKS = {"Ġhola": 1, "Ġmundo": 2, "Ġhello": 1, "Ġworld": 2}


def make_model(folder: Path) -> Path:
    """Write the model into ``folder``."""
    folder.mkdir(parents=True)
    tokens = _tokens()
    _tokenizer(tokens).save(str(folder / "tokenizer.json"))
    spec = _spec(tokens)
    spec.register_vocabulary(tokens)
    spec.config.lang_ids = list(range(_TEXTS + 2, _TEXTS + 101))
    spec.config.alignment_heads = [[0, 0]]
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = []
    spec.validate()
    spec.save(str(folder))
    assert len(json.loads((folder / "vocabulary.json").read_text())) == _ALL
    return folder


def _tokens() -> list[str]:
    texts = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *_WORDS]
    texts += [f"filler{number}" for number in range(_TEXTS - len(texts) - 1)]
    # The empty text is what tells a model of many languages from one of English.
    texts.append("")
    times = [f"<|{place * 0.02:.2f}|>" for place in range(1501)]
    return [*texts, *_SPECIAL, *times]


def _tokenizer(tokens: list[str]) -> Tokenizer:
    texts = {token: place for place, token in enumerate(tokens[:_TEXTS])}
    made = Tokenizer(models.BPE(vocab=texts, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(token, special=True) for token in _SPECIAL])
    return made


def _spec(tokens: list[str]) -> Any:
    spec = ctranslate2.specs.WhisperSpec(1, 1, 1, 1)
    for conv, channels in ((spec.encoder.conv1, _MELS), (spec.encoder.conv2, _WIDTH)):
        conv.weight, conv.bias = _zeros(_WIDTH, channels, 3), _zeros(_WIDTH)
    spec.encoder.position_encodings.encodings = _half_seconds()
    spec.decoder.position_encodings.encodings = _zeros(448, _WIDTH)
    spec.decoder.embeddings.weight = _zeros(_ALL, _WIDTH)
    spec.decoder.projection.weight = _zeros(_ALL, _WIDTH)
    for half in (spec.encoder, spec.decoder):
        _norm(half.layer_norm)
        for layer in half.layer:
            _layer(layer)
    _chain(spec.decoder, {token: place for place, token in enumerate(tokens)})
    return spec


def _half_seconds() -> Any:
    """A direction for each of the first half seconds, of 25 frames, and one for the rest."""
    encodings = _zeros(1500, _WIDTH)
    for frame in range(1500):
        encodings[frame, min(frame // 25, _WIDTH - 1)] = 1.0
    return encodings


def _chain(decoder: Any, places: dict[str, int]) -> None:
    """Give each token that calls for another a direction of its own, and its follower that one.

    The tokens that words follow look at the half second of that word.
    """
    pairs = [pair for chain in _CHAINS for pair in pairwise(chain)]
    looking = decoder.layer[0].attention.linear[0].weight
    seen = decoder.layer[0].attention.linear[1].weight
    seen[:_WIDTH] = np.eye(_WIDTH)
    for direction, (token, follower) in enumerate(pairs):
        decoder.embeddings.weight[places[token], direction] = 1.0
        decoder.projection.weight[places[follower], direction] = 8.0
        looking[_LOOKS.get(token, 0), direction] = 1.0
    decoder.embeddings.weight[places["<|notimestamps|>"], len(pairs)] = 1.0
    looking[0, len(pairs)] = 1.0


def _layer(layer: Any) -> None:
    for attention in (layer.self_attention, getattr(layer, "attention", None)):
        if attention is None:
            continue
        _norm(attention.layer_norm)
        sizes = (3, 1) if attention is layer.self_attention else (1, 2, 1)
        for linear, times in zip(attention.linear, sizes, strict=True):
            linear.weight, linear.bias = _zeros(times * _WIDTH, _WIDTH), _zeros(times * _WIDTH)
    _norm(layer.ffn.layer_norm)
    for linear in (layer.ffn.linear_0, layer.ffn.linear_1):
        linear.weight, linear.bias = _zeros(_WIDTH, _WIDTH), _zeros(_WIDTH)


def _norm(norm: Any) -> None:
    norm.gamma, norm.beta = np.ones(_WIDTH, np.float32), _zeros(_WIDTH)


def _zeros(*shape: int) -> Any:
    return np.zeros(shape, np.float32)
