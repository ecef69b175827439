"""What the native fuzzers have kept, given to both implementations: ``python -m fuzz.atheris.kept [TARGET ...]`` (``make fuzz-agree``).

The native targets know the core alone, so an input on which only the reference is wrong passes there. Needs no atheris. Exit
status: 0 both give the same answers, 1 they do not (the file is named), 2 there is no such target.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fuzz.atheris.agree import CORPUS
from fuzz.atheris.judges import JUDGES

WORK: Final = CORPUS.parent / ".work" / "native"


@dataclass
class Found:
    """What the inputs of one target got. ``smallest`` holds, for each code, its shortest input."""

    codes: Counter[str] = field(default_factory=Counter)
    smallest: dict[str, tuple[int, Path]] = field(default_factory=dict)
    differences: list[tuple[Path, str]] = field(default_factory=list)

    @property
    def inputs(self) -> int:
        """All that were judged, the different ones too."""
        return self.codes.total() + len(self.differences)


def inputs(target: str, work: Path = WORK, corpus: Path = CORPUS) -> Iterator[Path]:
    """The committed samples, then what a campaign has kept."""
    for folder in (corpus / target, work / target / "corpus"):
        if folder.is_dir():
            yield from sorted(path for path in folder.iterdir() if path.is_file())


def judge(check: Callable[[bytes], str], paths: Iterable[Path]) -> Found:
    """Every exception is a difference, as it is a finding of the fuzzers."""
    found = Found()
    for path in paths:
        data = path.read_bytes()
        try:
            code = check(data)
        except Exception as fault:
            found.differences.append((path, f"{type(fault).__name__}: {fault}"))
            continue
        found.codes[code] += 1
        found.smallest[code] = min(found.smallest.get(code, (len(data), path)), (len(data), path))
    return found


def sampled(target: str, corpus: Path = CORPUS) -> set[str]:
    """The codes that the committed samples stand for."""
    return {path.name.split("-")[0] for path in (corpus / target).iterdir()}


def show(target: str, found: Found, known: set[str]) -> None:
    """One line of counts, the codes, then what wants to be looked at."""
    print(f"{target}: {found.inputs:,} inputs, {len(found.codes)} codes, {len(found.differences)} differences")
    print("  " + ", ".join(f"{code} {count:,}" for code, count in sorted(found.codes.items())))
    for code in sorted(found.codes.keys() - known):
        size, path = found.smallest[code]
        print(f"  no sample of {code} yet; the smallest has {size:,} bytes: {path}")
    for path, fault in found.differences:
        print(f"  DIFFERENT: {path}: {fault}")


def main(targets: list[str], work: Path = WORK, corpus: Path = CORPUS) -> int:
    """Judge these targets, or all of them; says what came out."""
    unknown = [target for target in targets if target not in JUDGES]
    if unknown:
        print(f"no target {unknown[0]}: there are {', '.join(JUDGES)}")
        return 2
    different = 0
    for target in targets or JUDGES:
        found = judge(JUDGES[target], inputs(target, work, corpus))
        show(target, found, sampled(target, corpus))
        different += len(found.differences)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
