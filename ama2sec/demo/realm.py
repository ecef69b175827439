"""The third part: a realm. Four agents and a sub-agent, a lie that leaves evidence, a record moved, everything replayed twice.

Here the log itself is judged: who may speak, in which branch, after what. The keys are made for this run, and gone with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from ama2sec import _files, reference
from ama2sec._native import Id, RealmVerified, TranscriptReader, parse
from ama2sec.demo.desk import Actor, Desk
from ama2sec.demo.screen import Screen
from ama2sec.errors import Ama2Error
from ama2sec.identity.identity import clock_ms
from ama2sec.realm import check_equivocation, replay_realm
from ama2sec.realm.ancestry import prove_ancestor
from ama2sec.realm.dag import Node, RealmDag, agents
from ama2sec.realm.drawing import lay_out
from ama2sec.realm.svg import to_svg

__all__ = ["DRAWING", "REALM", "REALM_HEAD", "RealmPart"]

_NAMES: Final = ("ada", "ben", "cleo", "dan")
_RECORD: Final = b"\x82\x02\x58\xa4"
_RECORD_LENGTH: Final = 164
# Parts of a record with its framing (record.1.1): up to the registry's size, the message id, the predecessor.
_SLOT: Final = slice(0, 26)
_ID: Final = slice(58, 90)
_PREV: Final = slice(160, 166)
DRAWING: Final = "realm.svg"
REALM: Final = "realm.ama"
REALM_HEAD: Final = "realm.head"


@dataclass(frozen=True, slots=True)
class RealmPart:
    """One run. What stays behind stands in ``folder``."""

    screen: Screen
    folder: Path

    def run(self) -> int:
        """All of it. Returns how many answers were not as they must be."""
        self.screen.title("A realm: who may speak, and a log that is judged")
        desk = Desk("demo", clock_ms())
        people = {name: desk.enrol(name) for name in _NAMES}
        told = _Conversation(desk, people)
        ids = told.run()
        wrong = self._introduce(desk, told)
        wrong += self._narrowed(told)
        wrong += self._equivocation(desk, told)
        data = desk.engine.export()
        (self.folder / REALM).write_bytes(data)
        (self.folder / REALM_HEAD).write_text(desk.engine.head())
        found, more = self._replayed(desk, data)
        wrong += more
        wrong += self._asked(desk, found, told, ids, data)
        wrong += self._moved(desk, ids, data)
        return wrong

    # -- a conversation in branches ----------------------------------------------------------------------------------------

    def _introduce(self, desk: Desk, told: _Conversation) -> int:
        nodes = RealmDag(desk.engine, told.chat).timeline()
        branches = {node.home[0] for node in nodes if node.home is not None}
        merges = sum(bool(node.merges) for node in nodes)
        text = f"{len(nodes)} entries by four agents and a sub-agent, {len(branches)} branches, {merges} merges; realm {desk.realm.short}"
        return self.screen.expect("spoken", text, right=(len(nodes), len(branches), merges) == (18, 4, 3))

    def _narrowed(self, told: _Conversation) -> int:
        """A sub-agent outside its grant is refused by its own signature."""
        answers = [told.desk.submit(make()) for make in (told.outside_its_branch, told.to_a_stranger)]
        codes = [f"{answer.verdict} {answer.code}" for answer in answers]
        text = (
            f"the sub-agent speaks in another branch, and to somebody whom its grant does not name: {', '.join(codes)}"
        )
        return self.screen.expect("refused", text, right=codes == ["rejected GrantPlace", "rejected GrantScope"])

    # -- a lie -------------------------------------------------------------------------------------------------------------

    def _equivocation(self, desk: Desk, told: _Conversation) -> int:
        ben = told.people["ben"]
        (one, first), (two, second) = told.two_under_one_number(ben)
        answers = [desk.submit(first), desk.submit(second)]
        said = [(answer.verdict, answer.code) for answer in answers]
        evidence = desk.engine.equivocations()
        right = said == [("admitted", None), ("rejected", "SeqUsed")] and len(evidence) == 1
        wrong = self.screen.expect(
            "a lie",
            f"{ben.name} signs two messages under one number: the second is {said[1][0]} {said[1][1]}",
            right=right,
        )
        if len(evidence) != 1:
            return wrong
        proved = check_equivocation(evidence[0], ben.key.public)
        again = reference.check_equivocation(evidence[0], reference.EnrolledKey(bytes(ben.key.public)))
        same = proved[0] == ben.id and set(proved[3]) == {one, two} and _bytes(proved[3]) == _ids_of(again)
        path = self.folder / "equivocation.evidence"
        path.write_bytes(evidence[0])
        changed = bytearray(evidence[0])
        changed[-1] ^= 1
        refused = _code(lambda: check_equivocation(bytes(changed), ben.key.public))
        text = f"{len(evidence[0]):,} bytes, checked by both implementations; with one bit changed: {refused}"
        return wrong + self.screen.expect("evidence", text, right=same and refused.startswith("Signature"))

    # -- replay ------------------------------------------------------------------------------------------------------------

    def _replayed(self, desk: Desk, data: bytes) -> tuple[RealmVerified, int]:
        head = desk.engine.head()
        found = replay_realm(data, realm=desk.realm, head=head)
        start = time.perf_counter()
        again = reference.replay(data, realm=bytes(desk.realm), checkpoint=head.encode())
        seconds = time.perf_counter() - start
        registry = again.state.registry
        digest = None if registry is None else reference.registry_digest(registry)
        same = (
            found.records == again.records == desk.engine.records
            and found.root is not None
            and bytes(found.root) == again.root
            and digest == bytes(found.state_digest()) == bytes(desk.engine.state_digest())
            and (found.realm_state, found.tail) == ("checked", "checked")
        )
        said = f"{found.records} records, {found.rejected} of them rejected, replayed by the Rust core and by the reference ({seconds:.1f} s)"
        verdict = "same verdicts, same tree, same registry" if same else "THE TWO DO NOT AGREE"
        return found, self.screen.expect("replayed", f"{said}: {verdict}", right=same and found.rejected == 3)

    def _asked(self, desk: Desk, found: RealmVerified, told: _Conversation, ids: dict[str, Id], data: bytes) -> int:
        dag = RealmDag(found, told.chat)
        nearest = [node.id for node in dag.nearest_common_ancestors([ids["left"], ids["right"]])]
        trace = [link.kind for link in dag.trace(ids["price"])]
        proof = prove_ancestor(dag, ids["price"], ids["last"], data, realm=desk.realm)
        right = (
            nearest == [ids["ask"]]
            and trace == ["grant", "agent", "entry", "agent", "genesis"]
            and dag.is_ancestor(ids["price"], ids["last"])
            and not dag.is_ancestor(ids["last"], ids["price"])
        )
        text = "where two branches part, on whose authority the sub-agent spoke, and that its price reached the end"
        wrong = self.screen.expect("asked", text, right=right)
        if proof is None:
            return wrong + self.screen.expect("ancestor", "no proof", right=False)
        trusted = proof.fingerprint
        plain = reference.Fingerprint(
            bytes(trusted.realm), bytes(trusted.conversation), bytes(trusted.branch), trusted.size, bytes(trusted.hash)
        )
        checked = reference.check_ancestry(plain, _entry(data, ids["price"]), proof.proof)
        text = f"{len(proof.proof):,} bytes prove the last to a stranger, by way of {len(checked.via)} merges"
        wrong += self.screen.expect("ancestor", text, right=checked.message_id == bytes(ids["price"]))
        return wrong + self._draw(dag, dag.timeline(), {agent.id: agent.name for agent in agents(found)})

    def _draw(self, dag: RealmDag, nodes: list[Node], names: dict[Id, str]) -> int:
        picture = to_svg(lay_out(nodes, names), f"conversation {dag.conversation.short} of the demonstration")
        path = self.folder / DRAWING
        _files.write_whole(path, picture.encode(), replace=False)
        drawn = picture.count("<g>")
        return self.screen.expect("drawn", f"{drawn} entries in {path}", right=drawn == len(nodes))

    # -- a log that lies -------------------------------------------------------------------------------------------------------

    def _moved(self, desk: Desk, ids: dict[str, Id], data: bytes) -> int:
        """Two records change places; then all numbers are made to fit, and only the head shows it."""
        head = desk.engine.head()
        before, records, after = _split(data)
        at = next(place for place, record in enumerate(records) if record[_ID] == bytes(ids["cheaper"]))
        swapped = [*records[:at], records[at + 1], records[at], *records[at + 2 :]]
        plainly = _both(desk, before + b"".join(swapped) + after, head)
        text = f"two records change places: {plainly[0]} by the Rust core, {plainly[1]} by the reference"
        wrong = self.screen.expect("moved", text, right=plainly == ("RecordPosition", "RecordPosition"))
        swapped[at], swapped[at + 1] = (
            _in_place_of(swapped[at], records[at]),
            _in_place_of(swapped[at + 1], records[at + 1]),
        )
        forged = before + b"".join(swapped)
        alone, shown = _both(desk, forged, None), _both(desk, forged, head)
        text = (
            "renumbered so that every rule is kept, because neither author had seen the other's message: "
            f"the file alone is {alone[0]}, the head that was kept says {shown[0]}; by the reference {alone[1]}, {shown[1]}"
        )
        right = alone == ("valid", "valid") and shown == ("CheckpointForked", "CheckpointForked")
        return wrong + self.screen.expect("moved", text, right=right)


class _Conversation:
    """What the agents say."""

    def __init__(self, desk: Desk, people: dict[str, Actor]) -> None:
        self.desk, self.people = desk, people
        self.chat = desk.open(people["ada"], [who.id for who in people.values()], b"We need 40 chairs by Friday.")
        self.worker = self.left = people["ada"]

    def run(self) -> dict[str, Id]:
        """A question, two branches and one of a sub-agent, their merges."""
        desk, chat = self.desk, self.chat
        ada, ben, cleo, dan = (self.people[name] for name in _NAMES)
        ids = {"ask": desk.say(ada, chat, body=b"Two offers, please: one by ben, one by cleo.", to=[ben.id, cleo.id])}
        left, right = desk.fork(ben, chat), desk.fork(cleo, chat, size=2)
        self.worker = desk.spawn(ben, chat, left, "worker", to=[str(ben.id)], rights=0)
        ids["price"] = desk.say(self.worker, chat, self.worker.id, b"31 a chair", to=[ben.id])
        ids["cheaper"] = desk.say(self.worker, chat, self.worker.id, b"29 a chair, from 40 on", to=[ben.id])
        desk.say(cleo, chat, right, b"33 a chair, delivered")
        ids["left"] = desk.say(ben, chat, left, b"29, then", merges=[(self.worker.id, None)], to=[ada.id])
        ids["right"] = desk.say(cleo, chat, right, b"or 30, on Monday", to=[ada.id])
        desk.say(dan, chat, body=b"Is Friday certain?")
        desk.say(ada, chat, size=2, body=b"(said before dan's question was read)")
        desk.say(ada, chat, merges=[(left, None)], body=b"ben's offer is in")
        desk.say(ada, chat, merges=[(right, None)], body=b"and cleo's")
        desk.close(ben, chat, self.worker.id)
        desk.close(cleo, chat, right)
        desk.say(dan, chat, body=b"Friday is certain.")
        ids["last"] = desk.say(ada, chat, body=b"We take 40 at 29.", to=[ben.id])
        return ids

    def outside_its_branch(self) -> bytes:
        """The sub-agent in the first branch."""
        return self.desk.message(self._second(), self.desk.engine.context(self.chat), b"29 or nothing")[1]

    def to_a_stranger(self) -> bytes:
        """The sub-agent to somebody whom its grant does not name."""
        second = self._second()
        seen = self.desk.engine.context(self.chat, second.id)
        return self.desk.message(second, seen, b"psst", to=[self.people["dan"].id])[1]

    def _second(self) -> Actor:
        """The first sub-agent's branch is closed: a second one of the same kind."""
        if self.left.name != "second":
            ben = self.people["ben"]
            self.left = self.desk.spawn(ben, self.chat, self.chat, "second", to=[str(ben.id)], rights=0)
        return self.left

    def two_under_one_number(self, who: Actor) -> list[tuple[Id, bytes]]:
        """Two signed messages with one number."""
        seen = self.desk.engine.context(self.chat)
        first = self.desk.message(who, seen, b"29 a chair")
        who.counter -= 1
        return [first, self.desk.message(who, seen, b"92 a chair")]


def _split(data: bytes) -> tuple[bytes, list[bytes], bytes]:
    """The bytes before the first record, each record with its entry, and what follows (the head)."""
    starts = [data.index(_RECORD)]
    reader = TranscriptReader(realm=True)
    for entry in reader.feed(data):
        starts.append(starts[-1] + len(_RECORD) + _RECORD_LENGTH + len(entry))
    return data[: starts[0]], [data[a:b] for a, b in pairwise(starts)], data[starts[-1] :]


def _in_place_of(record: bytes, other: bytes) -> bytes:
    """A record under the position, the time and the predecessor of another (record.1.1)."""
    return other[: _SLOT.stop] + record[_SLOT.stop : _PREV.start] + other[_PREV] + record[_PREV.stop :]


def _both(desk: Desk, data: bytes, head: str | None) -> tuple[str, str]:
    """What the two implementations say of a transcript."""
    kept = None if head is None else head.encode()
    return (
        _code(lambda: replay_realm(data, realm=desk.realm, head=head)),
        _code(lambda: reference.replay(data, realm=bytes(desk.realm), checkpoint=kept)),
    )


def _entry(data: bytes, wanted: Id) -> bytes:
    return next(entry for entry in TranscriptReader(realm=True).feed(data) if parse(entry).id == wanted)


def _code(check: Callable[[], object]) -> str:
    try:
        check()
    except Ama2Error as fault:
        return fault.code
    return "valid"


def _bytes(ids: tuple[Id, Id]) -> tuple[bytes, bytes]:
    return bytes(ids[0]), bytes(ids[1])


def _ids_of(found: reference.Equivocation) -> tuple[bytes, bytes]:
    return found.first.message_id, found.second.message_id
