"""The light client: the core's and the reference's, beside a follower that keeps every message and judges by checks of proofs."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

from ama2sec import _native, reference
from ama2sec.errors import error
from ama2sec.reference import proofs, tree
from ama2sec.reference.claims import OPEN, Claims
from ama2sec.reference.entry import split_message
from ama2sec.reference.transcript import _History, check_member, check_place
from fuzz.atheris.agree import CORE, KEYS, ask, same
from fuzz.atheris.proving import BRANCHES, for_core


class _Follower(_History):
    """All that came, as the reference's verifier of transcripts holds it; and from where on a light client knows it."""

    def __init__(self, opening: reference.Verified) -> None:
        super().__init__(KEYS, None)
        check_place(opening.envelope.claims, None)
        check_member(opening, opening.envelope.claims.members)
        self.opening = opening
        self.oldest = 1
        self.proof: bytes | None = None

    @property
    def reached(self) -> proofs.Fingerprint:
        return proofs.Fingerprint(bytes(32), self.ids[0], self.ids[0], len(self.ids), self.fingerprints[-1])

    def _check_context(self, claims: Claims) -> None:
        """With the two differences of spec proofs.5.2."""
        known = claims.size >= self.oldest
        if claims.branch == self.ids[0] and claims.size <= len(self.ids) and (self.proof is not None or not known):
            if known:
                raise error("ProofClaim", "no proof", "one")
            if self.proof is None:
                raise error("NeedsProof", "a proof", "none")
            named = replace(self.reached, size=claims.size, value=claims.fingerprint)
            reference.check_consistency(named, self.reached, self.proof)
            return
        super()._check_context(claims)

    def stand_at(self, head: proofs.Fingerprint, last: Sequence[bytes], proof: bytes) -> None:
        found = reference.check_range(head, last, proof)
        if found.begin + len(last) != head.size:
            raise error("ProofClaim", "the last messages", "others")
        ids = _known(head) or found.message_ids
        self.ids = self.ids or [self.opening.envelope.message_id]
        for verified in [reference.verify(entry, KEYS) for entry in last]:
            claims = verified.envelope.claims
            if claims.members is None and claims.seq is not None and claims.conversation != self.ids[0]:
                raise error("ConversationOther", self.ids[0].hex(), claims.conversation.hex())
            if claims.seq is not None:
                self.last_seq[claims.agent] = max(claims.seq, self.last_seq.get(claims.agent, claims.seq))
        self.ids, self.oldest = list(ids), found.begin + 1
        self.fingerprints = [bytes(32), *tree.fingerprints(bytes(32), ids[0], ids[0], ids)][-len(ids) - 1 :]
        self.tree = tree.CompactRange()
        for each in ids:
            self.tree.append(each)
        same(self.reached, head)


def _known(head: proofs.Fingerprint) -> list[bytes]:
    """The leaves under a head, where it is one of the histories that are known."""
    for branch in BRANCHES:
        if branch.reaches(head.size) and branch.head(head.size) == head:
            return list(branch.leaves[: head.size])
    return []


def lightclient(data: bytes) -> str:
    """A script that a light client follows beside one that has everything, or a state file (spec proofs.5)."""
    code, script = ask(reference.decode, data)
    steps = _read_steps(script) if code == "ok" else None
    if steps is None:
        return _state(data)
    followers = _Followers()
    codes = [followers.take(*step) for step in steps]
    return next((code for code in codes if code != "ok"), "ok")


def _state(data: bytes) -> str:
    """A state file: what both read, both write again as it was."""
    core, state = ask(_native.LightState.parse, data, CORE._core)
    other, light = ask(reference.LightClient.parse, data, KEYS)
    same(core, other)
    if core == "ok":
        same(state.encode(), data)
        same(light.encode(), data)
        same(state.head, for_core(light.head))
    return core


def _read_steps(script: object) -> list[list[object]] | None:
    """The steps that ``fuzz/native/attacks`` describes in ``oracle/light.rs``."""
    match script:
        case [0, [*steps]] if type(script[0]) is int:
            read = [_read_step(step) for step in steps[:40]]
            return None if None in read else read
    return None


def _read_step(step: object) -> list[object] | None:
    match step:
        case [1, bytes()] | [3, bytes(), None | bytes()] | [7]:
            return step
        case [4, bytes(), bytes(id), bytes()] if len(id) == 32:
            return step
        case [5, [*head], bytes(id), bytes(proof)] if len(id) == 32 and (read := _read_head(head)):
            return [5, read, id, proof]
        case [2 | 6, [*head], bytes(one), [*last], bytes(proof)] if read := _read_head(head):
            return [step[0], read, one, last, proof] if all(type(each) is bytes for each in last) else None
    return None


def _read_head(head: Sequence[object]) -> proofs.Fingerprint | None:
    match head:
        case [bytes(), bytes(), bytes(), int(size), bytes()] if (
            0 < size < 1 << 48 and type(size) is int and all(len(each) == 32 for each in (*head[:3], head[4]))
        ):
            return proofs.Fingerprint(*head)
    return None


class _Followers:
    """The two light clients, and the follower that has everything: one answer to every step, and one state."""

    def __init__(self) -> None:
        self.core: _native.LightState | None = None
        self.light: reference.LightClient | None = None
        self.twin: _Follower | None = None

    def take(self, number: int, *parts: object) -> str:
        if self.core is None and number not in {1, 2}:
            return "ok"
        before = self.core and self.core.encode()
        core, found = ask(self._core, number, *parts)
        light, other = ask(self._light, number, *parts)
        expected, twin = ask(self._twin, number, *parts)
        same((core, core), (light, expected))
        if core == "ok":
            if number in {1, 2, 6, 7}:
                self.core, self.light, self.twin = found or self.core, other or self.light, twin or self.twin
            same(self.core.head, for_core(self.twin.reached))
            same(self.light.head, self.twin.reached)
            same((self.core.oldest, self.light.oldest), (self.twin.oldest, self.twin.oldest))
        elif self.core is not None:
            same(self.core.encode(), before)
        if self.core is not None:
            same(self.core.encode(), self.light.encode())
        return core

    def _core(self, number: int, *parts: object) -> _native.LightState | None:
        keys = CORE._core
        parts = tuple(map(for_core, parts))
        match number, parts:
            case 1, _:
                return _native.LightState.start(keys, *parts)
            case 2, _:
                return _native.LightState.join(keys, *parts)
            case 3, _:
                self.core.receive(keys, *parts)
            case 4, (entry, first, proof):
                self.core.missing_by_sender(keys, entry, _native.Id(first), proof)
            case 5, (context, first, proof):
                self.core.missing_by_peer(context, _native.Id(first), proof)
            case 6, _:
                self.core.skip(keys, *parts)
            case _:
                return _native.LightState.parse(self.core.encode(), keys)
        return None

    def _light(self, number: int, *parts: object) -> reference.LightClient | None:
        match number, parts:
            case 1, _:
                return reference.LightClient.start(KEYS, *parts)
            case 2, _:
                return reference.LightClient.join(KEYS, *parts)
            case 3, _:
                self.light.receive(*parts)
            case 4, _:
                self.light.missing_by_sender(*parts)
            case 5, _:
                self.light.missing_by_peer(*parts)
            case 6, _:
                self.light.skip(*parts)
            case _:
                return reference.LightClient.parse(self.light.encode(), KEYS)
        return None

    def _twin(self, number: int, *parts: object) -> _Follower | None:
        match number, parts:
            case 1, (entry,):
                twin = _Follower(_opening(entry))
                twin.admit(*split_message(entry))
                twin.last_seq.clear()
                return twin
            case 2, (head, entry, last, proof):
                return self._joined(head, entry, last, proof)
            case 3, (entry, proof):
                self.twin.proof = proof
                self.twin.admit(*split_message(entry))
            case 4, (entry, first, proof):
                verified = reference.verify(entry, KEYS)
                check_member(verified, self.twin.members)  # spec proofs.5.3: judged first
                claims = verified.envelope.claims
                if claims.kind == OPEN:
                    raise error("ArgumentRange", "a context", "none")
                scope = claims.realm, claims.conversation, claims.branch
                self._missing(proofs.Fingerprint(*scope, claims.size, claims.fingerprint), first, proof)
            case 5, (context, first, proof):
                self._missing(context, first, proof)
            case 6, (head, extends, last, proof):
                return self._skipped(head, extends, last, proof)
        return None

    def _joined(self, head: proofs.Fingerprint, entry: bytes, last: list[bytes], proof: bytes) -> _Follower:
        opening = reference.verify(entry, KEYS)
        for each in last:
            reference.verify(each, KEYS)
        twin = _Follower(_opening(entry))
        first = opening.envelope.message_id
        wanted = {"RealmOther": (head.realm, bytes(32)), "ConversationOther": (head.conversation, first)}
        for code, (found, right) in (wanted | {"BranchUnknown": (head.branch, first)}).items():
            if found != right:
                raise error(code, right.hex(), found.hex())
        twin.members = opening.envelope.claims.members
        twin.stand_at(head, last, proof)
        return twin

    def _missing(self, context: proofs.Fingerprint, first: bytes, proof: bytes) -> None:
        form, ours = reference.read_proof(proof), self.twin.reached
        size = len(self.twin.ids)
        related = (context.realm, context.conversation) == (ours.realm, ours.conversation)
        claimed = (form.kind, form.tree, *form.numbers) == (proofs.INCLUSION, proofs.BRANCH, size, context.size)
        if not (related and claimed):
            raise error("ProofClaim", "a proof for this place", "another")
        ids = _known(context)
        if not ids or first != ids[size] or proof != reference.prove_inclusion(reference.Leaves(ids), size):
            raise error("ProofRoot", "the proof", "another")
        if ids[:size] != self.twin.ids:
            raise error("ContextForked", "our messages", "others")

    def _skipped(self, head: proofs.Fingerprint, extends: bytes, last: list[bytes], proof: bytes) -> _Follower:
        for each in last:
            reference.verify(each, KEYS)
        twin = copy.copy(self.twin)
        twin.last_seq = dict(twin.last_seq)
        if head.branch != twin.reached.branch:
            raise error("BranchUnknown", twin.reached.branch.hex(), head.branch.hex())
        if head != twin.reached:
            reference.compare_heads(twin.reached, head, extends)
            twin.stand_at(head, last, proof)
        return twin


def _opening(entry: bytes) -> reference.Verified:
    return reference.verify(entry, KEYS)
