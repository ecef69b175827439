"""The questions about a conversation, and its drawings: what is asked of Rust, of a file, and what reaches a reader."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from ama2sec import Ama2Error, Directory, check_ancestry
from ama2sec._native import Id
from ama2sec.history import write_transcript
from ama2sec.realm import replay_realm
from ama2sec.realm.ancestry import prove_ancestor
from ama2sec.realm.conversation import FileDag
from ama2sec.realm.dag import Branch, Node, RealmDag, agents, conversations
from ama2sec.realm.drawing import lay_out, to_dot, to_mermaid, to_text
from ama2sec.realm.svg import to_svg
from tests.conftest import identity
from tests.realm_story import Story, long_story, story

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def told() -> Story:
    return story()


@pytest.fixture(scope="module")
def dag(told: Story) -> RealmDag:
    return RealmDag(replay_realm(told.data, realm=told.desk.realm), told.chat)


def names(told: Story, nodes: list[Node]) -> list[str]:
    called = {one: name for name, one in told.ids.items()}
    return [called[node.id] for node in nodes]


def test_the_questions_of_the_spec(told: Story, dag: RealmDag) -> None:
    ids = told.ids
    assert conversations(dag.source) == [told.chat]
    assert {agent.name for agent in agents(dag.source) if agent.purpose == "message"} == {"ada", "ben"}
    order = ["open", "ask", "fork", "offer", "second", "late", "merge", "again", "end", "close"]
    assert names(told, dag.timeline()) == order
    assert names(told, dag.timeline(2, limit=3)) == order[2:5]
    assert names(told, dag.ancestors(ids["merge"])) == ["open", "ask", "fork", "offer", "second", "late"]
    assert names(told, dag.ancestors(ids["late"])) == ["open"]
    assert names(told, dag.descendants(ids["second"])) == ["merge", "end", "close"]
    assert dag.path(ids["merge"], ids["offer"]) == [ids["merge"], ids["second"], ids["offer"]]
    assert dag.path(ids["late"], ids["ask"]) is None
    assert (dag.is_ancestor(ids["offer"], ids["merge"]), dag.is_ancestor(ids["ask"], ids["late"])) == (True, False)
    assert names(told, dag.nearest_common_ancestors([ids["second"], ids["merge"]])) == ["offer"]
    assert names(told, dag.nearest_common_ancestors([ids["late"], ids["offer"]])) == ["open"]
    # The conversation is closed; its first branch has not been closed by itself (admission.4.1).
    assert dag.heads() == [Branch(told.chat, 5)]
    ours, theirs = dag.diff(Branch(told.chat, 3), Branch(told.worker.id, 5))
    assert (names(told, ours), names(told, theirs)) == (["late"], ["fork", "offer", "second"])
    links = dag.trace(ids["offer"])
    assert [link.kind for link in links] == ["grant", "agent", "entry", "agent", "genesis"]
    assert (links[1].name, links[-1].id) == ("ben", told.desk.realm)
    refused = next(node for node in dag.timeline() if node.code is not None)
    assert (refused.code, refused.home) == ("SeqUsed", None)


def test_an_engine_answers_as_a_replay(told: Story, dag: RealmDag) -> None:
    live = RealmDag(told.desk.engine, told.chat)
    assert live.timeline() == dag.timeline()
    assert live.ancestors(told.ids["close"]) == dag.ancestors(told.ids["close"])


def test_what_is_asked_wrongly(told: Story, dag: RealmDag) -> None:
    nowhere = Id(bytes(32))
    for ask in (
        lambda: dag.ancestors(nowhere),
        lambda: dag.ancestors(told.ids["again"]),
        lambda: dag.ancestors(told.ids["merge"], limit=5),
        lambda: dag.descendants(told.ids["open"], limit=1),
        lambda: dag.path(told.ids["merge"], told.ids["open"], limit=1),
        lambda: dag.diff(Branch(told.chat, 99), Branch(told.chat, 1)),
        lambda: dag.heads(limit=0),
        lambda: prove_ancestor(dag, told.chat, told.ids["merge"], told.data, realm=told.desk.realm, limit=3),
    ):
        with pytest.raises(Ama2Error) as caught:
            ask()
        assert caught.value.code == "ArgumentRange"
    with pytest.raises(Ama2Error) as caught:
        RealmDag(dag.source, nowhere).timeline()
    assert caught.value.code == "ConversationUnknown"


def test_an_ancestor_is_proved_from_the_file_too(told: Story, dag: RealmDag, tmp_path: Path) -> None:
    path = tmp_path / "r.ama"
    path.write_bytes(told.data)
    made = prove_ancestor(dag, told.ids["offer"], told.ids["close"], path, realm=told.desk.realm)
    assert made is not None
    # A chain: the close's context, and in it the message that merges the branch.
    with pytest.raises(Ama2Error) as caught:
        check_ancestry(made.fingerprint, b"", made.proof)
    assert caught.value.code == "Truncated"
    assert prove_ancestor(dag, told.ids["ask"], told.ids["late"], path, realm=told.desk.realm) is None
    assert prove_ancestor(dag, told.ids["ask"], told.ids["ask"], path, realm=told.desk.realm) is None
    with pytest.raises(Ama2Error) as caught:
        prove_ancestor(dag, told.ids["offer"], told.ids["close"], told.data[:22], realm=told.desk.realm)
    assert caught.value.code == "FileUnreadable"


def test_a_conversation_file_answers_the_same_questions(tmp_path: Path, directory: Directory) -> None:
    people = [identity("alice", 1), identity("bob", 2)]
    turns = [(people[n % 2], b"x", 1_790_000_000_000 + n) for n in range(9)]
    path = tmp_path / "talk.ama"
    head = write_transcript(path, people[0], turns, directory, lag=lambda n: 2 if n in (5, 6) else 0)
    for found in (FileDag(path, directory), FileDag(path)):
        nodes = found.timeline()
        assert (len(nodes), found.conversation) == (10, head.conversation)
        assert found.verified == (
            found is not None and found.heads() == [Branch(head.conversation, 10)] and found.verified
        )
        for one, two in itertools.product(nodes, nodes):
            mine = found.ancestors(one.id)
            assert found.is_ancestor(two.id, one.id) == (two in mine) == (one in found.descendants(two.id))
            way = found.path(one.id, two.id)
            assert way is None or (way[0], way[-1]) == (one.id, two.id)
            shared = [node for node in mine if node in found.ancestors(two.id)]
            nearest = [a for a in shared if not any(found.is_ancestor(a.id, b.id) for b in shared)]
            assert found.nearest_common_ancestors([one.id, two.id]) == nearest
        ours, theirs = found.diff(Branch(found.conversation, 3), Branch(found.conversation, 5))
        assert (ours, theirs) == ([], nodes[3:5])
        assert found.timeline(8, limit=1) == nodes[8:9]
        for ask in (
            lambda f=found: f.ancestors(Id(bytes(32))),
            lambda f=found, n=nodes: f.ancestors(n[9].id, limit=2),
            lambda f=found: f.diff(Branch(f.conversation, 0), Branch(f.conversation, 1)),
            lambda f=found, n=nodes: f.path(n[9].id, n[0].id, limit=2),
        ):
            with pytest.raises(Ama2Error) as caught:
                ask()
            assert caught.value.code == "ArgumentRange"
    assert (FileDag(path, directory).verified, FileDag(path).verified) == (True, False)
    data = path.read_bytes()
    for bad, code in ((data[:22], "OpenMissing"), (data[:-2], "Truncated")):
        path.write_bytes(bad)
        with pytest.raises(Ama2Error) as caught:
            FileDag(path)
        assert caught.value.code == code


# -- drawings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [12, 100, 500])
def test_no_two_branches_share_a_place_and_every_join_is_drawn(length: int) -> None:
    desk, chat = long_story(length, length)
    nodes = RealmDag(desk.engine, chat).timeline()
    layout = lay_out(nodes, desk.names)
    for one, two in itertools.combinations(layout.lanes, 2):
        assert one.column != two.column or one.end < two.start or two.end < one.start
    assert all(lane.column != layout.lanes[0].column for lane in layout.lanes[1:])
    forks = [node for node in nodes if node.kind == "fork" and node.home is not None]
    merges = [merged for node in nodes if node.home is not None for merged in node.merges]
    kinds = [edge.kind for edge in layout.edges]
    assert (kinds.count("fork"), kinds.count("merge")) == (len(forks), len(merges))
    picture = ET.fromstring(to_svg(layout, "a title"))
    assert len(picture.findall(f"{SVG}g")) == len(nodes)
    parents = sum(node.parent is not None and node.home is not None for node in nodes)
    dot, mermaid = to_dot(layout), to_mermaid(layout)
    assert len(re.findall(r"^  n\d+ -> n\d+", dot, re.MULTILINE)) == parents + len(merges)
    assert len(re.findall(r"^  n\d+ (?:-->|-. merged .->) n\d+$", mermaid, re.MULTILINE)) == parents + len(merges)
    assert to_text(layout).count("\n") == len(nodes) + 2


def test_what_an_entry_is_stands_in_words_not_only_in_colour(told: Story, dag: RealmDag) -> None:
    layout = lay_out(dag.timeline(), {agent.id: agent.name for agent in agents(dag.source)})
    words = [row.words for row in layout.rows]
    assert [row.sign for row in layout.rows] == [
        *("open", "message", "fork", "message", "message", "message", "merge", "rejected", "close", "close")
    ]
    worker = str(told.worker.id)[:8]
    assert words[2].startswith("ben: fork, opens ")
    assert words[3] == f"ben's {worker}: message"
    assert words[5] == "ben: message, had seen 1 of 2"
    assert words[6] == f"ada: message, merges {worker} at 5"
    assert words[7] == "ada: message, REJECTED SeqUsed"
    grey = re.sub(r"#[0-9a-f]{6}", "#000000", to_svg(layout, "t"))
    assert len({re.sub(r"\d+", "", sign) for sign in re.findall(r"</title>(<(?:rect|circle|path)[^>]*>)", grey)}) >= 5


HOSTILE = '"]; x -> y [label="<script>alert(1)</script>&\u202e\x1b[31m\n%%{init}%% `b` \\" --> #quot;'


def test_no_name_gets_out_of_its_place(dag: RealmDag) -> None:
    nodes = dag.timeline()
    layout = lay_out(nodes, {node.author: HOSTILE for node in nodes})
    svg = to_svg(layout, HOSTILE)
    picture = ET.fromstring(svg)
    assert {node.tag for node in picture.iter()} <= {
        SVG + t for t in ("svg", "title", "style", "rect", "text", "path", "g", "circle")
    }
    text, mermaid, dot = to_text(layout), to_mermaid(layout), to_dot(layout)
    for shown in (svg, text, mermaid, dot):
        assert "\u202e" not in shown
        assert "\x1b" not in shown
    assert len(text.splitlines()) == len(nodes) + 2
    for line in mermaid.splitlines():
        assert line.count('"') in (0, 2)
        assert "<" not in line
        assert "%" not in line
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', "", dot)
    assert '"' not in outside
    assert "script" not in outside
    assert "x -> y" not in outside


def test_a_merge_of_what_is_not_shown_is_no_line(told: Story, dag: RealmDag) -> None:
    nodes = dag.timeline()[5:]
    layout = lay_out(nodes)
    assert layout.edges == []
    assert to_svg(lay_out([]), "nothing").startswith("<svg")
    alone = replace(nodes[0], kind="halt")
    assert lay_out([alone]).rows[0].sign == "message"
