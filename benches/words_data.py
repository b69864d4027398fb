"""Public sets of texts, questions and answers, as their authors give them. None of them is a part of this repository."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Collection:
    """Texts, and questions with the places of the texts that answer them."""

    name: str
    texts: list[str]
    questions: list[tuple[str, set[int]]]
    language: str = "english"


class Builder:
    """Texts under the ids of their authors; a question needs an answer among them."""

    def __init__(self, name: str, language: str = "english") -> None:
        self.collection = Collection(name, [], [], language)
        self.places: dict[str, int] = {}

    def text(self, key: str, text: str) -> None:
        text = " ".join(text.split())
        if text and key not in self.places:
            self.places[key] = len(self.collection.texts)
            self.collection.texts.append(text)

    def question(self, text: str, keys: set[str]) -> None:
        places = {self.places[key] for key in keys if key in self.places}
        if places:
            self.collection.questions.append((" ".join(text.split()), places))


def dialogue(folder: Path) -> Collection:
    """LoCoMo: the turns of ten long conversations; questions that can be answered."""
    built = Builder("dialogue")
    for sample in json.loads((folder / "locomo10.json").read_text()):
        conversation = sample["conversation"]
        for turns in conversation.values():
            if isinstance(turns, list):
                for turn in turns:
                    built.text(f"{sample['sample_id']} {turn['dia_id']}", f"{turn['speaker']}: {turn['text']}")
    for sample in json.loads((folder / "locomo10.json").read_text()):
        for asked in sample["qa"]:
            # The fifth category has no answer.
            if asked["category"] != 5:
                evidence = re.findall(r"D\d+:\d+", " ".join(asked.get("evidence", [])))
                built.question(asked["question"], {f"{sample['sample_id']} {turn}" for turn in evidence})
    return built.collection


def sessions(folder: Path) -> Collection:
    """The sessions of the same conversations as texts: some twenty turns each."""
    built = Builder("sessions")
    samples = json.loads((folder / "locomo10.json").read_text())
    for sample in samples:
        for name, turns in sample["conversation"].items():
            if isinstance(turns, list) and turns:
                key = turns[0]["dia_id"].partition(":")[0]
                built.text(f"{sample['sample_id']} {key}", "\n".join(f"{turn['speaker']}: {turn['text']}" for turn in turns))
    for sample in samples:
        for asked in sample["qa"]:
            if asked["category"] != 5:
                evidence = re.findall(r"(D\d+):\d+", " ".join(asked.get("evidence", [])))
                built.question(asked["question"], {f"{sample['sample_id']} {session}" for session in evidence})
    return built.collection


def records(text: str) -> list[tuple[str, dict[str, str]]]:
    """The records of a file in the format of SMART: `.I` begins one, `.X` a field."""
    found: list[tuple[str, dict[str, str]]] = []
    field = ""
    for line in text.splitlines():
        if mark := re.match(r"^\.([A-Z])\s*(\S*)\s*$", line):
            if mark[1] == "I":
                found.append((mark[2], {}))
            field = mark[1]
        elif found:
            found[-1][1][field] = found[-1][1].get(field, "") + " " + line
    return found


def cranfield(folder: Path) -> Collection:
    """Cranfield: abstracts of aerodynamics; a question counts by its place, not by its number."""
    built = Builder("Cranfield")
    for key, fields in records((folder / "cran.all.1400").read_text(errors="replace")):
        built.text(key, fields.get("W", ""))
    answers: dict[str, set[str]] = {}
    for line in (folder / "cranqrel").read_text().splitlines():
        question, document, grade = line.split()[:3]
        if 1 <= int(grade) <= 4:
            answers.setdefault(question, set()).add(document)
    for place, (_, fields) in enumerate(records((folder / "cran.qry").read_text()), 1):
        built.question(fields.get("W", ""), answers.get(str(place), set()))
    return built.collection


def cisi(folder: Path) -> Collection:
    """CISI: abstracts of library science, with questions of one sentence up to a page."""
    built = Builder("CISI")
    for key, fields in records((folder / "CISI.ALL").read_text(errors="replace")):
        built.text(key, fields.get("T", "") + " " + fields.get("W", ""))
    answers: dict[str, set[str]] = {}
    for line in (folder / "CISI.REL").read_text().splitlines():
        if len(parts := line.split()) >= 2:
            answers.setdefault(parts[0], set()).add(parts[1])
    for key, fields in records((folder / "CISI.QRY").read_text(errors="replace")):
        built.question(fields.get("T", "") + " " + fields.get("W", ""), answers.get(key, set()))
    return built.collection


def cacm(folder: Path) -> Collection:
    """CACM: titles of articles of a journal, half of them with an abstract; questions of a few sentences."""
    built = Builder("CACM")
    for key, fields in records((folder / "cacm.all").read_text(errors="replace")):
        built.text(key, fields.get("T", "") + " " + fields.get("W", ""))
    answers: dict[str, set[str]] = {}
    for line in (folder / "qrels.text").read_text().splitlines():
        question, document = line.split()[:2]
        answers.setdefault(str(int(question)), set()).add(str(int(document)))
    for key, fields in records((folder / "query.text").read_text(errors="replace")):
        built.question(fields.get("W", ""), answers.get(key, set()))
    return built.collection


def npl(folder: Path) -> Collection:
    """NPL: titles and short abstracts of electronics."""

    def parts(name: str) -> list[list[str]]:
        whole = (folder / name).read_text(errors="replace")
        return [part.split() for part in re.split(r"^\s*/\s*$", whole, flags=re.MULTILINE) if part.split()]

    built = Builder("NPL")
    for key, *words in parts("npl-doc-text"):
        built.text(key, " ".join(words))
    answers = {key: set(keys) for key, *keys in parts("npl-rlv-ass")}
    for key, *words in parts("npl-query-text"):
        built.question(" ".join(words).lower(), answers.get(key, set()))
    return built.collection


def sentences(folder: Path) -> Collection:
    """WikiQA: sentences of Wikipedia, and what people typed into a search engine."""
    built = Builder("WikiQA")
    answers: dict[str, tuple[str, set[str]]] = {}
    with (folder / "WikiQA-test.tsv").open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            built.text(row["SentenceID"], row["Sentence"])
            _, keys = answers.setdefault(row["QuestionID"], (row["Question"], set()))
            if row["Label"] == "1":
                keys.add(row["SentenceID"])
    for question, keys in answers.values():
        built.question(question, keys)
    return built.collection


def paragraphs(name: str, language: str, file: Path, every: int = 1) -> Collection:
    """Sets in the form of SQuAD: paragraphs of Wikipedia, and questions that were written to them, of which each so many counts."""
    built = Builder(name, language)
    asked: list[tuple[str, str]] = []
    for article in json.loads(file.read_text())["data"]:
        for paragraph in article["paragraphs"]:
            # JSQuAD puts the article's title before each paragraph.
            context = paragraph["context"].rpartition("[SEP]")[2]
            built.text(context, context)
            asked += [(each["question"], context) for each in paragraph["qas"]]
    for question, context in asked[::every]:
        built.question(question, {context})
    return built.collection


def english(folder: Path) -> Collection:
    return paragraphs("XQuAD", "english", folder / "xquad.en.json")


def german(folder: Path) -> Collection:
    return paragraphs("XQuAD, German", "german", folder / "xquad.de.json")


def thai(folder: Path) -> Collection:
    return paragraphs("XQuAD, Thai", "simple", folder / "xquad.th.json")


def japanese(folder: Path) -> Collection:
    return paragraphs("JSQuAD", "simple", folder / "valid-v1.3.json", every=4)


# Files, and the public repository of GitHub that has them.
COLLECTIONS: dict[Callable[[Path], Collection], tuple[str, ...]] = {
    dialogue: ("locomo10.json",),
    sessions: ("locomo10.json",),
    sentences: ("WikiQA-test.tsv",),
    npl: ("npl-doc-text", "npl-query-text", "npl-rlv-ass"),
    english: ("xquad.en.json",),
    cisi: ("CISI.ALL", "CISI.QRY", "CISI.REL"),
    cacm: ("cacm.all", "query.text", "qrels.text"),
    cranfield: ("cran.all.1400", "cran.qry", "cranqrel"),
    german: ("xquad.de.json",),
    thai: ("xquad.th.json",),
    japanese: ("valid-v1.3.json",),
}


def load(folder: Path) -> tuple[list[Collection], list[str]]:
    """The sets whose files are in the folder, and the names of the files that are missing."""
    found, missing = [], []
    for build, files in COLLECTIONS.items():
        absent = [name for name in files if not (folder / name).is_file()]
        missing += absent
        if not absent:
            found.append(build(folder))
    return found, missing
