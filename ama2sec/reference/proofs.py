"""What a stranger can check of a history (spec proofs.1 to .4 and .7): every proof that there is, made and checked.

A proof of any type is the roots of a few spans of leaves, and its numbers say of which. To check one is to compute the
root of the whole from the spans, by the tree's own definition; so one recursion checks inclusion, ranges and consistency.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ama2sec.limits import MAX_HOPS, SIZE_END
from ama2sec.reference import hashes, tree
from ama2sec.reference.claims import Claims, read_claims
from ama2sec.reference.entry import split_message
from ama2sec.reference.envelope import Envelope, honest_header, parse_envelope, sig_structure
from ama2sec.reference.forms import refuse
from ama2sec.reference.proof_form import (
    ANCESTRY,
    BRANCH,
    CONSISTENCY,
    INCLUSION,
    MAGIC,
    NODE,
    RANGE,
    REALM,
    Hop,
    Proof,
    check_bytes,
    check_numbers,
    read_proof,
    root_over,
    siblings,
    spans,
    subproof,
)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A history as somebody trusts it: its scope, its size, and the fingerprint of its first ``size`` leaves."""

    realm: bytes
    conversation: bytes
    branch: bytes
    size: int
    value: bytes

    def is_of(self, root: bytes) -> bool:
        """Whether this is the fingerprint over the root."""
        return hashes.fingerprint(self.realm, self.conversation, self.branch, self.size, root) == self.value


class Tree(Protocol):
    """What a prover asks of a tree: which one it is (``BRANCH`` or ``REALM``), how large, and the roots of its spans."""

    @property
    def tree(self) -> int: ...
    @property
    def size(self) -> int: ...
    def root(self, begin: int, end: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Leaves:
    """A tree over leaves that are all there: message ids, or the leaf hashes of records."""

    leaves: Sequence[bytes]
    tree: int = BRANCH

    @property
    def size(self) -> int:
        return len(self.leaves)

    def root(self, begin: int, end: int) -> bytes:
        return tree.root(self.leaves[begin:end], NODE[self.tree])


# -- making proofs: proofs.1.6 -------------------------------------------------------------------------------------


def prove_inclusion(leaves: Tree, index: int, size: int | None = None) -> bytes:
    """That leaf ``index`` is in the first ``size`` leaves (None: all). Raises ``ArgumentRange``, as all provers do."""
    return _prove(leaves, INCLUSION, index, leaves.size if size is None else size)


def prove_consistency(leaves: Tree, old_size: int, new_size: int | None = None) -> bytes:
    """That the first ``new_size`` leaves begin with the first ``old_size``."""
    return _prove(leaves, CONSISTENCY, old_size, leaves.size if new_size is None else new_size)


def prove_range(leaves: Tree, begin: int, end: int, size: int | None = None) -> bytes:
    """Which leaves are [begin, end) of the first ``size``."""
    return _prove(leaves, RANGE, begin, end, leaves.size if size is None else size)


def _prove(leaves: Tree, kind: int, *numbers: int) -> bytes:
    return b"".join([_head(kind, leaves.tree), *_fields(leaves, kind, *numbers)])


def _head(kind: int, in_tree: int) -> bytes:
    return MAGIC + bytes([1, kind, in_tree])


def _fields(leaves: Tree, kind: int, *numbers: int) -> list[bytes]:
    check_numbers(kind, numbers, "ArgumentRange")
    if numbers[-1] > leaves.size:
        refuse("ArgumentRange", f"a size of at most {leaves.size}", str(numbers[-1]))
    roots = [leaves.root(begin, end) for begin, end in spans(kind, numbers)]
    return [*(number.to_bytes(6, "big") for number in numbers), *roots]


@dataclass(frozen=True, slots=True)
class Step:
    """One hop of an ancestry proof as its maker has it: leaf ``index`` under the first ``size`` of ``leaves``. But for the
    last, that leaf is ``envelope``, and the head that it merges at place ``merge`` is the one of the next step."""

    leaves: Tree
    index: int
    size: int
    envelope: Envelope | None = None
    merge: int = 0


def prove_ancestry(steps: Sequence[Step]) -> bytes:
    """That one comes by these steps from the head of the first to the leaf of the last (proofs.4.2)."""
    if not 1 <= len(steps) <= MAX_HOPS:
        refuse("ArgumentRange", f"1 to {MAX_HOPS} steps", str(len(steps)))
    found = [_head(ANCESTRY, BRANCH), bytes([len(steps)])]
    for number, step in enumerate(steps, 1):
        found += _fields(step.leaves, INCLUSION, step.index, step.size)
        if number < len(steps):
            if step.envelope is None or not 0 <= step.merge < 256:
                refuse("ArgumentRange", "a merging envelope, and the place of a merge", "another step")
            payload = step.envelope.payload
            found += [bytes([step.merge]), step.envelope.kid, len(payload).to_bytes(2, "big"), payload]
    return b"".join(found)


# -- checking proofs -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Included:
    """This very message is entry ``index`` of the history under ``fingerprint``. Not who signed it (proofs.2.4)."""

    message_id: bytes
    index: int
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True)
class RangeIncluded:
    """These messages, in this order, are the entries from ``begin`` of the history under ``fingerprint``."""

    message_ids: list[bytes]
    begin: int
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True)
class Extended:
    """The history under ``new`` begins with the one under ``old``."""

    old: Fingerprint
    new: Fingerprint


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Both heads are this one."""

    head: Fingerprint


@dataclass(frozen=True, slots=True)
class Ancestor:
    """The message lies in the past of ``trusted``: it is leaf ``index`` under ``head``, to which the messages ``via`` lead."""

    message_id: bytes
    index: int
    trusted: Fingerprint
    head: Fingerprint
    via: list[bytes]


def check_inclusion(fingerprint: Fingerprint, envelope: bytes, proof: bytes) -> Included:
    """The steps of proofs.2.3: the message, as it travels, is where the proof says, under a fingerprint that is trusted."""
    found = _read_claimed(proof, INCLUSION, BRANCH, fingerprint.size)  # a
    message_id = _parse(envelope).message_id  # b
    if not fingerprint.is_of(_path_root(found.numbers, found.hashes, message_id)):  # c
        refuse("ProofRoot", "a path to the trusted fingerprint", "another root")
    return Included(message_id, found.numbers[0], fingerprint)


def check_range(fingerprint: Fingerprint, envelopes: Sequence[bytes], proof: bytes) -> RangeIncluded:
    """The steps of proofs.2.6: these messages are these leaves."""
    found = _read_claimed(proof, RANGE, BRANCH, fingerprint.size)
    begin, end, size = found.numbers
    if len(envelopes) != end - begin:
        refuse("ArgumentRange", f"{end - begin} messages", f"{len(envelopes)}")
    ids = [_parse(envelope).message_id for envelope in envelopes]
    known = found.known() | {(i, i + 1): leaf for i, leaf in enumerate(ids, begin)}
    if not fingerprint.is_of(root_over(known, 0, size, hashes.node)):
        refuse("ProofRoot", "leaves under the trusted fingerprint", "another root")
    return RangeIncluded(ids, begin, fingerprint)


def check_consistency(old: Fingerprint, new: Fingerprint, proof: bytes) -> Extended:
    """The steps of proofs.3.3: both roots come out of the proof, the new one first."""
    found = read_proof(proof)  # a
    _check_one_conversation(old, new)
    _check_claim(found, CONSISTENCY, BRANCH, old.size, new.size)
    known = found.known()
    if not new.is_of(root_over(known, 0, new.size, hashes.node)):  # b
        refuse("ProofRoot", "the new fingerprint", "another root")
    if not old.is_of(root_over(known, 0, old.size, hashes.node)):  # c
        refuse("ConsistencyRoot", "the old fingerprint", "another root")
    return Extended(old, new)


def compare_heads(old: Fingerprint, new: Fingerprint, proof: bytes | None = None) -> Extended | Unchanged:
    """The steps of proofs.3.6: the same head, or one that extends the old one."""
    _check_one_conversation(old, new)
    if old.size == new.size:
        if old != new:
            refuse("HeadForked", f"{old.size}:{old.value.hex()}", f"{new.size}:{new.value.hex()}")
        if proof is not None:
            refuse("ProofClaim", "no proof for one and the same head", "a proof")
        return Unchanged(new)
    if new.size < old.size:
        refuse("HeadStale", f"a size of at least {old.size}", str(new.size))
    if proof is None:
        refuse("NeedsProof", "a consistency proof", "none")
    return check_consistency(old, new, proof)


def check_ancestry(fingerprint: Fingerprint, envelope: bytes, proof: bytes) -> Ancestor:
    """The steps of proofs.4.3: through the merged heads, from the trusted one to the message."""
    found = read_proof(proof)
    if found.kind != ANCESTRY or found.hops[0].size != fingerprint.size:
        refuse("ProofClaim", f"an ancestry of size {fingerprint.size}", f"type {found.kind}")
    message_id = _parse(envelope).message_id
    head, via = fingerprint, []
    for hop in found.hops[:-1]:
        _check_hop_size(hop, head)  # a
        claims, leaf = _merging(hop)  # b
        _check_hop_path(hop, head, leaf)  # c
        head = _next_head(head, claims, hop.merge)  # d
        via.append(leaf)
    last = found.hops[-1]
    _check_hop_size(last, head)
    _check_hop_path(last, head, message_id)
    return Ancestor(message_id, last.index, fingerprint, head, via)


def _merging(hop: Hop) -> tuple[Claims, bytes]:
    header = honest_header(hop.kid)
    return read_claims(hop.claims, hop.kid), hashes.message_id(sig_structure(header, hop.claims))


def _check_hop_size(hop: Hop, head: Fingerprint) -> None:
    if hop.size != head.size:
        refuse("AncestryRoot", f"a path at size {head.size}", f"one at {hop.size}")


def _check_hop_path(hop: Hop, head: Fingerprint, leaf: bytes) -> None:
    if not head.is_of(_path_root((hop.index, hop.size), hop.path, leaf)):
        refuse("AncestryRoot", f"a path to the head of size {head.size}", "another root")


def _next_head(head: Fingerprint, claims: Claims, merge: int) -> Fingerprint:
    if (claims.realm, claims.conversation) != (head.realm, head.conversation) or merge >= len(claims.merges):
        refuse("AncestryRoot", "a merged head of this conversation", "none at this place")
    found = claims.merges[merge]
    return Fingerprint(head.realm, head.conversation, found.branch, found.size, found.fingerprint)


def _path_root(numbers: Sequence[int], path: Sequence[bytes], leaf: bytes, node: tree.Node = hashes.node) -> bytes:
    index, size = numbers
    known = dict(zip(siblings(index, 0, size), path, strict=True))
    return root_over(known | {(index, index + 1): leaf}, 0, size, node)


def _read_claimed(proof: bytes, kind: int, in_tree: int, *sizes: int) -> Proof:
    found = read_proof(proof)
    _check_claim(found, kind, in_tree, *sizes)
    return found


def _check_claim(found: Proof, kind: int, in_tree: int, *sizes: int) -> None:  # 1.4
    stated = found.numbers if kind == CONSISTENCY else found.numbers[-1:]
    if (found.kind, found.tree) != (kind, in_tree) or stated != sizes:
        refuse("ProofClaim", f"type {kind} in tree {in_tree}, of {sizes}", f"type {found.kind} in tree {found.tree}")


def _check_one_conversation(old: Fingerprint, new: Fingerprint) -> None:
    if (old.realm, old.conversation) != (new.realm, new.conversation):
        refuse("ProofClaim", "one realm and one conversation", "two")


def _parse(message: bytes) -> Envelope:
    """A message as it travels (1.5)."""
    check_bytes(message)
    return parse_envelope(split_message(message)[0])


# -- the SHA-256 tree: proofs.7 ------------------------------------------------------------------------------------


def check_record_inclusion(record: bytes, index: int, size: int, root: bytes, proof: bytes) -> None:
    """That a record is leaf ``index`` under a root (proofs.7.2): the proof in the form of section 1, with tree 2."""
    found = _read_claimed(proof, INCLUSION, REALM, size)
    if found.numbers[0] != index:
        refuse("ProofClaim", f"index {index}", str(found.numbers[0]))
    if _path_root(found.numbers, found.hashes, tree.rfc6962_leaf(record), tree.rfc6962_node) != root:
        refuse("ProofRoot", "a path to the root", "another root")


def check_realm_consistency(old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: bytes) -> None:
    """That a realm tree extends another one (proofs.7.2)."""
    known = _read_claimed(proof, CONSISTENCY, REALM, old_size, new_size).known()
    if root_over(known, 0, new_size, tree.rfc6962_node) != new_root:
        refuse("ProofRoot", "the new root", "another root")
    if root_over(known, 0, old_size, tree.rfc6962_node) != old_root:
        refuse("ConsistencyRoot", "the old root", "another root")


def rfc6962_check_inclusion(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """A list of hashes as RFC 9162, 2.1.3 has it (proofs.7.1). Raises ``ProofIndex``, ``ProofForm``, ``ProofRoot``.

    Whoever lets others choose the leaf hash has proved nothing about data.
    """
    _check_list_numbers(INCLUSION, index, size)
    _check_list(proof, len(siblings(index, 0, size)), leaf_hash, root)
    if _path_root((index, size), proof, leaf_hash, tree.rfc6962_node) != root:
        refuse("ProofRoot", "a path to the root", "another root")


def rfc6962_check_consistency(
    old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """A list of hashes as RFC 9162, 2.1.4 has it: without the seed where the old tree is complete (proofs.7.1)."""
    _check_list_numbers(CONSISTENCY, old_size, new_size)
    spans = subproof(old_size, 0, new_size)
    is_complete = spans[0] == (0, old_size)  # then the old root is the seed
    _check_list(proof, len(spans) - is_complete, old_root, new_root)
    known = dict(zip(spans, [old_root, *proof] if is_complete else proof, strict=True))
    if root_over(known, 0, new_size, tree.rfc6962_node) != new_root:
        refuse("ProofRoot", "the new root", "another root")
    if root_over(known, 0, old_size, tree.rfc6962_node) != old_root:
        refuse("ConsistencyRoot", "the old root", "another root")


def _check_list_numbers(kind: int, *numbers: int) -> None:
    if any(type(number) is not int for number in numbers):
        refuse("ArgumentType", "integers", "something else")
    check_numbers(kind, numbers, "ProofIndex")
    if numbers[-1] >= SIZE_END:
        refuse("ProofIndex", f"a size below {SIZE_END}", str(numbers[-1]))


def _check_list(proof: Sequence[bytes], length: int, *others: bytes) -> None:
    for each in (*proof, *others):
        check_bytes(each)
    if len(proof) != length or any(len(each) != 32 for each in (*proof, *others)):
        refuse("ProofForm", f"{length} hashes of 32 bytes", f"{len(proof)}, or others")
