"""A realm is begun, or found: its keys, its genesis, its log (spec agent.1)."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from ama2sec._native import RealmEngine, draft_realm
from ama2sec.errors import error
from ama2sec.identity import Identity
from ama2sec.identity.identity import clock_ms
from ama2sec.realm.people import Keyring, genesis_document
from ama2sec.realm.store import create_engine, load_engine

if TYPE_CHECKING:
    from ama2sec.realm.sdk import Realm

__all__ = ["DEV_OPERATORS", "DEV_ROOT", "Opened", "Opening", "begin", "find"]

DEV_ROOT: Final = "root"
DEV_OPERATORS: Final = ("operator-1", "operator-2")
_SEQUENCER: Final = "sequencer"


class Opening:
    """A realm that is about to be opened: ``async with`` it, or ``await`` it and ``close`` what you get."""

    def __init__(self, opens: Callable[[], Awaitable[Realm]]) -> None:
        self._opens = opens
        self._realm: Realm | None = None

    def __await__(self) -> Generator[Any, None, Realm]:
        return self._opens().__await__()

    async def __aenter__(self) -> Realm:
        self._realm = await self._opens()
        return self._realm

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._realm is not None:
            await self._realm.close()


@dataclass(frozen=True, slots=True)
class Opened:
    """An engine, and the keys beside it."""

    engine: RealmEngine
    keys: Keyring
    dev: bool
    """Whether it is a realm for trying out."""


def begin(
    path: str | os.PathLike[str] | None,
    name: str,
    roots: Sequence[Identity],
    quorum: int,
    durability: str,
    *,
    budgets: bool,
    dev: bool,
) -> Opened:
    """A new realm. The keys are there before the log is: a crash in between leaves keys of nothing."""
    if durability not in {"full", "normal"}:
        raise error("ArgumentRange", "durability to be full or normal", str(durability))
    if not roots or any(root.purpose != "root" for root in roots):
        raise error("PurposeWrong", "identities of purpose root", ", ".join(root.purpose for root in roots) or "none")
    where = None if path is None else Path(path)
    sequencer = Identity.generate(_SEQUENCER, purpose="sequencer")
    document = genesis_document(name, roots, sequencer, quorum, dev=dev)
    genesis = roots[0].seal(draft_realm(roots[0].public, document, clock_ms()))
    keys = _keys_beside(where)
    text = None if where is None else os.fspath(where)
    keys.make()
    try:
        for identity in [sequencer, *(roots if dev else ())]:
            keys.add(identity)
        keys.keep_realm(genesis.id)
        engine = create_engine(genesis.envelope, sequencer._own_key(), text, durability, budgets=budgets)
    except BaseException:
        keys.discard()
        raise
    return Opened(engine, keys, dev=dev)


def find(
    path: str | os.PathLike[str], durability: str | None, head: str | None, *, budgets: bool, full: bool = False
) -> Opened:
    """A realm that is there."""
    keys = _keys_beside(Path(path))
    sequencer = keys.get(_SEQUENCER)
    where, key = os.fspath(path), sequencer._own_key()
    engine = load_engine(where, key, keys.realm(), durability, budgets=budgets, head=head, full=full)
    try:
        return Opened(engine, keys, dev=is_dev(engine))
    except BaseException:
        engine.close()
        raise


def is_dev(engine: RealmEngine) -> bool:
    """What the realm's genesis says of it."""
    return bool(engine.entries(0, 1)[0].claims["document"]["profile"] == 1)


def _keys_beside(path: Path | None) -> Keyring:
    return Keyring(None if path is None else path.with_name(path.name + ".keys"))
