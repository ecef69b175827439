"""The reference answers the questions of conform about halts and resumes: given, made, and asked in the wrong way."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from ama2sec.conform import answer
from ama2sec.reference import encode, parse, registry_digest
from ama2sec.reference.claims import HALT_TYP, LOG_TYP
from tests.realm_world import TIME, kid_of, seed_of
from tests.unit.test_reference_halt import OTHER, Acme, acme


def ask(op: str, **arguments: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer(json.dumps({"op": op, **arguments}).encode(), "reference"))
    return found


def begun() -> Acme:
    world = acme(q6=1)
    for number, (envelope, _) in enumerate(world.sequenced):
        first = {"op": "realm_new", "sequencer_seed": seed_of("sequencer").hex()} if number == 0 else {"op": "admit"}
        assert ask(**first, envelope=envelope.hex(), time=TIME)["code"] == "ok"
    return world


def test_conform_halts_with_an_envelope_and_resumes() -> None:
    world = begun()
    halt = world.halt("op-1")
    found = ask("halt", envelope=halt.hex(), time=TIME)
    world.take(halt)
    assert (found["code"], found["verdict"], found["branch"]) == ("ok", "admitted", world.id.hex())
    assert found["digest"] == found["registry_digest"] == registry_digest(world.registry).hex()
    assert ask("halt", envelope=halt.hex(), time=TIME)["verdict"] == "duplicate"
    message = world.say("bob", world.talk_id).hex()
    assert ask("admit", envelope=message, time=TIME)["code"] == "Halted"
    resume = world.resume("op-2", [parse(halt).message_id])
    assert ask("resume", envelope=resume.hex(), time=TIME)["verdict"] == "admitted"
    assert ask("admit", envelope=world.say("bob", world.talk_id).hex(), time=TIME)["code"] == "ok"
    for wrong in (world.resume("op-2", [OTHER]), world.resume("alice", [OTHER])):
        assert ask("resume", envelope=wrong.hex(), time=TIME)["verdict"] == "rejected"


def test_conform_makes_local_halts() -> None:
    world = begun()
    made = {"scope": encode([1, world.talk_id]).hex(), "reason": "wrong prices", "salt": "07" * 16, "time": TIME + 1}
    found = ask("halt", **made)
    assert list(found)[:4] == ["id", "code", "envelope", "verdict"]
    assert found["verdict"] == "admitted"
    claims = ask("parse", envelope=found["envelope"])["claims"]
    assert {name: claims[name] for name in made} == made
    assert (claims["kind"], claims["agent_identity"]["agent"]) == ("local-halt", kid_of("sequencer").hex())
    again = ask("halt", **made)
    assert (again["verdict"], again["envelope"]) == ("duplicate", found["envelope"])
    assert ask("halt", **made | {"salt": "08" * 16, "scope": ""})["verdict"] == "admitted"
    long = ask("halt", **made | {"reason": "r" * 257})
    assert (long["code"], long["verdict"]) == ("ClaimRange", "refused")
    assert ask("halt", envelope=found["envelope"], time=TIME)["verdict"] == "duplicate"


def test_conform_asks_for_the_right_kind_and_form() -> None:
    world = begun()
    made = {"scope": "", "reason": "", "salt": "07" * 16, "time": TIME}
    halt, resume, message = (
        each.hex() for each in (world.halt("op-1"), world.resume("op-1", [OTHER]), world.say("bob", world.talk_id))
    )
    for op, arguments in (
        ("halt", {"envelope": resume, "time": TIME}),
        ("halt", {"envelope": message, "time": TIME}),
        ("resume", {"envelope": halt, "time": TIME}),
        ("resume", {"envelope": message, "time": TIME}),
        ("resume", made),
        ("halt", {"envelope": halt}),
        ("halt", {"envelope": halt, **made}),
        ("halt", {"envelope": halt, "time": TIME, "reason": ""}),
        ("halt", {"time": TIME}),
        *(("halt", {name: value for name, value in made.items() if name != missing}) for missing in made),
        ("halt", made | {"salt": "07"}),
        ("halt", made | {"scope": "0"}),
        ("halt", made | {"reason": 1}),
        ("halt", made | {"time": 1 << 48}),
    ):
        assert ask(op, **arguments)["code"] == "ConformQuestion", (op, arguments)
    for op in ("halt", "resume"):
        assert ask(op, envelope="d2", time=TIME)["code"] == "Truncated"
    ask("realm_new", time=TIME, sequencer_seed="00" * 32, envelope="00")
    assert ask("halt", **made)["code"] == ask("halt", envelope=halt, time=TIME)["code"] == "ConformQuestion"
    assert ask("resume", envelope="d2", time=TIME)["code"] == "ConformQuestion"


def test_make_gives_each_kind_its_typ() -> None:
    rng = Random(2026)
    for kind, typ in (("halt", HALT_TYP), ("resume", HALT_TYP), ("local-halt", LOG_TYP), (32, HALT_TYP), (50, LOG_TYP)):
        made = ask("make", seed=rng.randbytes(32).hex(), claims={"kind": kind})
        assert typ.encode().hex() in made["envelope"]
