"""The reference's answers to the questions about realms (spec conform): offers, and one realm for each stream."""

from __future__ import annotations

from typing import Final, TypeAlias

from ama2sec.errors import Ama2Error, error
from ama2sec.reference import hashes
from ama2sec.reference.admission import Admitted
from ama2sec.reference.claims import HALT, LOCAL_HALT, OF_THE_REGISTRY, RESUME
from ama2sec.reference.digest import conversation_digest, registry_digest
from ama2sec.reference.entry import BodyPart, split_message
from ama2sec.reference.envelope import parse, public_of_seed
from ama2sec.reference.kinds import QUORUMS, Genesis
from ama2sec.reference.names import check_name
from ama2sec.reference.realm import Realm, Taken, make_genesis, make_local_halt, make_offer
from ama2sec.reference.view_forms import Json
from ama2sec.reference.view_realm import policy_from_view

Answer: TypeAlias = dict[str, Json]

_LAX: Final[Json] = {**dict.fromkeys(QUORUMS, 1), "hold": False}


def offer(seed: bytes, realm: bytes, purpose: int, name: str, next: bytes | None) -> Answer:  # noqa: A002
    """A proof of possession."""
    made = make_offer(seed, realm, purpose, check_name(name), next)
    return {"key": public_of_seed(seed).hex(), "offer": made.hex()}


def next_key(key: bytes) -> Answer:
    """The digest that commits to a key."""
    return {"next": hashes.next_key(key).hex()}


class Stream:
    """What a stream of questions has begun: one realm at most."""

    realm: Realm | None = None


def realm_new(
    time: int,
    sequencer_seed: bytes,
    envelope: bytes | None,
    name: str | None,
    root_seeds: list[bytes] | None,
    policy: Json,
    profile: int | None,
    salt: bytes | None,
) -> Answer:
    """A realm that begins with this genesis, or with one that is made. Where it is refused there is none."""
    Stream.realm = None
    if envelope is None:
        if name is None or root_seeds is None or salt is None:
            raise error("Internal", "what a genesis is made of", "less")
        lax, profile = policy_from_view(_LAX if policy is None else policy), 1 if profile is None else profile
        envelope = make_genesis(name, root_seeds, sequencer_seed, lax, profile, time, salt)
    _check_sequencer(envelope, sequencer_seed)
    realm = Realm(sequencer_seed)
    try:
        taken = realm.take(envelope, None, time)
    except Ama2Error as fault:
        return _refused(fault)
    if isinstance(taken, int):
        raise error("Internal", "a first entry", "a duplicate")
    Stream.realm = realm
    return {"realm": realm.records[0][86:118].hex(), "envelope": envelope.hex(), **_sequenced(realm, taken)}


def _refused(fault: Ama2Error) -> Answer:
    return {"code": fault.code, "verdict": "refused", "expected": fault.expected, "got": fault.got}


def _realm() -> Realm:
    if Stream.realm is None:
        raise error("ConformQuestion", "realm_new first", "no realm")
    return Stream.realm


def state_digest(conversation: bytes | None) -> Answer:
    """The digests as they are."""
    state = _realm().state
    found: Answer = {
        "registry": None if state.registry is None else registry_digest(state.registry).hex(),
        "conversation": None,
    }
    if conversation is not None:
        if conversation not in state.conversations:
            raise error("ConversationUnknown", "a conversation of this realm", conversation.hex())
        found["conversation"] = conversation_digest(state.conversations[conversation]).hex()
    return found


def head() -> Answer:
    """The checkpoint of all records so far."""
    return {"checkpoint": _realm().checkpoint().decode()}


def _check_sequencer(envelope: bytes, seed: bytes) -> None:
    """The seed is that of the genesis's sequencer (``ArgumentRange``), if the envelope parses as a genesis."""
    try:
        own = parse(envelope).claims.own
    except Ama2Error:
        return
    if isinstance(own, Genesis) and own.sequencer.key != public_of_seed(seed):
        raise error("ArgumentRange", "the seed of the genesis's sequencer", "another")


def admit(envelope: bytes, time: int, body: BodyPart | None) -> Answer:
    """What becomes of one entry."""
    realm = _realm()
    try:
        bare, carried = split_message(envelope)
        if carried is not None and body is not None:
            raise error("ArgumentType", "one body", "one in the entry and one beside it")
        taken = realm.take(bare, body or carried, time)
    except Ama2Error as fault:
        if fault.code == "ArgumentType":  # the asker's fault is no verdict
            raise
        return _refused(fault)
    if isinstance(taken, int):
        return {"verdict": "duplicate", "position": taken}
    return _sequenced(realm, taken)


def halt(time: int, envelope: bytes | None, scope: bytes | None, reason: str | None, salt: bytes | None) -> Answer:
    """What becomes of a halt, or of a local halt that is made here."""
    realm = _realm()
    if envelope is not None:
        _check_kind(envelope, {HALT, LOCAL_HALT})
        return admit(envelope, time, None)
    if scope is None or reason is None or salt is None or realm.state.registry is None:
        raise error("Internal", "what a local halt is made of", "less")
    made = make_local_halt(realm.sequencer_seed, realm.state.registry.realm, scope, reason, time, salt)
    return {"envelope": made.hex(), **admit(made, time, None)}


def resume(envelope: bytes, time: int) -> Answer:
    """What becomes of a resume."""
    _realm()
    _check_kind(envelope, {RESUME})
    return admit(envelope, time, None)


def _check_kind(envelope: bytes, kinds: set[int]) -> None:
    """Bytes that do not parse are left to ``admit``, which says why."""
    try:
        kind = parse(envelope).claims.kind
    except Ama2Error:
        return
    if kind not in kinds:
        raise error("ConformQuestion", f"an envelope of kind {sorted(kinds)}", str(kind))


def _sequenced(realm: Realm, taken: Taken) -> Answer:
    verdict, record, state = taken.verdict, taken.record, realm.state
    if isinstance(verdict, Admitted):
        found: Answer = {"verdict": "admitted", "position": record.position, "conversation": record.conversation.hex()}
        found |= {"branch": record.branch.hex(), "index": record.index, "fingerprint": _fingerprint(realm, verdict)}
    else:
        found = {"code": verdict.fault.code, "verdict": "rejected", "position": record.position}
        found["conversation"] = record.conversation.hex()
    registry = None if state.registry is None else registry_digest(state.registry).hex()
    conversation = state.conversations.get(record.conversation)
    digest = None if conversation is None else conversation_digest(conversation).hex()
    found["digest"] = registry if taken.entry.claims.kind in OF_THE_REGISTRY else digest
    found |= {"registry_digest": registry, "record": realm.records[-1].hex()}
    if not isinstance(verdict, Admitted):
        found |= {"expected": verdict.fault.expected, "got": verdict.fault.got}
    return found


def _fingerprint(realm: Realm, home: Admitted) -> str:
    """Of the home branch, with this entry as its last leaf."""
    registry = realm.state.registry
    if registry is not None and home.conversation == registry.realm:
        return registry.fingerprints[home.index + 1].hex()
    return realm.state.conversations[home.conversation].branches[home.branch].fingerprint(home.index + 1).hex()
