"""One realm in both implementations: every entry goes to both, and every answer is compared (spec admission.4.4)."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ama2sec import Ama2Error, Id, _conform_rust
from ama2sec.conform import answer
from ama2sec.realm import replay_realm
from ama2sec.reference import Rejected, conversation_digest, parse, read_record, registry_digest, replay
from ama2sec.reference import admit as judge
from ama2sec.reference.admission import Admitted, Stamp
from ama2sec.reference.realm import Realm, Taken
from ama2sec.reference.realm_answers import Stream
from tests.realm_world import BODY_SALT, World, seed_of

MET: Counter[str] = Counter()
"""How often each code was the answer of both."""


def both(**question: Any) -> dict[str, Any]:
    """Ask both. The answer that they agree on, ``expected`` and ``got`` aside."""
    line = json.dumps(question).encode()
    rust, reference = (_bare(answer(line, implementation)) for implementation in ("rust", "reference"))
    assert json.dumps(rust) == json.dumps(reference), f"{question}\nrust       {rust}\nreference  {reference}"
    assert rust["code"] not in {"Internal", "Panic"}
    MET[rust["code"]] += 1
    return rust


def _bare(line: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(line)
    if found["code"] != "ok":
        assert {"expected", "got"} <= set(found)
    return {name: value for name, value in found.items() if name not in {"expected", "got"}}


@dataclass
class TwoRealms(World):
    """A world whose realm is the one of the streams of questions."""

    answers: list[dict[str, Any]] = field(default_factory=list)

    def take(self, envelope: bytes, time: int | None = None, body: bytes | None = None) -> Taken:
        """Give an entry that both take to both."""
        found = self.ask(envelope, time, body)
        assert found["verdict"] in {"admitted", "rejected"}, found
        return Taken(parse(envelope), read_record(bytes.fromhex(found["record"])), Admitted(b"", b"", 0))

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.found_genesis()
        self.answers.append(
            both(op="realm_new", time=self.now, sequencer_seed=seed_of("sequencer").hex(), envelope=self.genesis.hex())
        )
        assert self.answers[0]["code"] == "ok", self.answers

    @property
    def realm(self) -> Realm:  # type: ignore[override]
        assert Stream.realm is not None
        return Stream.realm

    @realm.setter
    def realm(self, _: Realm) -> None:
        """The stream's."""

    def ask(self, envelope: bytes, time: int | None = None, body: bytes | None = None) -> dict[str, Any]:
        """Give an entry to both."""
        given = {} if body is None else {"body": body.hex(), "body_salt": BODY_SALT.hex()}
        found = both(op="admit", envelope=envelope.hex(), time=self.now if time is None else time, **given)
        self.answers.append(found)
        return found

    def would_reject(self, envelope: bytes) -> bool:
        """Whether the rules reject an entry; nothing is changed."""
        entry = parse(envelope)
        return isinstance(judge(self.state, Stamp(self.now, self.registry.size), entry), Rejected)

    def compare_histories(self, conversations: list[bytes]) -> None:
        """What the core exports, whole and filtered, replays in both to the state that both have."""
        engine = _conform_rust._Stream.engine
        assert engine is not None
        both(op="head")
        for conversation in (None, *conversations):
            name = None if conversation is None else Id(conversation)
            data = engine.export(name)
            by_rust = replay_realm(data, realm=engine.realm, conversation=name)
            by_reference = replay(data, realm=self.id, conversation=conversation)
            assert by_rust.records == by_reference.records
            assert by_reference.state.registry is not None
            mine = registry_digest(by_reference.state.registry)
            assert mine == registry_digest(self.registry) == bytes(by_rust.state_digest())
            for talk, state in by_reference.state.conversations.items():
                digests = {conversation_digest(state), conversation_digest(self.talk(talk))}
                assert digests == {bytes(by_rust.state_digest(Id(talk)))}


def compare_replays(data: bytes, **how: Any) -> str:
    """The code, and the position of the fault, that both give for a realm transcript."""
    found = []
    realm, conversation, checkpoint = (how.get(name) for name in ("realm", "conversation", "checkpoint"))
    for implementation in ("rust", "reference"):
        try:
            if implementation == "rust":
                replay_realm(
                    data,
                    realm=None if realm is None else Id(realm),
                    head=None if checkpoint is None else checkpoint.decode(),
                    conversation=None if conversation is None else Id(conversation),
                )
            else:
                replay(data, **how)
            found.append(("ok", None))
        except Ama2Error as fault:
            found.append((fault.code, fault.position))
    assert found[0] == found[1], found
    MET[f"replay:{found[0][0]}"] += 1
    return found[0][0]


def asked_of_core(world: World, entry: bytes, time: int, before: int | None = None) -> dict[str, Any]:
    """What the core says of an entry, after all that the reference has sequenced in this world, at another time."""
    given, early = [envelope for envelope, _ in world.sequenced], time if before is None else before
    _conform_rust.realm_new(early, seed_of("sequencer"), given[0], None, None, None, None, None)
    for envelope in given[1:]:
        assert "record" in _conform_rust.admit(envelope, early, None)
    found: dict[str, Any] = _conform_rust.admit(entry, time, None)
    return found
