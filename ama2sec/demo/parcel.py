"""An order that somebody stops from a second terminal, that goes on, is rolled back, and then is on its way: no rollback goes behind that."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ama2sec._native import Id
from ama2sec.demo.screen import Screen
from ama2sec.demo.trade import code, fault_of, received
from ama2sec.errors import Ama2Error
from ama2sec.halt.permit import Permit
from ama2sec.realm.agent import Agent
from ama2sec.realm.handle import Handle, Sent
from ama2sec.realm.sdk import Realm

__all__ = ["Parcel"]

WORKFLOW: Final = "order_processing"
_PLACED: Final[dict[str, Any]] = {"customer": "acme", "lines": [{"sku": "CHAIR", "quantity": 40}]}
_SHIPPED: Final[dict[str, Any]] = {"carrier": "post", "tracking": "A1"}
_PATIENCE: Final = 60.0
_MEANING: Final = re.compile(r" {18}\S")
"""A line below a row: what the row means (``show.row``)."""


@dataclass(slots=True)
class Parcel:
    """Sales, the warehouse, billing; and a person at another terminal."""

    screen: Screen
    realm: Realm
    file: Path
    ada: Agent
    walter: Agent
    bea: Agent
    placed: Sent
    branch: Id
    """Where the order goes on."""

    @classmethod
    async def open(cls, screen: Screen, realm: Realm, file: Path) -> Parcel:
        """The people, and the order that is placed."""
        ada = await realm.agent("ada", ["sales"])
        walter, bea = await realm.agent("walter", ["warehouse"]), await realm.agent("bea", ["billing"])
        placed = await ada.send(_PLACED, to=["warehouse", "billing"], workflow=WORKFLOW, outputs={"total": 70})
        return cls(screen, realm, file, ada, walter, bea, placed, placed.conversation.branch)

    @property
    def chat(self) -> Id:
        """The conversation."""
        return self.placed.conversation.id

    def at(self, who: Agent) -> Handle:
        """The conversation, for somebody, in the branch where it goes on."""
        return who.conversation(self.chat, self.branch)

    async def _take(self, who: Agent, step: str, body: Any = "done", **outputs: Any) -> Sent:
        """A step; who takes it has read everything."""
        return await self.at(who).send(body, step=step, outputs=outputs or None, on_stale="rebase")

    def _steps(self) -> list[str]:
        return [taken["step"] for taken in self.realm.workflows.instance(self.chat, self.chat)["transitions"]]

    # -- a stop ------------------------------------------------------------------------------------------------------

    async def stopped(self, beside: Handle) -> int:
        """Half-way somebody stops orders of this workflow; ``beside`` is a conversation of another one."""
        await self._checked()
        asked = await received(self.walter)
        permit = self.walter.permit(asked, seconds=60)
        text = f"a second order, of order_processing: {', '.join(self._steps())}; walter has a permit"
        wrong = self.screen.expect("placed", text, right=len(self._steps()) == 3)
        status, out = await self._terminal("stop", "--scope", f"definition:{WORKFLOW}", "--reason", "wrong prices")
        halt = next((line.split()[1] for line in out if line.startswith("halt ")), "")
        right = status == 0 and any(line.split()[:2] == ["quiesced", "yes"] for line in out)
        wrong += self.screen.expect(
            "stopped", "in force when the command returned, and nothing is on its way", right=right
        )
        held = code(await fault_of(self._take(self.walter, "pack"))), _checked(permit)
        other = await fault_of(beside.send("this is not held up", on_stale="rebase"))
        text = f"walter packs: {held[0]}; his permit from before: {held[1]}; a message beside the trade: {code(other)}"
        wrong += self.screen.expect("held", text, right=held == ("Latched", "Latched") and other is None)
        operator = self.realm.dev_operator()
        fault = await fault_of(operator.resume([halt], "prices are right again"))
        fault = fault or await fault_of(self._take(self.walter, "pack"))
        text = "operator-1 ends exactly this stop, signed; walter packs"
        return wrong + self.screen.expect("resumed", text, right=fault is None and self._steps()[-1] == "pack")

    async def _checked(self) -> None:
        """Stock and payment."""
        await self._take(self.walter, "check_stock", in_stock=True)
        await self._take(self.bea, "authorize", authorized=True)

    async def _terminal(self, command: str, *arguments: str) -> tuple[int, list[str]]:
        """A command line in a process of its own, while this one has the realm open: its status and what it printed, shown."""
        words = [*command.split(), str(self.file), *arguments]
        shown = ["ama2sec", *command.split(), self.file.name, *arguments]
        self.screen.rows([("2nd terminal", f"$ {shlex.join(shown)}")])
        program = [sys.executable, "-c", "from ama2sec.cli import main; main()", *words]
        running = await asyncio.create_subprocess_exec(
            *program, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, env=os.environ
        )
        try:
            out, _ = await asyncio.wait_for(running.communicate(), _PATIENCE)
        finally:
            if running.returncode is None:
                running.kill()
                await running.wait()
        lines = out.decode("utf-8", "replace").splitlines()
        for text in lines:
            # What its rows mean is said here in other words.
            if not _MEANING.match(text):
                self.screen.line(f"  | {text.replace(str(self.file), self.file.name)}", crop=True)
        return running.returncode or 0, lines

    # -- a rollback --------------------------------------------------------------------------------------------------

    async def rolled_back(self) -> int:
        """To the order as it was placed; first looked at, then signed."""
        plan = self.at(self.ada).undoing(self.placed)
        status, out = await self._terminal("realm rollback", "--to", str(self.placed.position), "--dry-run")
        told = [line.split() for line in out]
        compensated = [words[1] for words in told if words[:1] == ["compensate"]]
        right = status == 0 and plan.count == 3 and compensated == ["release,"]
        text = f"{plan.count} entries would be undone, nothing is signed yet"
        wrong = self.screen.expect("looked at", text, right=right and self._steps()[-1] == "pack")
        held = await received(self.bea, acknowledge=False)
        while held.taken is None or held.taken.step != "check_stock":
            held.ack()
            held = await received(self.bea, acknowledge=False)
        permit = self.bea.permit(held, seconds=60)
        done = await self.at(self.ada).rollback(self.placed, "wrong customer", expected=plan, on_stale="rebase")
        self.branch = done.conversation.branch
        text = f"ada signs exactly that; the order stands at: {', '.join(self._steps())}; it goes on in branch {self.branch.short}"
        wrong += self.screen.expect("rolled back", text, right=self._steps() == ["place"])
        answer = _checked(permit)
        text = f"bea's handler has a message that is undone: message.undone is {held.undone}, its permit: {answer}"
        wrong += self.screen.expect("told", text, right=held.undone and answer == "MessageUndone")
        listed = [f"{step.compensation} for {step.step}" for step in done.undone.compensations]
        text = f"listed, and taken by nobody: {', '.join(listed)}"
        return wrong + self.screen.expect("compensate", text, right=listed == ["release for authorize"])

    async def shipped(self) -> int:
        """Again, up to the point of no return; behind that nothing is undone."""
        fault = await fault_of(self.placed.conversation.send("still here?", on_stale="rebase"))
        text = f"the old branch is {code(fault)}; in the new one each step is taken again"
        await self._checked()
        await self._take(self.walter, "pack")
        await self._take(self.walter, "ship", _SHIPPED)
        right = code(fault) == "BranchSuperseded" and self._steps() == [
            "place",
            "check_stock",
            "authorize",
            "pack",
            "ship",
        ]
        wrong = self.screen.expect("again", text, right=right)
        fault = await fault_of(self.at(self.ada).rollback(self.placed, "too late", on_stale="rebase"))
        right = code(fault) == "RollbackPivot" and fault is not None and fault.got == "ship"
        return wrong + self.screen.expect("no return", f"ada rolls back once more: {fault}", right=right)


def _checked(permit: Permit) -> str:
    try:
        permit.check()
    except Ama2Error as fault:
        return fault.code
    return "good"
