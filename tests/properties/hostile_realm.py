"""Random histories of a realm, honest and hostile entries mixed: what two implementations are held against each other on."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from ama2sec.limits import SEQ_COUNTER_JUMP, SEQ_EPOCH_AHEAD
from ama2sec.reference import decode, encode
from ama2sec.reference.dag import Branch
from ama2sec.reference.envelope import Envelope, parse
from tests.realm_world import (
    DEFINE,
    ENROL,
    ERASE,
    POLICY,
    RESUME,
    REVOKE,
    TERM,
    TIME,
    kid_of,
    policy,
)
from tests.two_realms import TwoRealms
from tests.workflow_world import small

OTHER = b"o" * 32
GROUPS = ("buyers", "sellers")
PURPOSES = ("message", "message", "message", "operator", "sequencer", "root")


@dataclass
class History:
    """A realm, a generator, and the people that it has by now. ``step`` makes one entry and gives it to both."""

    rng: Random
    world: TwoRealms = field(init=False)
    keys: list[str] = field(default_factory=list)
    """Keys of agents, old ones too."""
    children: dict[str, bytes] = field(default_factory=dict)
    """Keys of children, and the conversation of each."""
    sent: list[bytes] = field(default_factory=list)
    count: int = 0

    def __post_init__(self) -> None:
        quorums = {f"q{key}": self.rng.choice((1, 1, 1, 2, 3)) for key in range(1, 7)}
        self.world = TwoRealms(roots=3, laws=policy(**quorums, hold=self.rng.random() < 0.2))
        for name in ("alice", "bob", "carol"):
            self.enrolled(name, following=f"{name}-2" if self.rng.random() < 0.8 else None)
        self.opened()

    # -- the honest ----------------------------------------------------------------------------------------------

    def fresh(self, word: str) -> str:
        self.count += 1
        return f"{word}{self.count}"

    def send(self, envelope: bytes, **how: Any) -> dict[str, Any]:
        self.sent.append(envelope)
        return self.world.ask(envelope, **how)

    def root(self) -> str:
        return self.rng.choice([name for name in self.keys if "root" in name] + ["root-1", "root-2", "root-3"])

    def enrolled(self, name: str, **how: Any) -> None:
        found = self.send(self.world.enrol(name, groups=self.groups(), **how))
        self.keys.append(name)
        if found["code"] == "ok":
            self.approve_all(bytes.fromhex(found["record"])[54:86], ENROL)

    def approve_all(self, proposal: bytes, kind: int) -> None:
        """Roots approve until it is enough."""
        for root in ("root-1", "root-2", "root-3"):
            if any(each.id == proposal for each in self.world.registry.proposals):
                self.send(self.world.approve(kind, root, proposal))

    def groups(self) -> tuple[str, ...]:
        return tuple(group for group in GROUPS if self.rng.random() < 0.5)

    def opened(self) -> None:
        by, members = self.speaker(), None
        if self.rng.random() < 0.6:
            ids = [self.world.ids[name] for name in self.keys if self.rng.random() < 0.7]
            members = sorted({*ids, *self.groups(), self.world.ids[by]}, key=encode)[:32]
        self.send(self.world.open(by, members=members))

    def speaker(self) -> str:
        """Mostly one whose key is live, and who may speak."""
        return self.rng.choice((self.living() if self.rng.random() < 0.88 else []) or self.keys)

    def living(self) -> list[str]:
        registry = self.world.registry
        found = []
        for name in self.keys:
            live = registry.live(registry.size, self.world.ids[name])
            if (
                live is not None
                and live.key.thumbprint == kid_of(name)
                and registry.agents[self.world.ids[name]].purpose == 1
            ):
                found.append(name)
        return found

    def talk(self) -> bytes | None:
        return self.rng.choice(list(self.world.state.conversations)) if self.world.state.conversations else None

    def branch(self, talk: bytes) -> Branch:
        return self.rng.choice(list(self.world.talk(talk).branches.values()))

    def author(self, talk: bytes) -> tuple[str, bytes]:
        """Somebody, and a branch where he might speak."""
        mine = [child for child, where in self.children.items() if where == talk]
        if mine and self.rng.random() < 0.45:
            child = self.rng.choice(mine)
            home = self.world.ids[child]
            forks = [b.id for b in self.world.talk(talk).branches.values() if home in {each.id for each in b.lineage()}]
            return child, self.rng.choice([*forks, *forks, *forks, self.branch(talk).id])
        return self.speaker(), self.branch(talk).id

    def context(self, branch: Branch) -> dict[str, Any]:
        """Mostly all that there is, sometimes less; the registry likewise."""
        lag = self.rng.choice((0, 0, 0, 1, 2))
        seen = self.world.registry.size - self.rng.choice((0, 0, 1, 3))
        return {"branch": branch.id, "n": max(branch.base + 1, branch.size - lag), "seen": max(1, seen)}

    def heads(self, talk: bytes, branch: Branch, most: int) -> list[tuple[bytes, int]]:
        others = [each for each in self.world.talk(talk).branches.values() if each is not branch]
        chosen = self.rng.sample(others, min(len(others), self.rng.randint(1, most)))
        return [(each.id, self.rng.randint(each.base + 1, each.size)) for each in chosen]

    def spoken(self, talk: bytes) -> bytes:
        """A message, a merge, a fork, a spawn or a close."""
        who, where = self.author(talk)
        branch = self.world.talk(talk).branches[where]
        context, choice = self.context(branch), self.rng.random()
        changes: dict[str, Any] = {"c8": self.rng.choice(([], [], [self.world.ids["alice"]], ["buyers"]))}
        if choice < 0.4:
            return self.world.say(who, talk, **context, **changes)
        if choice < 0.65:
            return self.world.say(who, talk, **context, merges=self.heads(talk, branch, 3), **changes)
        if choice < 0.75 or len(self.world.talk(talk).branches) > 9:
            return self.world.fork(who, talk, **context, **changes)
        if choice < 0.95:
            child = self.fresh("child")
            self.children[child] = talk
            return self.world.spawn(who, talk, child, grant=self.grant(child), **context, **changes)
        return self.world.close(who, talk, whole=self.rng.random() < 0.1, **context, **changes)

    def grant(self, child: str) -> list[Any]:
        rng = self.rng
        to = sorted([self.world.ids["alice"], self.world.ids["bob"], "buyers"], key=encode)
        return self.world.grant(
            child,
            steps=rng.choice((None, None, ["a"], ["a", "b/*"], [])),
            to=rng.choice((None, None, to, to[:1], [])),
            rights=rng.choice((0, 1, 2, 3, 7, 7)),
            expires=rng.choice((None, None, self.world.now + rng.randint(-2, 40))),
            depth=rng.choice((0, 1, 2, 8, 8)),
            next=rng.choice((None, OTHER)),
        )

    def governed(self) -> bytes:
        """An entry of the registry, honest or nearly so."""
        rng, world, by = self.rng, self.world, self.root()
        seen = max(1, world.registry.size - rng.choice((0, 0, 0, 1, 4)))
        openly = [each for each in world.registry.proposals if each.kind != RESUME]
        if openly and rng.random() < 0.5:
            proposal = rng.choice(openly)
            kind = proposal.kind if rng.random() < 0.9 else TERM
            return world.approve(kind, by, proposal.id, seen=seen)
        kind = rng.choice((ENROL, ENROL, ENROL, ENROL, REVOKE, POLICY, POLICY, DEFINE, DEFINE, ERASE, ERASE, TERM))
        if kind == ENROL:
            return self.enrolling(by)
        return world.entry(kind, by, self.own(kind), seen=seen)

    def enrolling(self, by: str) -> bytes:
        rng, world = self.rng, self.world
        old = rng.choice(self.keys)
        choice = rng.random()
        if choice < 0.45:  # a rotation, if that is what was committed to
            key = rng.choice((f"{old}-2", f"{old}-2", "mallory"))
            agent = world.registry.agents.get(world.ids[old])
            name = agent.name if agent is not None else old
            purpose = {1: "message", 2: "operator", 3: "sequencer", 4: "root"}[agent.purpose if agent else 1]
            how: dict[str, Any] = {"name": name, "purpose": purpose, "replaces": world.ids[old]}
        elif choice < 0.7:
            key, how = self.fresh("agent"), {"purpose": rng.choice(PURPOSES)}
            key = f"root{key}" if how["purpose"] == "root" else key
        else:
            key, how = rng.choice((old, self.fresh("agent"))), {"name": rng.choice(("alice", "sequencer", "zoe"))}
        if key not in self.keys:
            self.keys.append(key)
        made = world.enrol(key, by=by, groups=self.groups(), following=rng.choice((None, f"{key}-2")), **how)
        if rng.random() < 0.1:
            own = world.enrolment(key, **how)
            own[6] = bytes(64)
            made = world.enrol(key, by=by, own=own)
        return made

    def own(self, kind: int) -> Any:
        rng, world = self.rng, self.world
        if kind == REVOKE:
            somebody = rng.choice([*world.registry.agents, *world.registry.agents, OTHER])
            return [somebody, rng.choice((None, 3)), "why"]
        if kind == POLICY:
            laws = policy(**{f"q{key}": rng.choice((1, 1, 2, 3)) for key in range(1, 7)}, hold=rng.random() < 0.2)
            if rng.random() < 0.15:
                laws[rng.randint(1, 6)] = 9
            return [rng.choice((world.registry.policy_id, world.registry.policy_id, OTHER)), laws]
        if kind == DEFINE:
            name = rng.choice(("flow", "other"))
            present = world.registry.definition(name, world.registry.size)
            replaces = rng.choice((present and present.entry_id, present and present.entry_id, OTHER, None))
            self.fresh("document")
            document = small("else" if self.count % 11 == 0 else name, 1 + self.count % 255)
            return [name, replaces, document[:-1] if self.count % 13 == 0 else document]
        if kind == ERASE:
            return [
                rng.choice((OTHER, self.fresh("m").encode().rjust(32, b"."), *list(world.registry.erased)[:1])),
                "why",
            ]
        return [rng.randint(0, 99), OTHER, ""]

    # -- the hostile ---------------------------------------------------------------------------------------------

    def changed(self, envelope: bytes, by: str) -> bytes:
        """The same author signs other claims."""
        entry = parse(envelope)
        claims = _claims_of(entry)
        for _ in range(self.rng.choice((1, 1, 2))):
            self.change(claims, entry)
        return self.world.sign(by, claims, {"typ": entry.typ})

    def change(self, claims: dict[Any, Any], entry: Envelope) -> None:
        rng, world = self.rng, self.world
        talk = entry.claims.conversation
        path, context = claims[6], claims[5]
        if path[2] and rng.random() < 0.6:
            self.change_merge(rng.choice(path[2]), talk)
            path[2].sort(key=encode)
            return
        if claims.get(15) and rng.random() < 0.4:
            claims[15][rng.choice((0, 1, 5))] = rng.choice((bytes(64), OTHER, 1))
            return
        match rng.randint(0, 13):
            case 0 if 9 in claims:
                claims[9] = list(rng.choice([(TIME, 0), *self.seqs(talk)]))
            case 1 if 9 in claims:
                jump, ahead = SEQ_COUNTER_JUMP, world.now + SEQ_EPOCH_AHEAD
                claims[9] = rng.choice(
                    ([TIME, jump + 900], [ahead, 0], [ahead + 1, 0], [TIME + 1, jump], [TIME + 1, jump + 1])
                )
            case 2:
                context[2] += rng.choice((1, 2))
            case 3:
                context[3] = OTHER
            case 4:
                path[0] = OTHER
            case 5:
                context[0] += rng.choice((1, 2))
            case 6:
                context[0] = max(1, context[0] - rng.choice((1, 2)))
            case 7:
                path[1] = OTHER
            case 8:
                context[1] = OTHER
            case 9:
                claims[7] = [None, OTHER, rng.choice(("a", "z")), {}, None]
            case 10 if 14 in claims:
                claims[14] = [rng.random() < 0.5, "flow"]
            case 11:
                claims[1] = rng.choice((OTHER, bytes(32)))
            case 12:
                claims[2] = rng.choice((OTHER, world.id))
            case 13:
                claims[4] = [claims[4][0], rng.choice((claims[4][0], OTHER))]
            case _:
                claims[11] = world.counted_salt()

    def change_merge(self, head: list[Any], talk: bytes) -> None:
        """One merged head is of no branch, too long, too short, of another history, or old."""
        branch = self.world.talk(talk).branches.get(head[0]) if talk in self.world.state.conversations else None
        match self.rng.randint(0, 6):
            case 0:
                head[0] = OTHER
            case 1:
                head[1] += 9
            case 2 if branch is not None:
                head[1] = max(1, branch.base)
            case 3 if branch is not None:
                head[1:] = [branch.base + 1, branch.fingerprint(branch.base + 1)]
            case _:
                head[2] = OTHER

    def seqs(self, talk: bytes) -> list[tuple[int, int]]:
        if talk in self.world.state.conversations:
            return list(self.world.talk(talk).seqs.values())
        return list(self.world.registry.seqs.values())

    def broken(self, envelope: bytes) -> bytes:
        """Bytes that nobody signed."""
        at = self.rng.randrange(len(envelope))
        return envelope[:at] + bytes([envelope[at] ^ 1 << self.rng.randrange(8)]) + envelope[at + 1 :]

    def merging_fork(self, talk: bytes) -> bytes:
        who, where = self.author(talk)
        branch = self.world.talk(talk).branches[where]
        if len(self.world.talk(talk).branches) < 2:
            return self.world.fork(who, talk, branch=where)
        return self.world.fork(who, talk, branch=where, merges=self.heads(talk, branch, 2))

    def with_body(self, talk: bytes) -> None:
        who, where = self.author(talk)
        envelope = self.world.say(who, talk, branch=where, body=b"hello")
        self.send(envelope, body=self.rng.choice((None, b"hell", b"jello", b"hello", b"hello")))
        if self.rng.random() < 0.3:
            self.send(self.world.say(who, talk, branch=where), body=b"hello")

    # -- one step ------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """One entry, or two."""
        rng, talk = self.rng, self.talk()
        self.world.now += rng.choice((0, 0, 1, 5, -3))
        choice = rng.random()
        if talk is None or choice < 0.05:
            self.opened()
        elif choice < 0.5:
            self.send(self.spoken(talk))
        elif choice < 0.7:
            self.send(self.governed())
        elif choice < 0.75:
            self.with_body(talk)
        elif choice < 0.78:
            self.send(self.merging_fork(talk))
        elif choice < 0.80:
            self.send(rng.choice(self.sent))
        elif choice < 0.83:
            self.send(self.broken(rng.choice(self.sent)))
        else:
            self.lie(talk)

    def lie(self, talk: bytes) -> None:
        rng = self.rng
        honest = rng.choice((self.spoken, self.spoken, self.spoken, lambda _: self.governed(), self.opening))(talk)
        kid = parse(honest).kid
        by = next(
            name
            for name in (*self.keys, *self.children, "root-1", "root-2", "root-3", *self.unknown())
            if kid == kid_of(name)
        )
        self.send(self.changed(honest, by))

    def opening(self, _: bytes) -> bytes:
        return self.world.open(self.speaker())

    def unknown(self) -> list[str]:
        return ["mallory", *(f"{key}-2" for key in self.keys)]


def _claims_of(entry: Envelope) -> dict[Any, Any]:
    found = decode(entry.payload)
    assert isinstance(found, dict)
    return found
