"""``workflow simulate`` says what an agent would get: walks through the shipped examples, in a realm and in the simulation (spec workflow.3, 4)."""

from __future__ import annotations

import random
from collections.abc import Awaitable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from ama2sec import Ama2Error, Definition, Realm
from ama2sec.realm.definitions.simulation import Refusal, Simulation
from tests.on_loop import on_loop

PEOPLE = ("ada", "ben", "eve")
OUTPUTS = {
    "total": [900, 2_000_000],
    "in_stock": [True, False],
    "authorized": [True, False],
    "result": ["pass", "rework", "poem"],
    "deviation": [7, 70],
    "batch": ["b7"],
}


def without_bodies(name: str) -> Definition:
    shipped = Definition.shipped(name)
    steps = [replace(step, payload=None) for step in shipped.steps]
    return Definition.build(name, steps=steps, start=shipped.start, rollback=shipped.rollback)


def code(found: Refusal | None) -> str | None:
    return None if found is None else found.code


async def told(work: Awaitable[Any]) -> str | None:
    try:
        await work
    except Ama2Error as fault:
        return fault.code
    return None


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", Definition.examples())
@on_loop
async def test_each_step_gets_the_code_that_the_simulation_says(name: str, seed: int) -> None:
    chance = random.Random(f"{name}{seed}")
    definition = without_bodies(name)
    run = Simulation(definition)
    async with Realm.dev() as realm:
        await realm.define(definition)
        people = {person: await realm.agent(person, list(definition.groups)) for person in PEOPLE}
        signed = {key: OUTPUTS[key][0] for key in definition.step(definition.start).outputs}
        opened = await people["ada"].send("x", to=["ben", "eve"], workflow=name, outputs=signed)
        assert run.take(definition.start, "ada", outputs=signed) is None
        order = opened.conversation.id
        positions = {definition.start: opened.position}
        while not run.ended and len(run.taken) < 14:
            who = chance.choice(PEOPLE)
            handle = people[who].conversation(order)
            found = {option.step: option.code for option in handle.next_steps(on_stale="rebase")}
            assert found == {step: code(refused) for step, refused in run.verdicts().items()}
            asked = [step for step in definition.steps if step.approvals is not None and step.approvals.of in positions]
            if asked and chance.random() < 0.4:
                step = chance.choice(asked)
                assert step.approvals is not None
                (entry,) = realm.engine.entries(positions[step.approvals.of], 1)
                subject: Any = SimpleNamespace(entry=entry, id=entry.id)
                expected = code(run.approve(step.name, who))
                assert await told(handle.approve(subject, step=step.name, on_stale="rebase")) == expected
                continue
            name_of_step = chance.choice([step for step, refused in found.items() if refused is None] * 3 + list(found))
            outputs = {key: chance.choice(OUTPUTS[key]) for key in definition.step(name_of_step).outputs}
            expected = code(run.take(name_of_step, who, outputs=outputs))
            sending = handle.send("x", step=name_of_step, instance=order, outputs=outputs, on_stale="rebase")
            assert await told(sending) == expected
            if expected is None:
                positions[name_of_step] = realm.engine.records - 1
        found = {
            option.step: option.code
            for option in people["ada"].conversation(order).next_steps(instance=order, on_stale="rebase")
        }
        assert found == {step: code(refused) for step, refused in run.verdicts().items()}
