"""Proofs and exhibits: core and reference give one verdict, held against histories of which every leaf is known.

The histories are those of ``fuzz/native/attacks``: the branches of ``corpus/world.json``, the records of a realm, and a tree of each
kind that is as large as it is asked to be, over leaves that are all the same.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ama2sec import _native, reference
from ama2sec.reference import hashes, proofs, tree
from fuzz.atheris.agree import CORE, CORPUS, KEYS, ask, same


@dataclass(frozen=True)
class _History:
    """A tree of which every leaf is known. ``scope`` is empty for the realm's; ``vast``: as many of the one leaf as are asked for."""

    scope: tuple[bytes, ...]
    things: Sequence[bytes]
    leaves: Sequence[bytes]
    vast: bool = False

    def reaches(self, size: int) -> bool:
        return self.vast or size <= len(self.leaves)

    def thing(self, index: int) -> bytes:
        return self.things[index % len(self.things)]

    def root(self, size: int) -> bytes:
        node = hashes.node if self.scope else tree.rfc6962_node
        if not self.vast:
            return tree.root(self.leaves[:size], node)
        peak, found = self.leaves[0], None
        while size:
            if size & 1:
                found = peak if found is None else node(peak, found)
            peak, size = node(peak, peak), size >> 1
        return found

    def head(self, size: int) -> proofs.Fingerprint:
        return proofs.Fingerprint(*self.scope, size, hashes.fingerprint(*self.scope, size, self.root(size)))


def _branch(name: str, side: bytes | None) -> _History:
    things = [bytes.fromhex(entry) for entry in _WORLD[name]]
    opening, *_ = [bytes.fromhex(entry) for entry in _WORLD["main"]]
    conversation = reference.parse(opening).message_id
    ids = [reference.parse(thing).message_id for thing in things]
    return _History((bytes(32), conversation, side or conversation), things, ids)


_WORLD: Final = json.loads((CORPUS / "world.json").read_bytes())
_SIDES: Final = {"main": None, "worker": b"\t" * 32, "deep": b"\b" * 32, "fork": None}
BRANCHES: Final = [_branch(name, side) for name, side in _SIDES.items()]
_RECORDS: Final = [f"record {number}".encode() for number in range(21)]
_VAST: Final = _History(BRANCHES[0].scope, BRANCHES[0].things[:1], BRANCHES[0].leaves[:1], vast=True)
_REALM: Final = [
    _History((), _RECORDS, [tree.rfc6962_leaf(record) for record in _RECORDS]),
    _History((), [b"record"], [tree.rfc6962_leaf(b"record")], vast=True),
]
_MOST: Final = 64


def proof(data: bytes) -> str:
    """A proof, against histories that are known, or (an array of five) an exhibit (spec proofs.1 to proofs.4, .6, .7)."""
    if data[:1] == b"\x85":
        return _exhibit(data)
    code, form = ask(reference.read_proof, data)
    if code != "ok":
        same(_both_inclusion(BRANCHES[0].head(1), BRANCHES[0].thing(0), data), code)
        return code
    if form.kind == proofs.ANCESTRY:
        return _ancestry(data, form)
    same(ask(_native.inspect_proof, data)[0], "ok")
    if form.tree == proofs.REALM:
        found = [_record(data, form, history) for history in _REALM if history.reaches(form.numbers[-1])]
    else:
        found = [_one(data, form, history) for history in (*BRANCHES, _VAST) if history.reaches(form.numbers[-1])]
    return found[0]


def _one(data: bytes, form: proofs.Proof, history: _History) -> str:
    size = form.numbers[-1]
    head = history.head(size)
    if form.kind == proofs.INCLUSION:
        _both_inclusion(head, history.thing(form.numbers[0] + 1), data)
        return _both_inclusion(head, history.thing(form.numbers[0]), data)
    if form.kind == proofs.CONSISTENCY:
        main = BRANCHES[0] if BRANCHES[0].reaches(size) else history
        for old in (main.head(form.numbers[0]), head):
            _both("check_consistency", old, head, data)
            _both("compare_heads", old, head, data)
        return _both("check_consistency", history.head(form.numbers[0]), head, data)
    begin, end, _ = form.numbers
    messages = [history.thing(index) for index in range(begin, min(end, begin + _MOST))]
    _both("check_range", head, messages[::-1], data)
    return _both("check_range", head, messages, data)


def _ancestry(data: bytes, form: proofs.Proof) -> str:
    size, last = form.hops[0].size, form.hops[-1].index
    history = BRANCHES[0] if BRANCHES[0].reaches(size) else _VAST
    head = history.head(size)
    found = [_both("check_ancestry", head, branch.thing(0 if history.vast else last), data) for branch in BRANCHES]
    return "ok" if "ok" in found else found[0]


def _both_inclusion(head: proofs.Fingerprint, message: bytes, data: bytes) -> str:
    return _both("check_inclusion", head, message, data)


def _both(check: str, *arguments: object) -> str:
    """The code that core and reference give; where they accept, for the same message in the same place."""
    core, found = ask(getattr(_native, check), *map(for_core, arguments))
    other, expected = ask(getattr(reference, check), *arguments)
    same(core, other)
    if core == "ok":
        same(_facts(found), _facts(expected))
    return core


def for_core(argument: object) -> object:
    if not isinstance(argument, proofs.Fingerprint):
        return argument
    realm, conversation, branch, value = map(
        _native.Id, (argument.realm, argument.conversation, argument.branch, argument.value)
    )
    return _native.Fingerprint(realm, conversation, branch, argument.size, value)


def _facts(found: object) -> list[object]:
    """What a result says, whichever implementation made it."""
    ids = getattr(found, "ids", None) or getattr(found, "message_ids", None) or []
    one = getattr(found, "id", None) or getattr(found, "message_id", b"")
    via = getattr(found, "via", [])
    return [
        getattr(found, "index", None),
        getattr(found, "begin", None),
        bytes(one),
        [*map(bytes, ids)],
        [*map(bytes, via)],
    ]


def _record(data: bytes, form: proofs.Proof, history: _History) -> str:
    """The realm's tree: in the form of proofs.1, and as lists of hashes."""
    *_, size = form.numbers
    root, first = history.root(size), form.numbers[0]
    if form.kind == proofs.RANGE:
        records = [history.thing(index) for index in range(first, min(form.numbers[1], first + _MOST))]
        code, _ = ask(_native.check_record_range, size, root, records, data)
        if not history.vast:
            made = reference.prove_range(reference.Leaves(history.leaves, proofs.REALM), *form.numbers)
            same(code == "ok", made == data)
        return code
    if form.kind == proofs.INCLUSION:
        code, _ = ask(_native.check_record_inclusion, size, root, history.thing(first), data)
        same(code, ask(proofs.check_record_inclusion, history.thing(first), first, size, root, data)[0])
        _lists("rfc6962_check_inclusion", tree.rfc6962_leaf(history.thing(first)), first, size, form.hashes, root)
        return code
    old = history.root(first)
    code, _ = ask(_native.check_record_consistency, first, old, size, root, data)
    same(code, ask(proofs.check_realm_consistency, first, old, size, root, data)[0])
    complete = first & (first - 1) == 0
    _lists("rfc6962_check_consistency", first, size, form.hashes[complete:], old, root)
    return code


def _lists(check: str, *arguments: object) -> None:
    same(ask(getattr(_native, check), *arguments)[0], ask(getattr(reference, check), *arguments)[0])


def _exhibit(data: bytes) -> str:
    core, found = ask(_native.check_exhibit, data, None, None)
    other, expected = ask(reference.check_exhibit, data)
    same(core, other)
    if core == "ok":
        same(_facts(found), _facts(expected.included))
    same(ask(_native.check_exhibit, data, None, CORE._core)[0], _asked(data, directory=KEYS))
    for size in (5, 21):
        kept = BRANCHES[0].head(size)
        text = f"{size}:{kept.value.hex()}"
        same(ask(_native.check_exhibit, data, (size, kept.value), None)[0], _asked(data, head=text))
    return core


def _asked(data: bytes, **arguments: object) -> str:
    return ask(lambda: reference.check_exhibit(data, **arguments))[0]
