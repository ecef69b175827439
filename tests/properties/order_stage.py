"""A realm in which everybody has everything that may be wrong with him: the stage of ``order_of_checks``."""

from __future__ import annotations

import itertools
from typing import Any

from ama2sec.reference import parse
from ama2sec.reference.dag import Branch
from ama2sec.reference.hashes import definition_id
from tests.realm_world import DEFINE, REVOKE, TIME
from tests.two_realms import TwoRealms
from tests.workflow_world import document, step

GROUPS = ("in", "risk", "undo", "work")
FLOW = document(
    [
        step("start", visits=9, outputs={"n": 1}),
        step("draft", needs=["start"], visits=9, outputs={"n": 1}),
        step("ping", visits=255),
        step("push", visits=255, pivot=True),
        step("pay", needs=["draft", "ping"], choice="ping", when=[["draft", "n", 1, 1]], approvals=["draft", 2, ["risk"]], deadline=400),
        step("drop", needs=["ping"], choice="ping", visits=9),
        step("end", needs=["start"], terminal=True),
    ],
    rollback=(["undo"], 1),
)  # fmt: skip

DEAD = {"BranchUndone": "undone", "BranchClosed": "closed", "BranchSuperseded": "cut"}
OF_INSTANCE = [
    "WorkflowEnded",
    "DeadlinePassed",
    "StepSpent",
    "StepExcluded",
    "StepNeeds",
    "StepWhen",
    "ApprovalsMissing",
    "ContextStale",
]
RICH = {"RollbackPivot": "push", "RollbackCap": "ping"}


class Stage(TwoRealms):
    """A conversation, open or closed at the end, in which everybody has everything that may be wrong with him."""

    def __init__(self, *, closed: bool) -> None:
        super().__init__(roots=2)
        self.flow = definition_id(FLOW)
        self.at: dict[str, bytes] = {}
        """Branches by what they are for."""
        self.instances: dict[str, bytes] = {}
        self.subjects: dict[str, bytes] = {}
        self.names: dict[frozenset[str], str] = {}
        """Principals by what is wrong with them."""
        for name in ("bob", "cy", "dee"):
            self.did(self.enrol(name, groups=GROUPS))
        self.did(self.enrol("op", purpose="operator"))
        for size in range(3):
            for faults in itertools.combinations(("gone", "operator", "out", "plain"), size):
                self.add_principal(frozenset(faults))
        self.did(self.entry(DEFINE, "root-1", ["flow", None, FLOW]))
        self.conversation = self.did(self.open("bob", members=["in"], c14=[False, "flow"]))
        self.at["trunk"] = self.conversation
        self.begin_work()
        self.fork_off()
        self.make_children()
        self.spoil()
        if closed:
            self.did(self.close("bob", self.conversation, branch=self.at["other"], whole=True))

    def did(self, envelope: bytes) -> bytes:
        found = self.ask(envelope)
        assert found["code"] == "ok", found
        return parse(envelope).message_id

    def branch(self, name: str) -> Branch:
        return self.talk(self.conversation).branches[self.at[name]]

    def add_principal(self, faults: frozenset[str]) -> None:
        name = self.names[faults] = "-".join(("p", *sorted(faults)))
        purpose = "operator" if "operator" in faults else "message"
        self.did(self.enrol(name, groups=GROUPS, purpose=purpose, following=f"{name}-2"))

    # -- workflows -----------------------------------------------------------------------------------------------

    def begin_work(self) -> None:
        """An instance for each fault that is one of an instance; those that begin now are late in the end."""
        self.far = self.at["far"] = self.did(self.fork("bob", self.conversation))
        self.start("DeadlinePassed")
        self.now = TIME + 900
        for fault in ("", *OF_INSTANCE):
            if fault != "DeadlinePassed":
                self.start(fault)
        for name in RICH:
            self.instances[name] = self.take_step("start", None)

    def start(self, fault: str) -> None:
        instance = self.instances[fault] = self.take_step("start", None)
        place = "trunk"
        if fault == "ContextStale":
            self.did(
                self.say(
                    "bob", self.conversation, branch=self.far, merges=[(self.conversation, self.branch("trunk").size)]
                )
            )
            place = "far"
        outputs = {"n": 2 if fault == "StepWhen" else 1}
        draft = self.subjects[fault] = self.take_step("draft", instance, place, outputs=outputs)
        self.take_step("ping", instance, place)
        for by in ("cy",) if fault == "ApprovalsMissing" else ("cy", "dee"):
            self.take_step("pay", instance, place, by=by, subject=draft)
        after = {
            "StepSpent": ("pay", "ping"),
            "StepExcluded": ("drop",),
            "StepNeeds": ("start",),
            "WorkflowEnded": ("end",),
        }
        for name in after.get(fault, ()):
            self.take_step(name, instance, place)

    def take_step(
        self,
        name: str,
        instance: bytes | None,
        place: str = "trunk",
        *,
        by: str = "bob",
        subject: Any = None,
        **how: Any,
    ) -> bytes:
        state = [instance, self.flow, name, how.get("outputs", {}), subject]
        return self.did(self.say(by, self.conversation, branch=self.at[place], c7=state))

    # -- branches ------------------------------------------------------------------------------------------------

    def new(self, name: str, off: str, by: str = "bob", count: int = 2) -> None:
        """A fork at the end of another branch, with so many messages."""
        self.at[name] = self.did(self.fork(by, self.conversation, branch=self.at[off]))
        for _ in range(count):
            self.did(self.say(by, self.conversation, branch=self.at[name]))

    def fork_off(self) -> None:
        for name in ("side", "other", "doomed", "nest"):
            self.new(name, "trunk")
        self.place("side")
        self.kill("side")
        for fault, name in RICH.items():
            self.new(f"side {fault}", "trunk")
            self.take_step(name, self.instances[fault], f"side {fault}")
            self.kill(f"side {fault}")

    def place(self, name: str) -> None:
        """A fork at the end, which falls with it: to be halted."""
        self.new(f"{name} fork", name)

    def kill(self, off: str) -> None:
        """Three forks that will be dead, each in its way."""
        for name in ("closed", "cut"):
            self.new(f"{off} {name}", off)
        self.new(f"{off} undone", f"{off} cut")

    # -- children ------------------------------------------------------------------------------------------------

    def make_children(self) -> None:
        """Of principals with each fault, in each state; those that roll back steps are apart."""
        for whose in ("", "gone", "out", "plain"):
            for state in ("", "ended", "expired", "undone"):
                self.make_child(whose, (state,) if state else ())
        for states in itertools.combinations(("ended", "expired", "undone"), 2):
            self.make_child("", states)
        for state in ("", "ended", "expired"):
            self.make_child("", (state,) if state else (), rich=True)

    def make_child(self, whose: str, states: tuple[str, ...], *, rich: bool = False) -> None:
        name = child_name(whose, states, rich=rich)
        off = "doomed" if "undone" in states else "trunk" if rich else "nest"
        expires = TIME + 950 if "expired" in states else None
        grant = self.grant(name, to=[self.ids["bob"]], depth=3, expires=expires)
        by = self.names[frozenset({whose} - {""})]
        self.at[name] = self.did(self.spawn(by, self.conversation, name, branch=self.at[off], grant=grant))
        self.did(self.say(name, self.conversation, branch=self.at[name], c8=[self.ids["bob"]]))
        self.new(f"{name} own", name)
        self.place(f"{name} own")
        for fault, of in RICH.items() if rich else ():
            self.new(f"{name} {fault}", name)
            self.take_step(of, self.instances[fault], f"{name} {fault}")
        if not whose and not rich and len(states) < 2 and "undone" not in states:
            self.kill(name)
        if "ended" in states:
            self.did(self.close("bob", self.conversation, branch=self.at[name]))

    # -- what is wrong with them ---------------------------------------------------------------------------------

    def spoil(self) -> None:
        """Branches are closed, cut and undone; groups are lost, and people leave. Each says something, so that his last number is known."""
        for name in [name for name in self.at if name.endswith(" closed")]:
            self.did(self.close("bob", self.conversation, branch=self.at[name]))
        for name in [name for name in self.at if name.endswith(" cut") or name == "doomed"]:
            self.back(name, self.branch(name).base + 1)
        self.new("once", "trunk")
        self.take_step("ping", self.instances["RollbackCap"], "once")
        self.back("once", self.branch("once").size - 1)
        for faults, name in list(self.names.items()):
            if faults & {"out", "plain"}:
                left = tuple(each for each in GROUPS if ("out" if each == "in" else "plain") not in faults)
                purpose = "operator" if "operator" in faults else "message"
                self.did(self.enrol(f"{name}-2", name=name, groups=left, purpose=purpose, replaces=self.ids[name]))
                self.names[faults] = f"{name}-2"
            if "gone" in faults:
                self.did(self.entry(REVOKE, "root-1", [self.ids[name], None, ""]))
        self.now = TIME + 1000
        for name in self.names.values():
            self.ask(self.say(name, self.conversation, branch=self.at["other"]))

    def back(self, name: str, keep: int) -> None:
        self.did(self.rollback("bob", self.conversation, keep, target=self.at[name], branch=self.at[name]))


def child_name(whose: str, states: tuple[str, ...] | frozenset[str], *, rich: bool = False) -> str:
    return " ".join(("kid", whose or "nobody", *sorted(states), *(("rich",) if rich else ())))
