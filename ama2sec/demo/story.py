"""The fifth part: work that follows a workflow, in a realm in a file. Steps, approvals, a stop from another terminal, a rollback; and all of it
judged again by the second implementation, and drawn.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ama2sec import _files, reference
from ama2sec._native import Id, RealmFile
from ama2sec.demo.parcel import Parcel
from ama2sec.demo.screen import Screen
from ama2sec.demo.trade import Trade
from ama2sec.realm import RealmVerified, replay_realm
from ama2sec.realm.dag import RealmDag, agents
from ama2sec.realm.definitions import Definition
from ama2sec.realm.definitions.picture import definition_to_svg
from ama2sec.realm.drawing import lay_out
from ama2sec.realm.marking import marks_of
from ama2sec.realm.sdk import Realm
from ama2sec.realm.standing import standing
from ama2sec.realm.svg import to_svg

__all__ = ["PICTURES", "STORY", "StoryPart"]

STORY: Final = "work.db"
PICTURES: Final = ("workflow.svg", "instance.svg", "conversation.svg")
_REFUSED: Final = (
    *("StepNeeds", "StepNeeds", "ApprovalInvalid", "GrantScope", "StepRole", "ApprovalsMissing"),
    *("BranchSuperseded", "RollbackPivot"),
)
"""What the log has refused, in its order. What no key of the realm has signed never came so far."""


@dataclass(frozen=True, slots=True)
class StoryPart:
    """One run. What stays behind stands in ``folder``."""

    screen: Screen
    folder: Path

    @property
    def file(self) -> Path:
        """The realm."""
        return self.folder / STORY

    def run(self) -> int:
        """All of it. Returns how many answers were not as they must be."""
        self.screen.title("Work that follows a workflow: steps, a stop, a rollback")
        wrong, realm, chat, head = asyncio.run(self._day())
        data = RealmFile.open(self.file).export()
        found, more = self._judged(data, realm, chat, head)
        return wrong + more + self._drawn(found, chat)

    async def _day(self) -> tuple[int, Id, Id, str]:
        async with Realm.dev(self.file) as realm:
            trade = await Trade.open(self.screen, realm)
            wrong = await trade.begin()
        async with Realm.dev(self.file) as realm:
            trade = await Trade.open(self.screen, realm, trade.chat)
            wrong += await trade.finish()
            parcel = await Parcel.open(self.screen, realm, self.file)
            wrong += await parcel.stopped(trade.at(trade.trader))
            wrong += await parcel.rolled_back()
            wrong += await parcel.shipped()
            return wrong, realm.id, parcel.chat, realm.head()

    # -- judged again ------------------------------------------------------------------------------------------------

    def _judged(self, data: bytes, realm: Id, chat: Id, head: str) -> tuple[RealmVerified, int]:
        """By both, against the head that was kept; and what the reference makes of the order is what everybody saw."""
        found = replay_realm(data, realm=realm, head=head)
        with self.screen.waiting("the reference judges: pure Python"):
            again = reference.replay(data, realm=bytes(realm), checkpoint=head.encode())
        talk = again.state.conversations[bytes(chat)]
        instance = talk.instances[bytes(chat)]
        steps = [instance.workflow.steps[taken.step].name for taken in instance.transitions]
        digest = reference.conversation_digest(talk)
        source = RealmFile.open(self.file)
        source.refresh()
        refused = tuple(entry.code for entry in source.entries(0, again.records) if entry.code is not None)
        same = (
            found.records == again.records
            and digest == bytes(found.state_digest(chat))
            and steps == ["place", "check_stock", "authorize", "pack", "ship"]
            and instance.rollbacks == 1
            and (again.realm_retained, again.tail_compared) == (True, True)
        )
        text = (
            f"{again.records} records by the reference, against the head that was kept: every verdict is that of the rules, "
            f"the order stands at {steps[-1]}, rolled back once"
            if same
            else "THE TWO DO NOT AGREE"
        )
        wrong = self.screen.expect("judged", text, right=same)
        text = f"in the log for ever, as evidence: {', '.join(refused)}"
        return found, wrong + self.screen.expect("refused", text, right=refused == _REFUSED)

    # -- drawn -------------------------------------------------------------------------------------------------------

    def _drawn(self, found: RealmVerified, chat: Id) -> int:
        source = RealmFile.open(self.file)
        source.refresh()
        dag = RealmDag(source, chat)
        nodes, entries = dag.timeline(), source.entries(0, source.records)
        marks = marks_of(dag, nodes, ((entry.id, entry.claims) for entry in entries if entry.conversation == chat))
        names = {agent.id: agent.name for agent in agents(found)}
        stands = standing(source, chat, undone=dict.fromkeys(("check_stock", "authorize", "pack"), 1))
        drawn = (
            definition_to_svg(Definition.shipped(stands.definition.name)),
            definition_to_svg(stands.definition, stands.states, stands.notes, title=stands.title),
            to_svg(lay_out(nodes, names, marks), f"conversation {chat.short}: an order that was rolled back once"),
        )
        wrong = 0
        whats = ("the workflow", "the order in it as it stands", "its conversation, with what was undone")
        marked = (stands.states.get("ship") == "done", "taken back once" in drawn[1], len(marks.undone) == 3)
        for name, what, picture, right in zip(PICTURES, whats, drawn, marked, strict=True):
            _files.write_whole(self.folder / name, picture.encode(), replace=False)
            wrong += self.screen.expect("drawn", f"{what}: {self.folder / name}", right=right)
        return wrong
