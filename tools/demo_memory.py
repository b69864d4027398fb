"""The demo's memory part: real texts with a real embedding model, found by meaning, words and metadata.

The texts are the descriptions of functions and classes in the library of the Python that runs this.
"""

from __future__ import annotations

import ast
import json
import sysconfig
import time
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from demo_base import Demo, DemoError, heading, print_table

BATCH = 500
ROWS = 3
# Parts of the library that are not for its users.
LEFT_OUT = {"ensurepip", "idlelib", "lib2to3", "site-packages", "test", "tests", "turtledemo"}
SHORTEST = 40

QUESTIONS = [
    "how many days does a month have",
    "wait until a thread has finished",
    "copy a folder with everything in it",
    "the middle value of some numbers",
    "break a long text into lines",
]


@dataclass
class Description:
    module: str
    name: str
    kind: str
    text: str


def load() -> list[Description]:
    library = Path(sysconfig.get_path("stdlib"))
    found: dict[str, Description] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in sorted(library.rglob("*.py")):
            parts = path.relative_to(library).with_suffix("").parts
            if LEFT_OUT.isdisjoint(parts):
                for description in descriptions(path, ".".join(parts).removesuffix(".__init__")):
                    found.setdefault(description.text, description)
    return list(found.values())


def descriptions(path: Path, module: str) -> list[Description]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError, ValueError):
        return []
    return [
        Description(module, node.name, "class" if isinstance(node, ast.ClassDef) else "function", text)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        if not node.name.startswith("_") and len(text := ast.get_docstring(node) or "") >= SHORTEST
    ]


def run(demo: Demo, number: int) -> None:
    try:
        from embedding import NAME, Model
    except ImportError as error:
        raise DemoError(f"{error.name} is missing: start the demo with make demo") from error
    model, texts = Model(), load()
    session = demo.session
    session.run(f"SELECT kepler.create_embedding_space('demo', dimensions => {model.dimensions}, model => '{NAME}')")

    heading(
        number,
        "A memory",
        f"{len(texts):,} descriptions in Python's own library, with embeddings by {NAME}.",
    )
    vectors = model.embed([text.text for text in texts])
    counts, seconds = Counter[str](), 0.0
    for first in range(0, len(texts), BATCH):
        batch = json.dumps([
            {
                "content": text.text, "embedding": vector, "context_type": text.kind,
                "metadata": {"module": text.module, "name": text.name},
            }
            for text, vector in zip(texts[first : first + BATCH], vectors[first : first + BATCH])
        ])  # fmt: skip
        if "$batch$" in batch:
            raise DemoError("the data holds $batch$")
        started = time.monotonic()
        answers = session.json(f"SELECT json_agg(outcome) FROM kepler.remember_many($batch${batch}$batch$)")
        seconds += time.monotonic() - started
        counts.update(answers)
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in counts.items())
    print_table(
        ["rows", "seconds", "rows/s", "outcomes"],
        [[f"{len(texts):,}", f"{seconds:.2f}", f"{len(texts) / seconds:,.0f}", outcomes]],
        right=3,
    )
    demo.expect(counts == {"inserted": len(texts)}, f"{len(texts):,} inserted")
    session.run("VACUUM ANALYZE")

    def search(question: str, rows: int, filter: dict[str, object] | None = None) -> list[dict[str, object]]:
        vector = json.dumps(model.embed([question])[0])
        conditions = "NULL" if filter is None else f"$filter${json.dumps(filter)}$filter$::jsonb"
        found: list[dict[str, object]] = session.json(
            "SELECT coalesce(json_agg(json_build_object('similarity', s.similarity, 'plan', s.plan,"
            " 'exhausted', s.exhausted, 'kind', m.context_type, 'module', m.metadata->>'module',"
            " 'name', m.metadata->>'name', 'text', m.content)), '[]')"
            f" FROM kepler.search_memories('{vector}', max_rows => {rows}, filter => {conditions}) AS s"
            " JOIN kepler.memories AS m ON m.id = s.memory_id"
        )
        return found

    questions(demo, number + 1, search)
    never_short(demo, number + 2, search, texts)


def questions(demo: Demo, number: int, search) -> None:  # type: ignore[no-untyped-def]
    heading(number, "Found by meaning", "Questions in other words than the descriptions use.")
    rows, complete = [], True
    for question in QUESTIONS:
        started = time.monotonic()
        found = search(question, ROWS)
        milliseconds = (time.monotonic() - started) * 1000
        complete = complete and len(found) == ROWS
        for at, memory in enumerate(found):
            rows.append([
                f"{milliseconds:.1f}" if at == 0 else "", f"{memory['similarity']:.2f}",
                question if at == 0 else "", f"{memory['module']}.{memory['name']}",
            ])  # fmt: skip
    print_table(["ms", "similarity", "question", "found"], rows, right=2)
    demo.expect(complete, f"{ROWS} answers to each question")


def never_short(demo: Demo, number: int, search, texts: list[Description]) -> None:  # type: ignore[no-untyped-def]
    heading(
        number,
        "Never short, whatever the filter",
        "Where the filter leaves ten memories or more, ten come back; where it leaves fewer, all of them.",
    )
    sizes = Counter(text.module for text in texts)
    ordered = [module for module, _ in sizes.most_common()]
    chosen = [ordered[0], ordered[len(ordered) // 8], ordered[len(ordered) // 3], ordered[-1]]
    rows, whole, within = [], True, True
    for module in chosen:
        found = search("read and write files", 10, {"module": module})
        wanted = min(10, sizes[module])
        whole = whole and len(found) == wanted and all(row["exhausted"] == (sizes[module] < 10) for row in found)
        within = within and all(row["module"] == module for row in found)
        rows.append([f"{sizes[module]:,}", f"{len(found)}", json.dumps({"module": module}), str(found[0]["plan"])])
    print_table(["match", "found", "filter", "plan"], rows, right=2)
    demo.expect(whole, "as many as match, up to ten, and told when that is all")
    demo.expect(within, "nothing that does not match")
