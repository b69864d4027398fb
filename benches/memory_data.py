"""What the benchmark of memory searches in: vectors made by chance, and real texts with a real model.

The texts are fetched for the run and kept in the build folder, never in the source: the definitions of the
Open English WordNet (CC BY 4.0), and the Cranfield collection, 1,400 abstracts on aeronautics with 225 questions of
engineers and their judgements of what answers them. KEPLER_WORDNET and KEPLER_CRANFIELD name folders that hold the same
files. What is not to be had is left out.
"""

from __future__ import annotations

import os
import re
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

Vectors = NDArray[np.float32]

RAW = "https://raw.githubusercontent.com"
WORDNET = f"{RAW}/globalwordnet/english-wordnet/2024-edition/src/yaml"
CRANFIELD = f"{RAW}/oussbenk/cranfield-trec-dataset/main"
WORDNET_FILES = [
    *(
        f"noun.{name}.yaml"
        for name in (
            "Tops act animal artifact attribute body cognition communication event feeling food group location motive"
            " object person phenomenon plant possession process quantity relation shape state substance time"
        ).split()
    ),
    *(
        f"verb.{name}.yaml"
        for name in (
            "body change cognition communication competition consumption contact creation emotion motion perception"
            " possession social stative weather"
        ).split()
    ),
    *("adj.all.yaml", "adj.pert.yaml", "adj.ppl.yaml", "adv.all.yaml"),
]
CRANFIELD_FILES = ["cran.all.1400.xml", "cran.qry.xml", "cranqrel.trec.txt"]

# How far the points of a cluster lie around its centre, against the distance between centres.
SPREAD = 0.7
POINTS_A_CLUSTER = 100
SEED = 1


@dataclass
class Corpus:
    """What is searched, and what for."""

    name: str
    vectors: Vectors
    queries: Vectors
    texts: list[str] | None = None


@dataclass
class Questions:
    """Documents, questions, and which documents answer them, by their places."""

    documents: list[str]
    questions: list[str]
    answers: dict[int, set[int]] = field(default_factory=dict)


def normalised(vectors: Vectors) -> Vectors:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def mixture(rows: int, dimensions: int, queries: int) -> Corpus:
    """Points around centres, as embeddings lie; the queries are drawn from the same."""
    chance = np.random.default_rng(SEED)
    centres = chance.standard_normal((max(rows // POINTS_A_CLUSTER, 1), dimensions), dtype=np.float32)
    drawn = np.empty((rows + queries, dimensions), dtype=np.float32)
    for first in range(0, len(drawn), 10_000):
        part = drawn[first : first + 10_000]
        part[:] = centres[chance.integers(len(centres), size=len(part))]
        part += SPREAD * chance.standard_normal(part.shape, dtype=np.float32)
        part[:] = normalised(part)
    return Corpus(f"Gaussian mixture, {dimensions:,} dimensions", drawn[:rows], drawn[rows:])


def files(variable: str, address: str, names: list[str], say: Callable[[str], None]) -> list[str] | None:
    """The texts of files: from the folder that the environment names, those kept before, or the network."""
    if named := os.environ.get(variable):
        folder = Path(named)
    else:
        folder = Path(os.environ["KEPLER_BUILD"]) / "bench-data" / variable.removeprefix("KEPLER_").lower()
    texts = []
    try:
        for name in names:
            path = folder / name
            if not named and not path.exists():
                folder.mkdir(parents=True, exist_ok=True)
                with urllib.request.urlopen(f"{address}/{name}", timeout=30) as answer:
                    path.write_bytes(answer.read())
            texts.append(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        say(f"the texts of {variable} are not to be had ({error}): what needs them is left out")
        return None
    return texts


def wordnet(say: Callable[[str], None]) -> tuple[list[str], list[str]] | None:
    """Definitions with the words that they define, and sentences that use those words."""
    sources = files("KEPLER_WORDNET", WORDNET, WORDNET_FILES, say)
    if sources is None:
        return None
    definitions: list[str] = []
    examples: list[str] = []
    for source in sources:
        for entry in re.split(r"^(?=\S+:$)", source, flags=re.MULTILINE):
            members = ", ".join(listed(entry, "members"))
            for definition in listed(entry, "definition")[:1]:
                definitions.append(f"{members}: {definition}" if members else definition)
            examples += listed(entry, "example")[:1]
    return definitions, examples


def listed(entry: str, key: str) -> list[str]:
    """The texts in a list of YAML, as these files write it."""
    if not (found := re.search(rf"^  {key}:\n((?:  (?:-|  ).*\n)+)", entry, flags=re.MULTILINE)):
        return []
    items = re.findall(r"^  - (.*(?:\n    .*)*)", found[1], flags=re.MULTILINE)
    plain = (re.sub(r"\s+", " ", item).strip() for item in items)
    return [
        item[1:-1].replace("''", "'").replace('\\"', '"') if item[:1] in "'\"" else item
        for item in plain
        # Some examples are mappings with a source.
        if item and not item.startswith("source:") and not item.startswith("text:")
    ]


def cranfield(say: Callable[[str], None]) -> Questions | None:
    sources = files("KEPLER_CRANFIELD", CRANFIELD, CRANFIELD_FILES, say)
    if sources is None:
        return None
    documents, topics, judgements = sources

    def inner(element: str, tag: str) -> str:
        found = re.search(rf"<{tag}>(.*?)</{tag}>", element, flags=re.DOTALL)
        return re.sub(r"\s+", " ", found[1]).strip() if found else ""

    docs = re.findall(r"<doc>(.*?)</doc>", documents, flags=re.DOTALL)
    # The text begins with the title.
    questions = Questions(
        [inner(doc, "text") or inner(doc, "title") or "(empty)" for doc in docs],
        [inner(topic, "title") for topic in re.findall(r"<top>(.*?)</top>", topics, flags=re.DOTALL)],
    )
    places = {int(inner(doc, "docno")): at for at, doc in enumerate(docs)}
    for line in judgements.splitlines():
        # Judgements count the questions from 1, whatever their own numbers are.
        question, _, document, relevance = line.split()
        if int(relevance) > 0 and int(document) in places:
            questions.answers.setdefault(int(question) - 1, set()).add(places[int(document)])
    return questions


class Model:
    """The static model in the package wordllama: the mean of a text's token vectors."""

    def __init__(self) -> None:
        # Found and not imported: its own loader wants more packages, and the network.
        found = find_spec("wordllama")
        if found is None or not found.submodule_search_locations:
            raise OSError("the package wordllama is not there: tools/prepare.sh bench fetches it")
        folder = Path(found.submodule_search_locations[0])
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        weights = load_file(folder / "weights" / "l2_supercat_256.safetensors")
        self.tokens = weights["embedding.weight"].astype(np.float32)

    @property
    def dimensions(self) -> int:
        return int(self.tokens.shape[1])

    def tokenised(self, texts: list[str]) -> Iterator[list[int]]:
        for first in range(0, len(texts), 1000):
            for encoded in self.tokenizer.encode_batch(texts[first : first + 1000], add_special_tokens=False):
                yield encoded.ids

    def embed(self, texts: list[str]) -> Vectors:
        vectors = [self.tokens[ids].mean(axis=0) if ids else self.tokens[0] for ids in self.tokenised(texts)]
        return normalised(np.stack(vectors))


def copied(path: Path, vectors: Vectors) -> None:
    """A file for COPY (FORMAT binary) into (n integer, embedding vector)."""
    rows, dimensions = vectors.shape
    row = np.dtype([
        ("fields", ">i2"), ("n_length", ">i4"), ("n", ">i4"), ("length", ">i4"), ("dimensions", ">i2"), ("unused", ">i2"),
        ("values", ">f4", (dimensions,)),
    ])  # fmt: skip
    with path.open("wb") as file:
        file.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
        for first in range(0, rows, 10_000):
            part = vectors[first : first + 10_000]
            out = np.zeros(len(part), dtype=row)
            out["fields"], out["n_length"], out["length"], out["dimensions"] = 2, 4, 4 + 4 * dimensions, dimensions
            out["n"] = np.arange(first, first + len(part))
            out["values"] = part
            file.write(out.tobytes())
        file.write(b"\xff\xff")
