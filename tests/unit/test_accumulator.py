"""Accumulators, node files and the SHA-256 tree from Python: values, forks, every error, threads, processes."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ama2sec import Accumulator, Ama2Error, Id, NodeFile
from ama2sec._native import branch_fingerprints
from ama2sec.errors import UsageError
from ama2sec.hazmat import RealmTree, rfc6962_root
from tests.tree_model import PlainBranch, root, sha_node

REALM, CONVERSATION = b"r" * 32, b"c" * 32


def ids(count: int, salt: str = "") -> list[bytes]:
    return [hashlib.sha256(f"{salt}{i}".encode()).digest() for i in range(count)]


def code(call: Callable[[], object]) -> str:
    with pytest.raises(Ama2Error) as caught:
        call()
    return caught.value.code


@pytest.fixture(params=["memory", "file"])
def history(request: pytest.FixtureRequest) -> Accumulator:
    return Accumulator(REALM, CONVERSATION, nodes=NodeFile() if request.param == "file" else None)


def test_every_size_to_70_against_the_definitions(history: Accumulator) -> None:
    plain = PlainBranch(CONVERSATION)
    for index, leaf in enumerate(ids(70)):
        assert history.append(leaf) == index
        plain.leaves.append(leaf)
    for n in range(1, 71):
        found = history.fingerprint(n)
        assert (found.size, bytes(found.hash)) == (n, plain.fingerprint(REALM, n))
        assert (found.realm, found.conversation, found.branch) == (Id(REALM), Id(CONVERSATION), Id(CONVERSATION))
        assert history.root(n) == plain.root(n)
        assert history.range(n) == plain.range(n)
        assert bytes(history.leaf(n - 1)) == plain.leaves[n - 1]
    assert (history.root(), history.fingerprint(), history.range()) == (
        history.root(70),
        history.fingerprint(70),
        history.range(70),
    )
    assert history.range(0) == []
    assert (history.size, len(history), history.base) == (70, 70, 0)


def test_ids_in_every_form_are_the_same_ids() -> None:
    leaves = ids(9)
    wanted = Accumulator(REALM, CONVERSATION)
    wanted.extend(b"".join(leaves))
    for form in (bytes, Id, bytes.hex):
        tree = Accumulator(form(REALM), form(CONVERSATION))
        assert tree.append(form(leaves[0])) == 0
        assert tree.extend([form(leaf) for leaf in leaves[1:5]]) == 5
        assert tree.extend(form(leaf) for leaf in leaves[5:]) == 9
        assert tree.extend([]) == tree.extend(b"") == 9
        assert tree.fingerprint() == wanted.fingerprint()
        assert (tree.realm, tree.conversation, tree.branch) == (Id(REALM), Id(CONVERSATION), Id(CONVERSATION))
    assert repr(wanted) == "<Accumulator 63636363 size 9 base 0>"


def test_two_to_the_sixteenth_in_one_call(history: Accumulator) -> None:
    leaves = ids(1 << 16)
    assert history.extend(b"".join(leaves)) == 1 << 16
    listed = Accumulator(REALM, CONVERSATION)
    assert listed.extend(leaves) == 1 << 16
    known = branch_fingerprints(Id(REALM), Id(CONVERSATION), Id(CONVERSATION), leaves)
    for n in (1, 2, 255, 256, 257, 4096, 40_000, 65_535, 65_536):
        assert bytes(history.fingerprint(n).hash) == known[n]
        assert listed.fingerprint(n) == history.fingerprint(n)


def test_forks_share_their_prefix_and_nothing_else(history: Accumulator) -> None:
    plain = PlainBranch(CONVERSATION, ids(12))
    history.extend(plain.leaves)
    fork, twin = history.fork(5), plain.fork(5)
    assert (fork.size, fork.base, fork.branch, history.branch) == (5, 5, None, Id(CONVERSATION))
    assert fork.fingerprint() == history.fingerprint(5)
    for leaf in ids(6, "fork"):
        fork.append(leaf)
        twin.leaves.append(leaf)
    deeper, deepest = fork.fork(8), fork.fork(3)
    deeper.append(plain.leaves[7])
    deepest.append(plain.leaves[3])
    assert fork.branch == Id(twin.leaves[5])
    for n in range(1, 12):
        assert bytes(fork.fingerprint(n).hash) == twin.fingerprint(REALM, n)
        assert bytes(history.fingerprint(n).hash) == plain.fingerprint(REALM, n)
    assert deeper.fingerprint(8) == fork.fingerprint(8)
    # Forked below the fork's own leaves: a branch of the first branch, and another one than it even over equal leaves.
    assert deepest.root(4) == history.root(4)
    assert deepest.fingerprint(4).branch == deepest.branch == Id(plain.leaves[3])
    assert deepest.fingerprint(3) == history.fingerprint(3)
    history.append(ids(1, "later")[0])
    assert fork.size == 11


def test_a_chain_of_forks(history: Accumulator) -> None:
    branch, leaves = history, ids(2000)
    for size, leaf in enumerate(leaves, start=1):
        branch.append(leaf)
        branch = branch.fork(size)
    assert branch.base == branch.size == 2000
    assert branch.root() == root(leaves)
    assert branch.fingerprint(1000).branch == Id(leaves[999])


@pytest.mark.parametrize(
    ("call", "wanted"),
    [
        (lambda t: t.root(0), "ArgumentRange"),
        (lambda t: t.fingerprint(0), "ArgumentRange"),
        (lambda t: t.fork(0), "ArgumentRange"),
        (lambda t: t.root(4), "ArgumentRange"),
        (lambda t: t.fingerprint(4), "ArgumentRange"),
        (lambda t: t.range(4), "ArgumentRange"),
        (lambda t: t.fork(4), "ArgumentRange"),
        (lambda t: t.leaf(3), "ArgumentRange"),
        (lambda t: t.leaf(-1), "ArgumentRange"),
        (lambda t: t.root(-1), "ArgumentRange"),
        (lambda t: t.root(1 << 48), "ArgumentRange"),
        (lambda t: t.root(1 << 200), "ArgumentRange"),
        (lambda t: t.root(True), "ArgumentType"),
        (lambda t: t.root(1.0), "ArgumentType"),
        (lambda t: t.root("1"), "ArgumentType"),
        (lambda t: t.fork(None), "ArgumentType"),
        (lambda t: t.append(b"short"), "ArgumentRange"),
        (lambda t: t.append(b"x" * 33), "ArgumentRange"),
        (lambda t: t.append("ab"), "ArgumentRange"),
        (lambda t: t.append("AB" * 32), "ArgumentRange"),
        (lambda t: t.append("é" * 64), "ArgumentRange"),
        (lambda t: t.append("\udcff" * 64), "ArgumentRange"),
        (lambda t: t.append(bytearray(32)), "NotBytes"),
        (lambda t: t.append(memoryview(bytes(32))), "NotBytes"),
        (lambda t: t.append(7), "NotBytes"),
        (lambda t: t.append(None), "NotBytes"),
        (lambda t: t.extend(b"x" * 33), "ArgumentRange"),
        (lambda t: t.extend([b"x" * 32, b"x"]), "ArgumentRange"),
        (lambda t: t.extend([b"x" * 32, 1]), "NotBytes"),
        (lambda t: t.extend(bytearray(32)), "NotBytes"),
        (lambda t: t.extend("ab"), "ArgumentRange"),
        (lambda t: t.extend(7), "ArgumentType"),
        (lambda t: t.extend(None), "ArgumentType"),
    ],
)
def test_what_is_no_id_and_no_size_is_refused(
    history: Accumulator, call: Callable[[Accumulator], object], wanted: str
) -> None:
    history.extend(ids(3))
    before = history.fingerprint()
    with pytest.raises(UsageError) as caught:
        call(history)
    assert caught.value.code == wanted
    assert history.fingerprint() == before, "a refused call changes nothing"


def test_an_empty_history_has_no_root_and_no_fingerprint() -> None:
    empty = Accumulator(REALM, CONVERSATION)
    for call in (empty.root, empty.fingerprint):
        with pytest.raises(UsageError, match="one leaf or more"):
            call()
    assert (empty.size, empty.range(), empty.branch) == (0, [], Id(CONVERSATION))


@pytest.mark.parametrize(
    ("realm", "conversation", "wanted"),
    [(b"", CONVERSATION, "ArgumentRange"), (REALM, "cc", "ArgumentRange"), (None, CONVERSATION, "NotBytes")],
)
def test_a_history_is_of_a_realm_and_a_conversation(realm: object, conversation: object, wanted: str) -> None:
    assert code(lambda: Accumulator(realm, conversation)) == wanted  # type: ignore[arg-type]


def test_a_subclass_of_bytes_is_not_bytes() -> None:
    class Sly(bytes):
        """May answer anything by the time it is used."""

    assert code(lambda: Accumulator(REALM, CONVERSATION).append(Sly(32))) == "NotBytes"


def test_a_fault_of_the_iterable_is_its_own_and_nothing_is_appended(history: Accumulator) -> None:
    def leaves() -> Iterator[bytes]:
        yield from ids(5)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        history.extend(leaves())
    assert history.size == 0


def test_an_iterable_may_use_the_history_itself(history: Accumulator) -> None:
    history.extend(ids(3))
    assert history.extend(history.leaf(i) for i in range(history.size)) == 6
    assert history.leaf(4) == history.leaf(1)


def test_threads_share_forks(history: Accumulator) -> None:
    history.extend(ids(100))
    forks = [history.fork(10 * i + 7) for i in range(8)]
    failures: list[BaseException] = []

    def work(number: int) -> None:
        fork = forks[number]
        try:
            for turn, leaf in enumerate(ids(200, f"thread{number}")):
                assert fork.append(leaf) == fork.base + turn
                assert forks[number - 1].fingerprint(7).branch == Id(CONVERSATION)
                if turn % 50 == 0:
                    fork.root()
                    fork.fork(fork.size).extend(ids(9, "aside"))
        except BaseException as fault:
            failures.append(fault)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    plain = PlainBranch(CONVERSATION, ids(100))
    for number, fork in enumerate(forks):
        twin = plain.fork(10 * number + 7)
        twin.leaves.extend(ids(200, f"thread{number}"))
        assert bytes(fork.fingerprint().hash) == twin.fingerprint(REALM, fork.size)


def test_threads_append_to_one_branch(history: Accumulator) -> None:
    found: list[int] = []

    def work() -> None:
        found.extend([history.append(leaf) for leaf in ids(500)])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(2000)), "each leaf has a place of its own"


def test_many_histories_share_one_node_file() -> None:
    nodes = NodeFile()
    assert nodes.given == 0
    histories = [Accumulator(REALM, conversation, nodes=nodes) for conversation in ids(40, "conversation")]
    for leaf in ids(100):
        for tree in histories:
            tree.append(leaf)
    plain = PlainBranch(CONVERSATION, ids(100))
    assert {tree.root(73) for tree in histories} == {plain.root(73)}
    assert len({tree.fingerprint(73) for tree in histories}) == 40
    # 197 nodes of 32 bytes each, in extents of 8, 16, 32, 64 and 128 nodes.
    assert nodes.given == 40 * 248 * 32
    assert repr(nodes) == f"<NodeFile {nodes.given} bytes>"


def test_a_node_file_has_no_name_and_needs_a_directory(tmp_path: Path) -> None:
    nodes = NodeFile(tmp_path)
    Accumulator(REALM, CONVERSATION, nodes=nodes).extend(ids(1000))
    assert list(tmp_path.iterdir()) == []
    assert code(lambda: NodeFile(tmp_path / "absent")) == "WriteFailed"


def test_a_process_that_was_forked_off_cannot_use_a_node_file() -> None:
    history = Accumulator(REALM, CONVERSATION, nodes=NodeFile())
    history.extend(ids(5000))
    child = os.fork()
    if child == 0:
        # Old nodes are on disk alone, new ones would overwrite the parent's: both are refused.
        expected = [code(lambda: history.append(ids(1)[0])), code(lambda: history.leaf(0))]
        os._exit(0 if expected == ["WriteFailed", "FileUnreadable"] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    history.append(ids(1)[0])
    assert history.root(5001) == root([*ids(5000), ids(1)[0]])


@pytest.mark.parametrize("kept", ["memory", "file"])
def test_the_sha_tree(kept: str) -> None:
    tree = RealmTree(nodes=NodeFile()) if kept == "file" else RealmTree()
    nothing = hashlib.sha256(b"").digest()
    assert tree.root() == tree.root(0) == nothing
    data = [bytes([i]) * i for i in range(40)]
    hashes = [hashlib.sha256(b"\x00" + one).digest() for one in data]
    for index, one in enumerate(data):
        assert (tree.append(one) if index % 2 else tree.append_hash(hashes[index])) == index
    for n in range(1, 41):
        assert tree.root(n) == root(hashes[:n], sha_node) == rfc6962_root(data[:n])
    assert (tree.size, len(tree), tree.root()) == (40, 40, tree.root(40))
    assert repr(tree) == "<RealmTree size 40>"
    for call, wanted in (
        (lambda: tree.root(41), "ArgumentRange"),
        (lambda: tree.root("1"), "ArgumentType"),  # type: ignore[arg-type]
        (lambda: tree.append("text"), "NotBytes"),  # type: ignore[arg-type]
        (lambda: tree.append_hash(b"short"), "ArgumentRange"),
        (lambda: tree.append_hash(bytearray(32)), "NotBytes"),  # type: ignore[arg-type]
    ):
        assert code(call) == wanted
    assert tree.size == 40
