"""Embeddings without a network: the mean of a text's token vectors, from the package wordllama.

Replace this by the model that you use: a function from texts to vectors, and its name and dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

Vectors = NDArray[np.float32]

NAME = "wordllama l2_supercat_256"


class Model:
    """Loads the weights once, some 16 MB."""

    def __init__(self) -> None:
        # Found and not imported: its own loader wants more packages, and the network.
        found = find_spec("wordllama")
        if found is None or not found.submodule_search_locations:
            raise OSError("the package wordllama is not installed: pip install -r requirements.txt")
        folder = Path(found.submodule_search_locations[0])
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        weights = load_file(folder / "weights" / "l2_supercat_256.safetensors")
        self._tokens = weights["embedding.weight"].astype(np.float32)

    @property
    def dimensions(self) -> int:
        return int(self._tokens.shape[1])

    def tokenised(self, texts: Sequence[str]) -> Iterator[list[int]]:
        """The numbers of the tokens of each text."""
        for first in range(0, len(texts), 1000):
            for encoded in self._tokenizer.encode_batch(list(texts[first : first + 1000]), add_special_tokens=False):
                yield encoded.ids

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """A row of length 1 for each text; for a text without tokens, that of the first token."""
        means = np.stack([self._tokens[ids or [0]].mean(axis=0) for ids in self.tokenised(texts)])
        return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), dtype=np.float32)

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """The same as lists."""
        embeddings: list[list[float]] = self.vectors(texts).tolist()
        return embeddings
