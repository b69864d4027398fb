#!/usr/bin/env python3
"""Checks that no module of the crate uses one above it or beside it.

The layers stand at the head of src/lib.rs, from the bottom up: a numbered line each, whose names in backquotes before
the colon are the modules. A module may use those of the lines above its own, so no circle is possible. And nobody
uses a module `api`: it holds SQL functions, and what others need stands below it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

SOURCES = Path(__file__).resolve().parent.parent / "src"
LAYER = re.compile(r"^//! *\d+\. (.*?):", re.MULTILINE)
# Comments, texts and characters; a lifetime has no quote behind it.
STEP, COLONS, BRACE = re.compile(r"\s*(\w+|\*)"), re.compile(r"\s*::"), re.compile(r"\s*(?=\{)")
NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|r(#*)".*?"\1|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\\\'])\'', re.DOTALL)


def layers(head: str) -> dict[str, int]:
    """The layer of each module."""
    return {
        name: layer
        for layer, names in enumerate(LAYER.findall(head))
        for name in re.findall(r"`(\w+)`", names)
    }


def code(text: str) -> str:
    """The text with blanks for comments and literals, so that lines keep their numbers."""
    return NOT_CODE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def members(group: str) -> Iterator[str]:
    """What stands between the braces of `{a::b, c::{d, e}}`, up to the brace that closes them."""
    depth, member = 0, ""
    for letter in group:
        if letter == "," and depth == 1:
            yield member
            member = ""
            continue
        if depth > 0:
            member += letter
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if depth == 0:
            yield member[:-1]
            return


def paths(text: str, at: int) -> Iterator[list[str]]:
    """The paths that begin at a place: one, or all of a group."""
    steps: list[str] = []
    while True:
        if name := STEP.match(text, at):
            steps.append(name[1])
            at = name.end()
        elif brace := BRACE.match(text, at):
            for member in members(text[brace.end() :]):
                yield from ([*steps, *path] for path in paths(member, 0))
            return
        if not (colons := COLONS.match(text, at)):
            yield steps
            return
        at = colons.end()


def module_of(file: Path) -> list[str]:
    steps = list(file.relative_to(SOURCES).with_suffix("").parts)
    return steps[:-1] if steps[-1] == "mod" else steps


def arrows(file: Path) -> Iterator[tuple[int, list[str]]]:
    """Which modules of the crate a file uses, and in which lines."""
    module, text = module_of(file), code(file.read_text())
    for found in re.finditer(r"(?<![\w:])(crate|self|(?:super::)*super)::", text):
        line = text.count("\n", 0, found.start()) + 1
        above = found[1].count("super")
        base = [] if found[1] == "crate" else module[: len(module) - above]
        for path in paths(text, found.end()):
            if base + path:
                yield line, base + path


def complaints() -> Iterator[str]:
    lib = (SOURCES / "lib.rs").read_text()
    modules = re.findall(r"^mod (\w+);", lib, re.MULTILINE)
    layer = layers(lib)
    for name in sorted(layer.keys() ^ set(modules)):
        yield f"src/lib.rs: {name} is not both a module and in one of the layers"
    for file in sorted(SOURCES.rglob("*.rs")):
        own = module_of(file)[0]
        if own not in layer:
            continue
        for line, path in arrows(file):
            place = f"{file.relative_to(SOURCES.parent)}:{line}"
            top = path[0]
            if top in layer and top != own and layer[top] >= layer[own]:
                yield f"{place}: {own} uses {top}, which does not lie below it"
            if any(step == "api" or step.endswith("_api") for step in path[:-1]):
                yield f"{place}: {'::'.join(path)} is used, which is for SQL"


def main() -> int:
    found = list(dict.fromkeys(complaints()))
    for complaint in found:
        print(complaint)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
