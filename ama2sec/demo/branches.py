"""The second part: the history forks and merges, one message goes to a stranger, and a forged size is refused.

Branches are trees of message ids (spec fingerprint.9); who may open one is judged in a realm. So the messages of the branch
are signed as messages of this conversation, and only the tree is forked here.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ama2sec import (
    Accumulator,
    Ama2Error,
    Directory,
    Fingerprint,
    Hop,
    Identity,
    check_ancestry,
    check_exhibit,
    check_inclusion,
    parse,
    prove_ancestry,
    prove_inclusion,
    reference,
)
from ama2sec._native import SigningKey, make
from ama2sec.demo.screen import Screen
from ama2sec.history import Archive

__all__ = ["Branches"]

_OWN: Final = 12
_SIZE_AT: Final = 12  # behind "a2p", version, type, tree and the index (spec proofs.1)


@dataclass(frozen=True, slots=True)
class Branches:
    """One run over the conversation file that the first part signed."""

    screen: Screen
    folder: Path
    rng: random.Random

    def run(self, conversation: Path, people: dict[str, Identity], directory: Directory, head: Fingerprint) -> int:
        """All of it. Returns how many answers were not as they must be."""
        archive = Archive(conversation)
        authors = {str(who.id): who for who in people.values()}
        self.screen.title("Branch, merge, prove")
        wrong = self._fork(archive, authors)
        wrong += self._exhibit(archive, directory, head)
        return wrong + self._forge(archive, head)

    # -- a branch and its merge --------------------------------------------------------------------------------------------

    def _fork(self, archive: Archive, authors: dict[str, Identity]) -> int:
        size = len(archive)
        head = archive.head
        main = Accumulator(head.realm, head.conversation)
        main.extend([archive.accumulator.leaf(index) for index in range(size)])
        base = self.rng.randrange(size // 3, 2 * size // 3)
        # Entry 0 opens the conversation; every other one is a message.
        speaker = [_Speaker(archive.entry(1 + (base + n) % (size - 1)), authors) for n in range(_OWN)]
        branch = main.fork(base)
        envelopes = [speaker[0].say(main, base, [])]
        branch.append(envelopes[0].id)
        for one in speaker[1:]:
            envelopes.append(one.say(branch, branch.size, []))
            branch.append(envelopes[-1].id)
        tip = branch.fingerprint()
        merging = _Speaker(archive.entry(size - 1), authors).say(main, size, [tip])
        index = main.append(merging.id)
        self.screen.rows(
            [
                (
                    "forked",
                    f"at {base:,}: a branch of {_OWN} messages inherits the {base:,} before it; nothing is copied",
                ),
                ("merged", f"entry {index:,} names the branch's head, {tip.size:,} entries"),
            ]
        )
        target = self.rng.randrange(1, _OWN)
        into = [Hop(index=index, envelope=merging.envelope, into=branch)]
        proof = prove_ancestry(main, base + target, via=into)
        trusted = main.fingerprint()
        found = check_ancestry(trusted, envelopes[target].envelope, proof)
        again = reference.check_ancestry(_plainly(trusted), envelopes[target].envelope, proof)
        same = (
            (bytes(found.id), found.index) == (again.message_id, again.index) == (envelopes[target].id, base + target)
        )
        said = "; both implementations agree" if same else "; THE TWO IMPLEMENTATIONS DO NOT AGREE"
        where = f"entry {found.index:,} of the branch lies in the past of the main history, by way of the merge"
        self.screen.rows([("ancestor", f"{len(proof):,} bytes prove that {where}{said}")])
        return 0 if same else 1

    # -- one message for a stranger ----------------------------------------------------------------------------------------

    def _exhibit(self, archive: Archive, directory: Directory, head: Fingerprint) -> int:
        index = self.rng.randrange(1, head.size)
        data = archive.exhibit(index, head.size)
        path = self.folder / "one.exhibit"
        path.write_bytes(data)
        keys = reference.Directory.from_json(directory.to_json().encode())
        # By the reference alone: nothing compiled takes part, and nothing but this file and the head is needed.
        found = reference.check_exhibit(path.read_bytes(), head=str(head), directory=keys)
        ours = check_exhibit(data, head=head, directory=directory)
        same = found.included.index == ours.index == index and found.included.message_id == bytes(ours.id)
        sender = "nobody" if ours.message is None else ours.message.sender
        self.screen.rows(
            [
                (
                    "exhibit",
                    f"message {index:,} by {sender}, with its path and the head: {len(data):,} bytes in one file",
                ),
                ("", "checked by the reference alone, against the head that was kept" if same else "NOT THE SAME"),
            ]
        )
        return 0 if same else 1

    # -- a forged size --------------------------------------------------------------------------------------------------------

    def _forge(self, archive: Archive, head: Fingerprint) -> int:
        """The same root fits under other sizes; the fingerprint does not."""
        index = self.rng.randrange(0, head.size // 2)
        proof = prove_inclusion(archive.accumulator, index, head.size)
        envelope = archive.entry(index)
        other = _same_length(archive.accumulator, index, head.size, len(proof))
        forged = proof[:_SIZE_AT] + other.to_bytes(6, "big") + proof[_SIZE_AT + 6 :]
        lie = Fingerprint(head.realm, head.conversation, head.branch, other, head.hash)
        answers = []
        for trusted, shown in ((head, forged), (lie, forged)):
            for check, known in ((check_inclusion, trusted), (reference.check_inclusion, _plainly(trusted))):
                answers.append(_refusal(check, known, envelope, shown))
        self.screen.rows(
            [
                ("forged size", f"a proof relabelled from {head.size:,} to {other:,} entries:"),
                ("refused", answers[0]),
                ("", "and where the head is relabelled as well:"),
                ("refused", answers[2]),
            ],
            style="red",
        )
        codes = [answer.split(":")[0] for answer in answers]
        if codes == ["ProofClaim", "ProofClaim", "ProofRoot", "ProofRoot"]:
            return 0
        self.screen.rows([("BUT", f"the answers must not be {', '.join(codes)}")], style="bold red")
        return 1


def _refusal(check: Any, *given: object) -> str:
    try:
        check(*given)
    except Ama2Error as fault:
        return str(fault)
    return "accepted: nothing was wrong"


def _same_length(tree: Accumulator, index: int, size: int, length: int) -> int:
    """Another size under which a path of this length has its form: otherwise its length alone would give it away."""
    for other in range(size - 1, index, -1):
        if len(prove_inclusion(tree, index, other)) == length:
            return other
    return size + 1


def _plainly(head: Fingerprint) -> Any:
    """The same fingerprint for the reference."""
    parts = (bytes(head.realm), bytes(head.conversation), bytes(head.branch), head.size, bytes(head.hash))
    return reference.Fingerprint(*parts)


@dataclass(frozen=True, slots=True)
class _Said:
    envelope: bytes
    id: bytes


class _Speaker:
    """An author who says a message of his again, over another history."""

    def __init__(self, entry: bytes, authors: dict[str, Identity]) -> None:
        self._claims: dict[str, Any] = parse(entry).claims
        self._author = authors[self._claims["agent_identity"]["agent"]]

    def say(self, tree: Accumulator, size: int, merged: list[Fingerprint]) -> _Said:
        seen = tree.fingerprint(size)
        claims = dict(self._claims)
        claims["context_fingerprint"] = {
            **claims["context_fingerprint"],
            "size": seen.size,
            "fingerprint": str(seen.hash),
        }
        claims["execution_path"] = {
            "branch": str(seen.branch),
            "parent": str(tree.leaf(size - 1)),
            "merges": [{"branch": str(m.branch), "size": m.size, "fingerprint": str(m.hash)} for m in merged],
        }
        epoch, counter = claims["seq"]
        claims["seq"] = [epoch + 1, counter]
        key = self._author._signer
        if not isinstance(key, SigningKey):
            raise TypeError("the demonstration makes its own keys")
        envelope, found = make(key, json.dumps(claims), None, None, None, None)
        return _Said(envelope, bytes(found))
