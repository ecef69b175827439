"""The light client from Python: messages, gaps, forks, and a file that never goes back (spec proofs.5)."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from dataclasses import dataclass
from pathlib import Path

import pytest

import ama2sec
from ama2sec import Accumulator, Conversation, Directory, Id, Identity, LightClient, Missing
from ama2sec.errors import Ama2Error
from tests.conftest import identity
from tests.world import Talk

ZERO = Id(bytes(32))


@dataclass
class Told:
    """A conversation of two, as entries, and an accumulator over their ids."""

    entries: list[bytes]
    ids: list[Id]
    tree: Accumulator
    directory: Directory

    def head(self, size: int | None = None) -> ama2sec.Fingerprint:
        return self.tree.fingerprint(size)


@pytest.fixture
def told(tmp_path: Path, alice: Identity, bob: Identity, directory: Directory) -> Told:
    return tell(tmp_path / "told.ama", alice, bob, directory, [f"message {i}".encode() for i in range(39)])


def tell(path: Path, alice: Identity, bob: Identity, directory: Directory, bodies: list[bytes]) -> Told:
    with Conversation.create(path, alice, directory, members=["alice", "bob"]) as mine:
        other = path.with_name("other-" + path.name)
        with Conversation.join(other, bob, directory, mine.to_bytes()) as his:
            for number, body in enumerate(bodies):
                speaker, listener = (mine, his) if number % 2 else (his, mine)
                listener.receive(speaker.send(body).to_bytes())
        messages = list(mine.messages())
    tree = Accumulator(ZERO, messages[0].id)
    tree.extend([message.id for message in messages])
    return Told([m.to_bytes() for m in messages], [m.id for m in messages], tree, directory)


def follow(told: Told, upto: int) -> LightClient:
    client = LightClient(told.directory, told.entries[0])
    for entry in told.entries[1:upto]:
        client.receive(entry)
    return client


def code(call: object, *args: object, **named: object) -> str:
    with pytest.raises(Ama2Error) as caught:
        call(*args, **named)  # type: ignore[operator]
    return caught.value.code


def test_it_follows_without_a_proof_and_holds_the_same_head(told: Told) -> None:
    client = LightClient(told.directory, told.entries[0])
    for size, entry in enumerate(told.entries[1:], start=1):
        assert (client.head, client.size) == (told.head(size), size)
        message = client.receive(entry)
        assert message.sender in {"alice", "bob"}
        assert message.body is not None
    assert client.head == told.head()
    assert client.oldest == 1


def test_it_joins_at_a_trusted_head_with_one_message(told: Told) -> None:
    proof = ama2sec.prove_range(told.tree, 29, 30, 30)
    client = LightClient.join(
        told.directory, told.head(30), opening=told.entries[0], last=[told.entries[29]], proof=proof
    )
    assert (client.size, client.oldest) == (30, 30)
    for entry in told.entries[30:]:
        client.receive(entry)
    assert client.head == told.head()


def test_the_open_and_the_head_are_held_against_each_other(
    told: Told, tmp_path: Path, alice: Identity, bob: Identity
) -> None:
    other = tell(tmp_path / "second.ama", alice, bob, told.directory, [b"x"])
    proof = ama2sec.prove_range(told.tree, 39, 40)
    last = told.entries[39:]
    head = told.head()
    join = LightClient.join
    assert code(join, told.directory, head, opening=other.entries[0], last=last, proof=proof) == "ConversationOther"
    assert code(join, told.directory, told.head(39), opening=told.entries[0], last=last, proof=proof) == "ProofClaim"
    assert code(join, told.directory, head, opening=told.entries[1], last=last, proof=proof) == "OpenMissing"
    assert code(LightClient, told.directory, told.entries[1]) == "OpenMissing"
    assert code(LightClient, "directory", told.entries[0]) == "ArgumentType"
    assert code(LightClient, told.directory, bytearray(told.entries[0])) == "NotBytes"


def test_a_gap_is_seen_and_the_first_missing_message_named_by_its_sender(told: Told) -> None:
    client = follow(told, 20)
    late = told.entries[39]
    assert code(client.receive, late) == "ContextAhead"
    context = ama2sec.parse(late).claims["context_fingerprint"]["size"]
    proof = ama2sec.prove_inclusion(told.tree, 20, context)
    found = client.missing(late, told.ids[20], proof)
    assert isinstance(found, Missing)
    assert (found.id, found.index, found.context.size, found.source) == (told.ids[20], 20, 39, "sender")
    assert code(client.missing, late, told.ids[21], proof) == "ProofRoot"
    # The same from a peer's head, and the client goes on once the message came.
    found = client.missing(told.head(), told.ids[20], ama2sec.prove_inclusion(told.tree, 20))
    assert (found.source, found.context) == ("peer", told.head())
    for entry in told.entries[20:]:
        client.receive(entry)
    assert client.head == told.head()


def test_a_fork_is_told_from_a_gap(told: Told, tmp_path: Path, alice: Identity, bob: Identity) -> None:
    client = follow(told, 20)
    # A keeper who showed somebody else another message 10 (bodies are salted: any other run gives other ids).
    forked = Accumulator(ZERO, told.ids[0])
    forked.extend([*told.ids[:10], Id(b"\7" * 32), *told.ids[11:]])
    with pytest.raises(Ama2Error) as caught:
        client.missing(forked.fingerprint(), told.ids[20], ama2sec.prove_inclusion(forked, 20))
    assert caught.value.code == "ContextForked"
    assert caught.value.expected.startswith("leaves 0 to 16")


def test_a_client_with_an_unknown_author_or_a_non_member_changes_nothing(told: Told, mallory: Identity) -> None:
    client = follow(told, 20)
    stranger = identity("stranger", 77)
    assert code(client.receive, stranger.sign(b"hi").to_bytes()) == "KeyUnknown"
    assert code(client.receive, mallory.sign(b"hi").to_bytes()) == "OpenAgain"
    assert code(client.receive, told.entries[20][:-1]) == "Truncated"
    assert code(client.receive, told.entries[19]) == "SeqUsed"
    assert client.head == told.head(20)


def test_it_skips_ahead_and_never_back(told: Told) -> None:
    client = follow(told, 10)
    extends = ama2sec.prove_consistency(told.tree, 10, 35)
    proof = ama2sec.prove_range(told.tree, 33, 35, 35)
    client.skip(told.head(35), extends=extends, last=told.entries[33:35], proof=proof)
    assert (client.head, client.oldest) == (told.head(35), 34)
    assert code(client.skip, told.head(10), extends=extends, last=[], proof=proof) == "HeadStale"
    client.receive(told.entries[35])


def test_its_state_is_small_and_comes_back(told: Told, tmp_path: Path) -> None:
    client = follow(told, 40)
    path = tmp_path / "state"
    client.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size < 4000
    again = LightClient.load(path, told.directory)
    assert (again.head, again.oldest, repr(again)) == (client.head, 1, f"<LightClient at {client.head}>")
    with pytest.raises(TypeError):
        pickle.dumps(client)


def test_its_state_never_goes_back(told: Told, tmp_path: Path, alice: Identity, bob: Identity) -> None:
    path = tmp_path / "state"
    follow(told, 30).save(path)
    before = path.read_bytes()
    assert code(follow(told, 29).save, path) == "HeadStale"
    other = tell(tmp_path / "second.ama", alice, bob, told.directory, [b"x"])
    assert code(follow(other, 2).save, path) == "ConversationOther"
    # Joined later, it does not know size 30.
    proof = ama2sec.prove_range(told.tree, 37, 38, 38)
    late = LightClient.join(
        told.directory, told.head(38), opening=told.entries[0], last=[told.entries[37]], proof=proof
    )
    assert code(late.save, path) == "NeedsProof"
    assert path.read_bytes() == before
    again = LightClient.load(path, told.directory)
    again.skip(
        told.head(38),
        extends=ama2sec.prove_consistency(told.tree, 30, 38),
        last=[told.entries[37]],
        proof=proof,
    )
    again.save(path)
    again.save(path)
    assert LightClient.load(path, told.directory).head == told.head(38)


def test_a_damaged_or_missing_state_is_named(told: Told, tmp_path: Path) -> None:
    path = tmp_path / "state"
    assert code(LightClient.load, path, told.directory) == "FileUnreadable"
    client = follow(told, 5)
    client.save(path)
    data = path.read_bytes()
    for damaged in (b"", data[:-1], data + b"\0", bytes([data[0] ^ 1]) + data[1:]):
        path.write_bytes(damaged)
        assert code(LightClient.load, path, told.directory) == "StateForm"
        # Nothing is written over what cannot be read: the owner decides.
        assert code(client.save, path) == "StateForm"
        assert path.read_bytes() == damaged
    path.write_bytes(data)
    empty = Directory()
    assert code(LightClient.load, path, empty) == "KeyUnknown"


def test_a_state_is_read_by_those_who_would_start_there(tmp_path: Path, alice: Identity) -> None:
    """Members may be names, and names are the reader's: to whom the opener is somebody else, no member opened this."""
    path, opening = tmp_path / "state", Talk.opened(c13=["alice"]).items[0]
    known, other = Directory(), Directory()
    known.enrol(alice.public, name="alice", purpose="message")
    other.enrol(alice.public, name="alicia", purpose="message")
    LightClient(known, opening).save(path)
    assert code(LightClient, other, opening) == "NotAMember"
    assert code(LightClient.load, path, other) == "NotAMember"


def test_two_that_save_at_once(told: Told, tmp_path: Path) -> None:
    path = tmp_path / "state"
    client = follow(told, 5)
    client.save(path)
    from ama2sec import _files

    lock = _files.take_lock(path, "to be alone")
    try:
        assert code(client.save, path) == "AgentInUse"
    finally:
        os.close(lock)
    client.save(path)


def _save_for_ever(path: str, told_entries: list[bytes], directory_json: str, ready: object) -> None:
    directory = Directory.load(directory_json)
    client = LightClient.load(path, directory)
    for entry in told_entries:
        client.receive(entry)
        client.save(path)
        ready.set()  # type: ignore[attr-defined]
    while True:
        client.save(path)


def test_a_writer_that_is_killed_leaves_the_old_state_or_the_new_one(told: Told, tmp_path: Path) -> None:
    path, keys = tmp_path / "state", tmp_path / "keys.json"
    told.directory.save(keys)
    follow(told, 2).save(path)
    context = multiprocessing.get_context("spawn")
    last = 2
    for _ in range(4):
        ready = context.Event()
        size = LightClient.load(path, told.directory).size
        assert size >= last
        last = size
        writer = context.Process(target=_save_for_ever, args=(str(path), told.entries[size:], str(keys), ready))
        writer.start()
        ready.wait(20)
        writer.kill()
        writer.join()
        found = LightClient.load(path, told.directory)
        assert found.head == told.head(found.size)
        if found.size == len(told.entries):
            break
    assert found.size > 2


def test_a_full_disk_leaves_the_old_state(told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state"
    follow(told, 5).save(path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert code(follow(told, 9).save, path) == "WriteFailed"
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".ama2sec")) == []
