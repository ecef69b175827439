"""Every code that a realm gives, met for real: the act that earns it stands here, one line a code.

An act makes a realm, hands entries to the engine, and gives the code of the last answer; or it raises.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, Final

from ama2sec import Id, PublicKey
from ama2sec._native import LatchFile, RealmEngine, SigningKey
from ama2sec.halt.permit import Permit
from ama2sec.realm import (
    check_checkpoint,
    check_equivocation,
    check_fork,
    check_receipt,
    fork_evidence,
    parse_record,
    replay_realm,
)
from ama2sec.reference import decode, encode
from tests.realm_world import ENROL, ERASE, POLICY, REVOKE, TIME, World, key_of, policy, seed_of

__all__ = ["REALM_ACTS"]

OTHER: Final = bytes([7]) * 32


class Desk(World):
    """A world whose entries an engine takes as well, and a conversation of alice and bob in it."""

    engine: RealmEngine
    last: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        sequencer = SigningKey.from_seed(seed_of("sequencer"))
        self.engine, self.last = RealmEngine.create(self.genesis, sequencer, TIME)

    def take(self, envelope: bytes, time: int | None = None, body: bytes | None = None) -> Any:
        found = super().take(envelope, time, body)
        if "engine" in vars(self):
            self.last = self.engine.submit(envelope, TIME if time is None else time)
        return found

    def hand_in(self, envelope: bytes, time: int = TIME) -> str:
        """To the engine alone. The code of its answer."""
        code = self.engine.submit(envelope, time).code
        return "admitted" if code is None else code

    def talk_of(self, *names: str) -> bytes:
        self.people(*names)
        return self.opened(names[0])


def realm(act: Callable[[Desk, bytes], str], **how: Any) -> Callable[[object], object]:
    """An act in a realm with a conversation of alice and bob; the code is raised as a look-up that found it."""

    def run(_: object) -> object:
        desk = Desk(**how)
        raise LookupError(act(desk, desk.talk_of("alice", "bob")))

    return run


def said(**how: Any) -> Callable[[object], object]:
    return realm(lambda desk, talk: desk.hand_in(desk.say("alice", talk, **how)))


def entered(kind: int, own: Any, **how: Any) -> Callable[[object], object]:
    return realm(lambda desk, _: desk.hand_in(desk.entry(kind, "root-1", own)), **how)


def child(act: Callable[[Desk, bytes], bytes], **grant: Any) -> Callable[[object], object]:
    """What alice's child hands in."""

    def run(desk: Desk, talk: bytes) -> str:
        desk.spawned("alice", talk, "kid", grant=desk.grant("kid", **grant))
        return desk.hand_in(act(desk, talk))

    return realm(run)


def revoked(desk: Desk, talk: bytes) -> str:
    desk.take(desk.entry(REVOKE, "root-1", [desk.ids["alice"], None, ""]))
    return desk.hand_in(desk.say("alice", talk))


def closed(desk: Desk, talk: bytes, *, whole: bool) -> str:
    desk.take(desk.close("bob", talk, whole=whole))
    return desk.hand_in(desk.say("alice", talk))


def ended(desk: Desk, talk: bytes) -> bytes:
    desk.take(desk.close("bob", talk, branch=desk.ids["kid"]))
    return desk.say("kid", talk, branch=desk.ids["kid"], n=desk.talk(talk).branches[desk.ids["kid"]].size - 1)


def under(desk: Desk, talk: bytes) -> str:
    branch = desk.take(desk.fork("alice", talk)).entry.message_id
    main = desk.talk(talk).branches[talk]
    size, parent = main.size, main.leaves[0]
    context = [size, main.fingerprint(size), *desk.registry_context()]
    return desk.hand_in(desk.say("alice", talk, branch=branch, c5=context, c6=[branch, parent, []]))


def merged(*head: Any) -> Callable[[object], object]:
    """A merge of this head; of the branch that alice has forked off where it says None, of its fingerprint likewise."""

    def run(desk: Desk, talk: bytes) -> str:
        branch = desk.take(desk.fork("alice", talk)).entry.message_id
        named = branch if head[0] is None else head[0]
        print_ = desk.talk(talk).branches[branch].fingerprint(2) if head[2] is None else head[2]
        place = [talk, desk.talk(talk).branches[talk].leaves[-1], [[named, head[1], print_]]]
        return desk.hand_in(desk.say("alice", talk, c6=place))

    return realm(run)


def stale(desk: Desk, talk: bytes) -> str:
    branch = desk.take(desk.fork("alice", talk)).entry.message_id
    desk.take(desk.say("alice", talk, merges=[(branch, 2)]))
    return desk.hand_in(desk.say("alice", talk, merges=[(branch, 2)]))


def forked_merge(desk: Desk, talk: bytes) -> str:
    branch = desk.take(desk.fork("alice", talk)).entry.message_id
    return desk.hand_in(desk.fork("bob", talk, merges=[(branch, 2)]))


def granted(**changes: Any) -> Callable[[object], object]:
    return realm(lambda desk, talk: desk.hand_in(desk.spawn("alice", talk, "kid", grant=desk.grant("kid", **changes))))


def flooded(desk: Desk, talk: bytes) -> str:
    return [desk.hand_in(desk.say("alice", talk, c6=[talk, OTHER, []])) for _ in range(65)][-1]


def enrolled_twice(desk: Desk, key: str, name: str) -> str:
    return desk.hand_in(desk.enrol(key, name=name))


def held(desk: Desk, _: bytes) -> str:
    desk.take(desk.entry(POLICY, "root-1", [desk.id, policy(hold=True)]))
    return desk.hand_in(desk.entry(ERASE, "root-1", [OTHER, ""]))


def halted(desk: Desk, talk: bytes) -> str:
    desk.take(desk.local_halt())
    return desk.hand_in(desk.say("bob", talk))


def latched(desk: Desk, talk: bytes) -> str:
    desk.engine.halts.halt_locally(encode([0]), "wrong prices", TIME)
    return desk.hand_in(desk.say("bob", talk))


def late(desk: Desk, talk: bytes) -> str:
    permit = Permit(desk.engine.halts, Id(talk), Id(desk.ids["alice"]), 1e-9)
    permit.check()
    return "in time"


def unreadable_sidecar(at: Any) -> object:
    for name, data in (("x.db", b""), ("x.db.stop", b"rubbish")):
        (at.folder / name).write_bytes(data)
    return LatchFile.open(at.folder / "x.db")


def begun(**how: Any) -> Callable[[object], object]:
    """A genesis whose document is changed."""

    def run(_: object) -> object:
        world = World()
        _, _, payload, _ = decode(world.genesis[1:])
        claims = decode(payload)
        document = list(claims[18])
        for place, value in how.items():
            document[int(place[1:])] = value
        made = world.sign("root-1", claims, {"c18": document})
        return RealmEngine.create(made, SigningKey.from_seed(seed_of("sequencer")), TIME)

    return run


def replayed(change: Callable[[dict[str, Any]], None]) -> Callable[[object], object]:
    """A realm transcript in which one record's field is changed."""

    def run(_: object) -> object:
        desk = Desk()
        desk.talk_of("alice", "bob")
        data = desk.engine.export()
        record = desk.last.record
        view = {"bytes": record}
        change(view)
        return replay_realm(data.replace(record, view["bytes"]))

    return run


def patched(begin: int, value: bytes) -> Callable[[dict[str, Any]], None]:
    def change(view: dict[str, Any]) -> None:
        record = view["bytes"]
        view["bytes"] = record[:begin] + value + record[begin + len(value) :]

    return change


def head_of(desk: Desk) -> bytes:
    return desk.engine.head().encode()


def checked(
    change: Callable[[bytes], bytes], key: str = "sequencer", origin: str | None = None
) -> Callable[[object], object]:
    def run(_: object) -> object:
        desk = Desk()
        wanted = desk.engine.origin if origin is None else origin
        return check_checkpoint(change(head_of(desk)), PublicKey(key_of(key)), wanted)

    return run


def kept(sizes: tuple[int, int]) -> Callable[[object], object]:
    """A replay against a head that another realm of the same genesis gave: of this many entries each."""

    def run(_: object) -> object:
        one, other = Desk(), Desk()
        names = ["alice", "bob", "carol"]
        one.people(*names[: sizes[0]])
        other.people(*reversed(names[: sizes[1]]))
        return replay_realm(one.engine.export(), head=other.engine.head())

    return run


def false_root(_: object) -> object:
    one, other = Desk(), Desk()
    one.people("alice")
    other.people("bob")
    data = one.engine.export()
    return replay_realm(data.replace(head_of(one), head_of(other)))


def receipt_of(change: Callable[[bytes], bytes]) -> Callable[[object], object]:
    def run(_: object) -> object:
        desk = Desk()
        key, origin = PublicKey(key_of("sequencer")), desk.engine.origin
        return check_receipt(change(desk.engine.receipt(0)), desk.genesis, key, origin)

    return run


def same_heads(_: object) -> object:
    desk, other = Desk(), Desk()
    desk.people("alice")
    evidence = fork_evidence(head_of(desk), head_of(other))
    return check_fork(evidence, PublicKey(key_of("sequencer")), desk.engine.origin)


def file_with(*edits: str, damage: bool = False) -> Callable[[Any], object]:
    """Opening a realm's file whose owner has edited it."""

    def run(place: Any) -> object:
        path = place.folder / "realm.db"
        sequencer = SigningKey.from_seed(seed_of("sequencer"))
        engine, _ = RealmEngine.create(World().genesis, sequencer, TIME, path=path)
        realm = engine.realm
        del engine
        connection = sqlite3.connect(path, isolation_level=None)
        for edit in edits:
            connection.execute(edit)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        if damage:
            path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 4096 + path.read_bytes()[8192:])
        return RealmEngine.load(path, sequencer, realm)

    return run


REALM_ACTS: Final[dict[str, Callable[[Any], object]]] = {
    "LogForm": file_with("PRAGMA application_id = 1"),
    "LogVersion": file_with("PRAGMA user_version = 2"),
    "LogFailed": file_with("DROP TABLE meta"),
    "LogDamaged": file_with(damage=True),
    "QuotaExceeded": realm(flooded),
    "ConversationUnknown": said(c2=OTHER),
    "PrincipalRevoked": realm(revoked),
    "GrantEnded": child(ended),
    "GrantExpired": realm(
        lambda desk, talk: (
            desk.spawned("alice", talk, "kid", grant=desk.grant("kid", expires=TIME + 1)),
            desk.hand_in(desk.say("kid", talk, branch=desk.ids["kid"]), TIME + 1),
        )[-1]
    ),
    "RegistryForked": realm(
        lambda desk, talk: desk.hand_in(
            desk.say("alice", talk, c5=[1, desk.talk(talk).branches[talk].fingerprint(1), 1, OTHER])
        )
    ),
    "ConversationClosed": realm(lambda desk, talk: closed(desk, talk, whole=True)),
    "ContextUnder": realm(under),
    "BranchClosed": realm(lambda desk, talk: closed(desk, talk, whole=False)),
    "GrantPlace": child(lambda desk, talk: desk.say("kid", talk)),
    "GrantScope": child(lambda desk, talk: desk.fork("kid", talk, branch=desk.ids["kid"]), rights=0),
    "MergeForm": realm(forked_merge),
    "MergeUnknown": merged(OTHER, 1, OTHER),
    "MergeAhead": merged(None, 99, None),
    "MergeUnder": merged(None, 1, None),
    "MergeForked": merged(None, 2, OTHER),
    "MergeStale": realm(stale),
    "ForkKey": granted(offer=bytes(64)),
    "ForkForm": granted(expires=TIME),
    "ForkWidens": child(
        lambda desk, talk: desk.spawn("kid", talk, "grandkid", branch=desk.ids["kid"], grant=desk.grant("grandkid")),
        depth=1,
    ),
    "WorkflowUnknown": said(c7=[None, OTHER, "pay", {}, None]),
    "PossessionInvalid": realm(
        lambda desk, _: desk.hand_in(desk.enrol("carol", own=[*desk.enrolment("carol")[:6], bytes(64)]))
    ),
    "KeyEnrolled": realm(lambda desk, _: enrolled_twice(desk, "alice", "alicia")),
    "NameEnrolled": realm(lambda desk, _: enrolled_twice(desk, "carol", "alice")),
    "RotationInvalid": realm(
        lambda desk, _: desk.hand_in(desk.enrol("carol", name="alice", replaces=desk.ids["alice"]))
    ),
    "RevokeInvalid": entered(REVOKE, [OTHER, None, ""]),
    "PolicyInvalid": entered(POLICY, [OTHER, policy()]),
    "DefinitionInvalid": entered(20, ["orders", OTHER, b"x"]),
    "EraseInvalid": realm(held),
    "GenesisInvalid": begun(d5=policy(q1=16)),
    "RulesUnsupported": begun(d1=2),
    "ProposalInvalid": realm(lambda desk, _: desk.hand_in(desk.approve(ENROL, "root-1", OTHER))),
    "Halted": realm(halted),
    "ResumeInvalid": realm(lambda desk, _: desk.hand_in(desk.resume("root-1", [OTHER]))),
    "Latched": realm(latched),
    "LatchForm": unreadable_sidecar,
    "PermitExpired": realm(late),
    "RecordForm": lambda _: parse_record(b"a2r\1"),
    "RecordPosition": replayed(patched(4, bytes([0, 0, 0, 0, 0, 9]))),
    "RecordTime": replayed(patched(10, bytes(6))),
    "RecordRegistry": replayed(patched(16, bytes(6))),
    "RecordDigest": replayed(patched(22, bytes(32))),
    "RecordPrev": replayed(patched(156, bytes([0, 0, 0, 0, 0, 9]))),
    "RecordVerdict": replayed(patched(162, b"\1\x2d")),
    "CheckpointForm": checked(lambda text: text + b"\n"),
    "CheckpointKey": checked(lambda text: text, key="alice"),
    "CheckpointOther": checked(lambda text: text, origin="other/00"),
    "CheckpointRoot": false_root,
    "CheckpointForked": kept((2, 2)),
    "CheckpointStale": kept((1, 2)),
    "ReceiptForm": receipt_of(lambda receipt: receipt + b"\0"),
    "EvidenceForm": lambda _: check_equivocation(encode(["poem"]), PublicKey(key_of("alice"))),
    "EvidenceInvalid": same_heads,
}
