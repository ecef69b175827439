"""Rule S against Ed25519 vectors of other people, put to both implementations (spec identity.1).

    $ make outside-vectors CCTV=ed25519vectors.json SPECCHECK=cases.json WYCHEPROOF=ed25519_test.json

None of these files is kept here: whoever wants to see for himself gets them where ``SOURCES`` says. Exit status: 0 every
verdict is the expected one and both implementations give the same code, 1 they do not, 2 a file is missing or is another.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.both import IMPLEMENTATIONS, code

# Every verdict that rule S has. Any other answer, a fault of ours above all, is no refusal.
VERDICTS: Final = {
    "ok",
    "KeyLength",
    "KeyNotCanonical",
    "KeyWeak",
    "SignatureInvalid",
    "SignatureLength",
    "SignatureNotCanonical",
    "SignatureWeak",
}


class VectorsError(Exception):
    """A file that is missing, or that is not what its place asks for."""


@dataclass(frozen=True)
class Case:
    """One question, and whether rule S accepts the signature."""

    name: str
    key: bytes
    message: bytes
    signature: bytes
    valid: bool


@dataclass
class Report:
    """What both implementations said of one file."""

    cases: int = 0
    accepted: list[str] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def read_cctv(data: Any) -> list[Case]:
    """Flags name what is odd about A, R or their torsion. Rule S wants both canonical and free of torsion, so it accepts where there is no flag."""
    return [
        Case(
            str(case["number"]),
            bytes.fromhex(case["key"]),
            case["msg"].encode(),
            bytes.fromhex(case["sig"]),
            not case["flags"],
        )
        for case in data
    ]


def read_speccheck(data: Any) -> list[Case]:
    """Each case is one on which verifiers differ, and in each a point has torsion, S is not reduced or an encoding is not canonical."""
    return [
        Case(str(number), *(bytes.fromhex(case[part]) for part in ("pub_key", "message", "signature")), valid=False)
        for number, case in enumerate(data)
    ]


def read_wycheproof(data: Any) -> list[Case]:
    """Every case has its label. ``acceptable`` leaves the verdict open, and this file has no such case."""
    found = []
    for group in data["testGroups"]:
        for case in group["tests"]:
            if case["result"] not in {"valid", "invalid"}:
                raise ValueError(case["result"])
            parts = (bytes.fromhex(part) for part in (group["publicKey"]["pk"], case["msg"], case["sig"]))
            found.append(Case(str(case["tcId"]), *parts, valid=case["result"] == "valid"))
    if len(found) != data["numberOfTests"]:
        raise ValueError("another number of tests")
    return found


@dataclass(frozen=True)
class Source:
    """Whose vectors, from where, and how many there are and are accepted (None: another edition may have more)."""

    name: str
    where: str
    read: Callable[[Any], list[Case]]
    cases: int | None
    accepted: int | None
    needed: bool = True


SOURCES: Final = (
    Source("CCTV", "ed25519/ed25519vectors.json of github.com/C2SP/CCTV", read_cctv, 914, 1),
    Source("SPECCHECK", "cases.json of github.com/novifinancial/ed25519-speccheck", read_speccheck, 12, 0),
    Source(
        "WYCHEPROOF",
        "testvectors_v1/ed25519_test.json of github.com/C2SP/wycheproof",
        read_wycheproof,
        None,
        None,
        needed=False,
    ),
)


def load(source: Source, path: str) -> list[Case]:
    """The cases of a file. Raises ``VectorsError`` where there is none, or another one."""
    try:
        data = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as fault:
        raise VectorsError(f"{source.name}: {path} is no JSON that can be read ({fault}): get {source.where}") from None
    try:
        cases = source.read(data)
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise VectorsError(f"{source.name}: {path} has another form ({fault!r}): get {source.where}") from None
    if not cases or (source.cases is not None and len(cases) != source.cases):
        raise VectorsError(f"{source.name}: {len(cases)} cases, expected {source.cases or 'some'}: another edition?")
    return cases


def judge(cases: list[Case]) -> Report:
    """Put every case to both implementations."""
    report = Report()
    for case in cases:
        question = {"op": "ed25519_verify", "key": case.key, "msg": case.message, "sig": case.signature}
        codes = {implementation: code(implementation, **question) for implementation in IMPLEMENTATIONS}
        found, other = codes.values()
        report.cases += 1
        report.codes[found] += 1
        if found == "ok":
            report.accepted.append(case.name)
        if found != other:
            report.faults.append(f"case {case.name}: {codes}")
        elif found not in VERDICTS:
            report.faults.append(f"case {case.name}: {found} is no verdict")
        elif (found == "ok") != case.valid:
            report.faults.append(f"case {case.name}: {found}, expected {'ok' if case.valid else 'a refusal'}")
    return report


def show(source: Source, report: Report) -> bool:
    """Say what came out of one file, and whether it is what was expected."""
    codes = ", ".join(f"{name} {count}" for name, count in sorted(report.codes.items()))
    print(f"{source.name:<10} {report.cases:>4} cases, {len(report.accepted)} accepted ({codes})")
    if source.accepted is not None and len(report.accepted) != source.accepted:
        report.faults.append(f"{len(report.accepted)} accepted, expected {source.accepted}")
    for fault in report.faults:
        print(f"{source.name}: {fault}")
    return not report.faults


def main(arguments: list[str]) -> int:
    """Judge the files that were given; says what it did."""
    parser = argparse.ArgumentParser(prog="python -m tests.outside_vectors", description=__doc__.splitlines()[0])
    for source in SOURCES:
        parser.add_argument(f"--{source.name.lower()}", default="", metavar="FILE", help=source.where)
    given = {name.upper(): path for name, path in vars(parser.parse_args(arguments)).items()}
    missing = [source for source in SOURCES if source.needed and not given[source.name]]
    for source in missing:
        print(f"{source.name}=path/to/{source.where.split()[0].split('/')[-1]} is missing: get {source.where}")
    if missing:
        return 2
    try:
        books = [(source, load(source, given[source.name])) for source in SOURCES if given[source.name]]
    except VectorsError as fault:
        print(fault)
        return 2
    right = [show(source, judge(cases)) for source, cases in books]
    print("both implementations, the same codes, as expected" if all(right) else "NOT as expected")
    return 0 if all(right) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
