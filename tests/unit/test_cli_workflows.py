"""``workflow`` on the command line: what it prints, where errors point, exit statuses (spec workflow.6)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ama2sec import Id, Realm, halt
from tests.on_loop import take
from tests.shell import Done, ama2sec, terminal
from tests.trading_desk import ORDER, QUOTE, Desk

GOOD = "workflow: x\nsteps:\n  a: {by: [g]}\n  z: {by: [g], needs: [a], terminal: true}\n"
BAD = GOOD.replace("[a]", "[b]")
STUCK = """\
workflow: stuck
steps:
  ask: {by: [g], outputs: {sum: integer}}
  pay: {by: [g], needs: [ask], when: [{step: ask, output: sum, at_most: 10}], terminal: true}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in (("good.yaml", GOOD), ("bad.yaml", BAD), ("stuck.yaml", STUCK)):
        Path(name).write_text(text)
    return tmp_path


def workflow(*arguments: str | Path, stdin: bytes = b"") -> Done:
    return ama2sec("workflow", *arguments, stdin=stdin)


def test_check_says_what_there_is(here: Path) -> None:
    done = workflow("check", "good.yaml", "trading")
    assert done.status == 0
    lines = done.text.splitlines()
    assert lines[0] == "good.yaml: sound"
    assert lines[1] == "workflow        x"
    assert "trading: sound" in lines
    assert "steps           order, quote, refresh, execute, cancel, settle, reverse" in lines
    assert "groups          operations, pricing, risk, traders" in lines
    assert "from each an end can be reached" in done.text
    found = workflow("check", "trading", "--json").json
    assert (found["ok"], found["workflow"], found["stuck"], found["complete"]) == (True, "trading", None, True)
    assert found["definition"] == "4c5253005ae91919895c0330a3982ed02e56c2875212edea2fbcecdc6a775777"


def test_check_points_at_the_first_error_of_each_file_and_goes_on(here: Path) -> None:
    done = workflow("check", "bad.yaml", "none.yaml", "good.yaml")
    assert done.status == 21
    lines = done.text.splitlines()
    assert lines[0] == "bad.yaml:4:24: DefinitionForm: expected a step of this workflow, got 'b'"
    assert lines[1].startswith("none.yaml: FileUnreadable: ")
    assert lines[2] == "good.yaml: sound"
    first, second, third = workflow("check", "bad.yaml", "none.yaml", "good.yaml", "--json").lines
    assert first == {
        "ok": False,
        "file": "bad.yaml",
        "code": "DefinitionForm",
        "number": 433,
        "line": 4,
        "column": 24,
        "step": "z",
        "expected": "a step of this workflow",
        "got": "'b'",
    }
    assert (second["code"], second["line"], third["ok"]) == ("FileUnreadable", None, True)


def test_check_names_a_shortest_way_that_gets_stuck(here: Path) -> None:
    done = workflow("check", "stuck.yaml")
    assert done.status == 0
    assert "CAN GET STUCK   after ask (sum 11)" in done.text
    assert workflow("check", "stuck.yaml", "--strict").status == 21
    assert workflow("check", "good.yaml", "--strict").status == 0
    found = workflow("check", "stuck.yaml", "--json").json
    assert found["stuck"] == [{"step": "ask", "outputs": {"sum": 11}}]


def test_what_was_not_looked_at_is_said(here: Path) -> None:
    loops = "".join(f"  s{n}: {{by: [g], visits: 255}}\n" for n in range(4))
    Path("large.yaml").write_text(GOOD + loops)
    done = workflow("check", "large.yaml")
    assert done.status == 0
    assert "the first 20,000 states" in done.text
    assert "none of them is a dead end" in done.text


def test_a_file_goes_before_an_example_of_the_same_name(here: Path) -> None:
    Path("trading").write_text(GOOD)
    assert "workflow        x" in workflow("check", "trading").text


def test_draw(here: Path) -> None:
    assert workflow("draw", "trading", "-o", "t.svg").status == 0
    assert ElementTree.parse("t.svg").getroot().tag.endswith("svg")
    assert workflow("draw", "trading").out == Path("t.svg").read_bytes()
    assert workflow("draw", "trading", "--mermaid").text.startswith("flowchart TB\n")
    assert workflow("draw", "trading", "--format", "mermaid").out == workflow("draw", "trading", "--mermaid").out
    again = workflow("draw", "trading", "-o", "t.svg")
    assert (again.status, again.code) == (21, "FileExists")
    bad = workflow("draw", "bad.yaml")
    assert (bad.status, bad.out) == (21, b"")
    assert "at bad.yaml:4:24" in bad.err


def test_simulate_by_a_list(here: Path) -> None:
    good = "order by ada@traders, quote total=900, approve execute by ben, approve execute by eve@risk, execute, settle"
    done = workflow("simulate", "trading", "--steps", good)
    assert done.status == 0
    assert "order: taken by ada" in done.text
    assert "approve execute (risk): 1 of 2" in done.text
    assert done.text.endswith("  next          nothing: it has ended\n")
    wrong = workflow("simulate", "trading", "--steps", "order,execute,settle by risk", "--json")
    assert wrong.status == 17
    assert [line["code"] for line in wrong.lines] == [None, "StepNeeds", "StepRole"]
    assert wrong.lines[1]["next"] == ["quote"]
    assert wrong.lines[1]["expected"] == "quote first"
    nobody = workflow(
        "simulate", "trading", "--steps", "order,quote total=1,approve execute,approve execute,execute", "--json"
    )
    assert [line["who"] for line in nobody.lines[2:4]] == ["approver 1 of risk", "approver 2 of risk"]
    assert nobody.lines[4]["ok"]


def test_simulate_by_lines(here: Path) -> None:
    done = workflow("simulate", "trading", stdin=b"order\n\nquote total=1\nafter 9h\nexecute\nquit\norder\n")
    assert done.status == 17
    assert "now: 32,400,000 ms after the start" in done.text
    assert "execute: REFUSED DeadlinePassed" in done.text
    assert done.text.count("order: ") == 1
    stuck = workflow("simulate", "stuck.yaml", "--steps", "ask sum=11")
    assert "NOTHING: it is stuck" in stuck.text


def test_steps_may_be_called_like_the_words_of_the_grammar(here: Path) -> None:
    Path("words.yaml").write_text(
        "workflow: w\nsteps:\n  quit: {by: [g]}\n  after: {by: [g], needs: [quit]}\n"
        "  approve: {by: [g], needs: [after], approvals: {of: after, count: 1, by: [h]}, terminal: true}\n"
    )
    done = workflow(
        "simulate", "words.yaml", "--steps", "quit,after,approve,approve approve by ben,approve by ada", "--json"
    )
    assert [(line["act"], line["step"], line["code"]) for line in done.lines] == [
        ("take", "quit", None),
        ("take", "after", None),
        ("take", "approve", "ApprovalsMissing"),
        ("approve", "approve", None),
        ("take", "approve", None),
    ]


def test_simulate_draws_how_it_stands(here: Path) -> None:
    assert workflow("simulate", "trading", "--steps", "order,quote total=1", "--draw", "now.svg").status == 0
    text = " ".join(ElementTree.parse("now.svg").getroot().itertext())
    for words in ("✓ done", "▶ may be taken now", "ApprovalsMissing", "StepNeeds"):
        assert words in text
    assert workflow("simulate", "trading", "--steps", "order", "--draw", "now.svg").code == "FileExists"


@pytest.mark.parametrize(
    "steps",
    [
        "oder",
        "approve",
        "order by",
        "order 7",
        "order total=900",
        "approve execute x=1",
        "after",
        "after 9",
        "after 9h now",
    ],
)
def test_a_line_that_is_none_is_the_callers_fault(here: Path, steps: str) -> None:
    done = workflow("simulate", "trading", "--steps", steps)
    assert (done.status, done.code) == (20, "ArgumentRange")


def test_a_person_at_a_terminal_is_told_and_asked_again(here: Path) -> None:
    status, shown = terminal(
        "workflow", "simulate", "trading",
        answers=[("> ", b"oder\n"), ("> ", b"order\n"), ("quote (pricing)", b"quit\n")],
        columns=100,
    )  # fmt: skip
    assert status == 0
    assert "ArgumentRange: expected one of the steps order, quote" in shown
    assert "order: taken by somebody of traders" in shown


# -- an instance of a realm --------------------------------------------------------------------------------------------


@pytest.fixture
def orders(here: Path) -> tuple[Path, str, str]:
    """An order with a quote that was taken back and given again, and a second instance beside it."""

    async def told() -> tuple[Path, str, str]:
        async with Realm.dev(here / "orders.db", durability="normal") as realm:
            desk = await Desk(realm).open()
            order = await desk.order()
            (asked,) = await take(desk.desk, 1)
            await asked.reply(QUOTE, step="quote", outputs={"total": 1}, to=["trader", "risk"])
            done = await desk.at(desk.ben, order).rollback(asked, "wrong price", on_stale="rebase")
            again = desk.desk.conversation(order.id, done.conversation.branch)
            await again.send(QUOTE, step="quote", outputs={"total": 2}, on_stale="rebase")
            second = await realm.agent("tess", ["traders"])
            other = await second.send(ORDER, to="desk", workflow="trading")
            more = await other.conversation.send(ORDER, step="order")
            return here / "orders.db", str(order.id), str(more.id)

    return asyncio.run(told())


def texts(svg: bytes) -> str:
    return " ".join(ElementTree.fromstring(svg).itertext())


def test_draw_an_instance(orders: tuple[Path, str, str]) -> None:
    path, order, second = orders
    done = workflow("draw", "--realm", path, "--conversation", order[:10])
    assert (done.status, done.err) == (0, "")
    text = texts(done.out)
    for words in (
        f"instance {order[:8]} of trading",
        "taken by trader",
        "taken by desk",
        "taken back once",
        "ApprovalsMissing",
    ):
        assert words in text, words
    assert (
        workflow("draw", "--realm", path, "--conversation", order, "--instance", order[:9], "-o", "i.svg").status == 0
    )
    assert Path("i.svg").read_bytes() == done.out
    by_log = ama2sec("realm", "log", path, "--json", "--kind", "open").lines
    other = next(line["conversation"] for line in by_log if line["conversation"] != order)
    ambiguous = workflow("draw", "--realm", path, "--conversation", other)
    assert (ambiguous.status, ambiguous.code) == (20, "ArgumentRange")
    assert second[:8] in ambiguous.err
    assert f"instance {second[:8]}" in texts(
        workflow("draw", "--realm", path, "--conversation", other, "--instance", second).out
    )


def test_nothing_may_be_taken_in_a_conversation_that_was_closed_and_a_stop_is_said(
    orders: tuple[Path, str, str],
) -> None:
    path, order, _ = orders
    halt.stop(path, "agent:" + "ab" * 32)
    text = texts(workflow("draw", "--realm", path, "--conversation", order).out)
    assert "while a stop is in force" in text
    assert "ConversationClosed" not in text
    asyncio.run(_closed(path, order))
    text = texts(workflow("draw", "--realm", path, "--conversation", order).out)
    assert text.count("▶ may be taken now") == 1, "in the legend"
    assert "ConversationClosed" in text
    assert "a stop is in force" not in text


async def _closed(path: Path, order: str) -> None:
    async with Realm.dev(path) as realm:
        stops = realm.dev_operator().status().stops
        await realm.dev_operator().resume([each.halt for each in stops if each.halt is not None])
        trader = await realm.agent("trader")
        tip = realm.engine.ask("fate", Id.from_hex(order), branch=order)["tip"]
        await trader.conversation(Id.from_hex(order), Id.from_hex(tip)).close(whole=True, on_stale="rebase")


def test_what_draw_does_not_take(orders: tuple[Path, str, str]) -> None:
    path, order, _ = orders
    for arguments in (
        (),
        ("trading", "--realm", path, "--conversation", order),
        ("--realm", path),
        ("trading", "--conversation", order),
        ("trading", "--instance", order),
        ("--realm", path, "--conversation", "zz"),
        ("--realm", path, "--conversation", ""),
        ("--realm", path, "--conversation", order, "--instance", "zz"),
        ("--realm", path, "--conversation", order, "--mermaid"),
    ):
        done = workflow("draw", *arguments)
        assert (done.status, done.code, done.out) == (20, "ArgumentRange", b""), arguments
    assert workflow("draw", "--realm", "nothing.db", "--conversation", order).code == "FileUnreadable"
