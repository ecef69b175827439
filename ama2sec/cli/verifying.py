"""``verify``: one message, a stream of them, or a whole conversation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from ama2sec import Ama2Error, Directory, Message, _files, verify_many
from ama2sec import verify as verify_message
from ama2sec.cli import reporting, streams
from ama2sec.cli.inputs import (
    JSON,
    DirectoryOption,
    Input,
    argument,
    load_directory,
    must_not_exist,
    opened,
    read_whole,
)
from ama2sec.cli.progress import bar
from ama2sec.cli.show import emit, fault_view, flush, line, tell
from ama2sec.errors import error
from ama2sec.history import parse_head
from ama2sec.limits import MAX_ITEM

__all__ = ["Implementation", "verify"]

_BATCH = 512
_BATCH_BYTES = 8 << 20


class Implementation(StrEnum):
    """Which of the two verifies."""

    RUST = "rust"
    REFERENCE = "reference"


def verify(
    directory: DirectoryOption,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            readable=False,
            help="A message, several, JSON lines, or a conversation; standard input by default, and for -.",
            show_default=False,
        ),
    ] = None,
    head: Annotated[
        str | None, typer.Option(metavar="SIZE:HASH", help="For a conversation: a head that you kept from earlier.")
    ] = None,
    body: Annotated[
        Path | None,
        typer.Option(metavar="FILE", readable=False, help="For one message: write its verified body to this new file."),
    ] = None,
    require_body: Annotated[
        bool, typer.Option("--require-body", help="For messages: one whose body is withheld is not valid.")
    ] = False,
    bodies: Annotated[
        bool, typer.Option("--bodies", help='For messages, with --json: add each verified body as "body_hex".')
    ] = False,
    impl: Annotated[
        Implementation,
        typer.Option("--impl", "--implementation", help="For a conversation: which implementation verifies."),
    ] = Implementation.RUST,
    as_json: JSON = False,
) -> int:
    """Verify what was signed, under the keys that you accept. The first bytes say what the file is.

    One message: who signed it, and that its body is the one signed; not whether the history that it names exists. Several, or
    JSON lines {"entry": hex}: one verdict a line; the exit status is that of the first that is not valid. A conversation: every
    signature, and that every author had seen what it says that it had seen.
    """
    keys = load_directory(directory)
    if bodies and not as_json:
        raise error("ArgumentRange", "--bodies with --json", "without")
    with opened(file) as source:
        if streams.is_conversation(source.first):
            _only("messages", body is not None, require_body, bodies)
            if head is not None:
                with argument("--head"):
                    parse_head(head)
            return _conversation(source, keys, head, impl, as_json)
        _only("a conversation", head is not None, impl is not Implementation.RUST)
        if streams.is_lines(source.first) or streams.is_sequence(source.first):
            found = streams.items(source)
            few = [item for _, item in zip(range(2), found, strict=False)]
            if streams.is_lines(source.first) or len(few) > 1:
                _only("one message", body is not None)
                return _Verdicts(keys, as_json, require_body, bodies).run(source, chain(few, found))
            (data,) = few
            if isinstance(data, Ama2Error):
                raise data
        else:
            data = read_whole(source, MAX_ITEM)
    return _single(data, keys, body, as_json, require_body, bodies)


def _only(what: str, *given: bool) -> None:
    """An option that would have no effect is refused: nobody shall think that it had one."""
    if any(given):
        raise error("ArgumentRange", f"{what}, for an option that was given", "a file of another kind")


def _conversation(source: Input, keys: Directory, head: str | None, impl: Implementation, as_json: bool) -> int:
    if impl is Implementation.REFERENCE:
        return reporting.by_reference(source, keys, head, as_json)
    return reporting.conversation(source, keys, head, as_json)


def _single(data: bytes, keys: Directory, body: Path | None, as_json: bool, require_body: bool, bodies: bool) -> int:
    if body is not None:
        must_not_exist(body)
    message = verify_message(data, keys, require_body=require_body)
    if body is not None:
        if message.body is None:
            raise error("BodyMissing", "a message with its body", message.body_state)
        _files.write_whole(body, message.body, replace=False)
    if as_json:
        emit({"ok": True, **reporting.describe(message, bodies=bodies)})
    else:
        reporting.show_message(message, keys)
    return 0


# -- streams -------------------------------------------------------------------------------------------------------


class _Verdicts:
    """One line a message, in order; the status is that of the first that is not valid."""

    def __init__(self, keys: Directory, as_json: bool, require_body: bool, bodies: bool) -> None:
        self._keys = keys
        self._as_json = as_json
        self._require_body = require_body
        self._bodies = bodies
        self._batch: list[bytes | Ama2Error] = []
        self._bytes = 0
        self._number = self._valid = self._status = 0

    def run(self, source: Input, items: Iterator[bytes | Ama2Error]) -> int:
        with bar(source.total, "verifying", with_lines=True) as advance, self._prompt(source):
            for item in items:
                self._batch.append(item)
                self._bytes += 0 if isinstance(item, Ama2Error) else len(item)
                if len(self._batch) >= _BATCH or self._bytes >= _BATCH_BYTES:
                    self._judge()
                    advance(source.done, self._number)
            self._judge()
        if self._as_json:
            emit({"ok": self._status == 0, "messages": self._number, "valid": self._valid})
        else:
            flush()
            tell(f"{self._valid} of {self._number} valid")
        return self._status

    @contextmanager
    def _prompt(self, source: Input) -> Iterator[None]:
        """What another program has sent so far is answered before more is waited for."""

        def answer() -> None:
            self._judge()
            flush()

        source.before_waiting = answer
        try:
            yield
        finally:
            source.before_waiting = None

    def _judge(self) -> None:
        batch, self._batch, self._bytes = self._batch, [], 0
        verdicts = iter(verify_many([item for item in batch if not isinstance(item, Ama2Error)], self._keys))
        for item in batch:
            verdict = item if isinstance(item, Ama2Error) else next(verdicts)
            if self._require_body and isinstance(verdict, Message) and verdict.body_state == "withheld":
                verdict = error("BodyMissing", "a message with its body", verdict.body_state)
            self._say(verdict)
            self._number += 1

    def _say(self, verdict: Message | Ama2Error) -> None:
        if isinstance(verdict, Ama2Error):
            self._status = self._status or verdict.exit_code
            if self._as_json:
                emit({"item": self._number, **fault_view(verdict)})
            else:
                line(f"{self._number:>6}  NOT VALID  {verdict}")
            return
        self._valid += 1
        if self._as_json:
            emit({"item": self._number, "ok": True, **reporting.describe(verdict, bodies=self._bodies)})
        else:
            line(f"{self._number:>6}  valid  {verdict.id}  {verdict.sender}")
