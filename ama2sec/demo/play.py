"""The course of the demonstration: keys, a signed conversation, two verifications, six attacks, a branch and its
proofs, a realm, the realm in a file, work that follows a workflow."""

from __future__ import annotations

import random
import re
import time
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from ama2sec import ConversationReport, Directory, Fingerprint, HistoryError, Identity, reference, verify_conversation
from ama2sec.cli.reporting import explanation
from ama2sec.demo.attacks import Attack, attacks, differences
from ama2sec.demo.branches import Branches
from ama2sec.demo.file import FilePart
from ama2sec.demo.realm import RealmPart
from ama2sec.demo.said import Said
from ama2sec.demo.screen import Screen
from ama2sec.demo.story import StoryPart
from ama2sec.errors import PeerError, error
from ama2sec.history import write_transcript
from ama2sec.identity.identity import clock_ms

__all__ = ["Play", "identities", "slug"]

T = TypeVar("T")

STRANGER: Final = "stranger"
_LAGS: Final = (1, 1, 2, 3, 5)


@dataclass(frozen=True, slots=True)
class Play:
    """One run. ``folder`` is where the files stand while it lasts, or where they stay."""

    screen: Screen
    folder: Path
    seed: int

    @property
    def conversation(self) -> Path:
        """The signed conversation."""
        return self.folder / "conversation.ama"

    @property
    def directory_file(self) -> Path:
        """The keys that the verifier accepts."""
        return self.folder / "directory.json"

    def run(self, turns: list[Said]) -> tuple[int, Fingerprint, list[Attack]]:
        """All of it. Returns how many verdicts were not as they must be, the head, and the attacks."""
        people, directory = identities({said.author for said in turns})
        stranger = Identity.generate(STRANGER)
        directory.enrol(stranger.public, name=STRANGER)
        self._introduce(turns, people)
        head = self._sign(turns, people, directory)
        directory.save(self.directory_file)
        wrong = self._verify(directory, head)
        self.screen.title("Attacks")
        self.screen.say(
            f"Each on a copy of its own, without any author's key, where seed {self.seed} says. "
            "Below each stands the error that the verifier raised, and its report."
        )
        with self.screen.waiting("preparing the attacks"):
            made = attacks(self.conversation.read_bytes(), directory, stranger, _chance(self.seed))
        wrong += sum([self._attack(number, attack, directory, head) for number, attack in enumerate(made, start=1)])
        branches = Branches(self.screen, self.folder, _chance(self.seed))
        wrong += branches.run(self.conversation, people, directory, head)
        wrong += RealmPart(self.screen, self.folder).run()
        wrong += FilePart(self.screen, self.folder).run()
        wrong += StoryPart(self.screen, self.folder).run()
        return wrong, head, made

    # -- signing --------------------------------------------------------------------------------------------------------

    def _introduce(self, turns: list[Said], people: dict[str, Identity]) -> None:
        shown = _chance(self.seed).sample(range(len(turns)), min(4, len(turns)))
        for at in sorted(shown):
            words = " ".join(turns[at].text[:400].decode("utf-8", "ignore").split())
            self.screen.line(f"  {people[turns[at].author].name}: {words}", crop=True)

    def _sign(self, turns: list[Said], people: dict[str, Identity], directory: Directory) -> Fingerprint:
        self.screen.title("Sign")
        chance = _chance(self.seed)
        # Three of four authors have seen everything when they speak; the others speak at the same time as somebody else.
        lags = [0 if position % 4 else chance.choice(_LAGS) for position in range(len(turns) + 1)]
        with self.screen.progress("signing", len(turns)) as done:
            spoken = _spoken(turns, people, done)
            opener = people[turns[0].author]
            head, seconds = _timed(
                lambda: write_transcript(self.conversation, opener, spoken, directory, lag=lags.__getitem__)
            )
        size = self.conversation.stat().st_size
        each = f"{seconds / head.size * 1e6:,.0f} us"
        self.screen.rows(
            [
                (
                    "signed",
                    f"{head.size:,} entries by {len(people):,} keys, {size / 1e6:.1f} MB, in {seconds:.1f} s ({each} each)",
                ),
                ("", "Each says what its author had seen: a size, and the fingerprint of that prefix."),
                ("", "One author in four had not seen the latest 1 to 5 messages when it spoke."),
            ]
        )
        return head

    # -- verifying --------------------------------------------------------------------------------------------------------

    def _verify(self, directory: Directory, head: Fingerprint) -> int:
        """By both implementations; returns 1 if they do not both find the head that was signed.

        Raises ``Internal`` where either refuses what this very program has signed: that is nobody else's fault.
        """
        self.screen.title("Verify")
        total = self.conversation.stat().st_size
        try:
            with self.screen.progress("Rust core", total) as done:
                found, seconds = _timed(
                    lambda: verify_conversation(
                        self.conversation, directory, head=head, progress=lambda read, _entries: done(read)
                    )
                )
            self.screen.rows([("Rust core", f"{_took(seconds, found.entries)}, every signature and every context")])
            data, keys = self.conversation.read_bytes(), directory.to_json().encode()
            with self.screen.waiting("the reference verifies: pure Python, so it takes its time"):
                again, seconds = _timed(
                    lambda: reference.verify_transcript(data, reference.Directory.from_json(keys), head=str(head))
                )
        except PeerError as fault:
            raise error("Internal", "an honest conversation to be valid", str(fault)) from fault
        same = found.head == head and again.head_text == str(head) and again.entries == found.entries
        self.screen.rows(
            [
                (
                    "reference",
                    f"{_took(seconds, again.entries)}: a second implementation, pure Python, from the specs alone",
                ),
                (
                    "",
                    "Both find the head that was signed:" if same else f"NOT THE SAME: {found.head}, {again.head_text}",
                ),
            ],
            style="" if same else "bold red",
        )
        self.screen.line(f"  {head}")
        return 0 if same else 1

    # -- attacking --------------------------------------------------------------------------------------------------------

    def _attack(self, number: int, attack: Attack, directory: Directory, head: Fingerprint) -> bool:
        """Show what the verifier says; returns whether that is not what it must say."""
        self.screen.heading(f"{number}. {attack.title}")
        self.screen.rows([("where", attack.where)])
        found: ConversationReport | HistoryError
        try:
            found = verify_conversation(attack.data, directory, head=head if attack.with_head else None)
        except HistoryError as fault:
            found = fault
            self.screen.rows([("NOT VALID", str(fault))], style="red")
            for label, value, meaning in explanation(fault):
                self.screen.rows([(label, f"{value}; {meaning}" if meaning else value)])
        else:
            self.screen.rows([("valid", f"{found.entries:,} entries; tail: {found.tail}")], style="green")
            self.screen.rows([("", "Any beginning of an honest history is an honest history.")])
        wrong = differences(attack, found)
        if wrong:
            self.screen.rows([("BUT", text) for text in wrong], style="bold red")
        return bool(wrong)


def identities(authors: set[str]) -> tuple[dict[str, Identity], Directory]:
    """A key for each author, and a directory with all of them, each under a name that no other one has."""
    directory = Directory()
    made: dict[str, Identity] = {}
    uses = {STRANGER: 1}
    for author in sorted(authors):
        base = slug(author)
        uses[base] = uses.get(base, 0) + 1
        # A slug has no dot, so a numbered name is nobody's slug.
        made[author] = Identity.generate(base if uses[base] == 1 else f"{base}.{uses[base]}")
        directory.enrol(made[author].public, name=made[author].name)
    return made, directory


def slug(author: str) -> str:
    """The author's name in the form that names have (spec identity.3.1), as far as it has such letters."""
    letters = unicodedata.normalize("NFKD", author[:256]).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", letters)[:48].strip("-") or "somebody"


def _spoken(
    turns: list[Said], people: dict[str, Identity], done: Callable[[int], None]
) -> Iterator[tuple[Identity, bytes, int]]:
    for number, said in enumerate(turns):
        if number % 256 == 0:
            done(number)
        yield people[said.author], said.text, clock_ms() if said.time_ms is None else said.time_ms


def _took(seconds: float, entries: int) -> str:
    return f"{seconds:.2f} s, {seconds / entries * 1e6:,.0f} us a message"


def _chance(seed: int) -> random.Random:
    """What the seed decides: the same each time. No key and no salt comes from here."""
    return random.Random(seed)  # noqa: S311


def _timed(call: Callable[[], T]) -> tuple[T, float]:
    start = time.perf_counter()
    return call(), time.perf_counter() - start
