"""``verify``: one message, a stream of them, or a whole conversation."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from ama2sec import (
    Ama2Error,
    ConversationReport,
    Directory,
    HistoryError,
    Message,
    _files,
    verify_conversation,
    verify_many,
)
from ama2sec import verify as verify_message
from ama2sec.cli import fault_view
from ama2sec.cli.inputs import JSON, MAX_MESSAGE, DirectoryOption, is_terminal, load_directory, read_input
from ama2sec.cli.show import body_preview, console, emit, plain
from ama2sec.errors import error
from ama2sec.history.transcript import Progress
from ama2sec.limits import MAX_ITEM

__all__ = ["Implementation", "describe", "explanation", "verify"]

_BATCH = 512
_MAX_LINE = 2 * MAX_ITEM + 4096


class Implementation(StrEnum):
    """Which of the two verifies."""

    RUST = "rust"
    REFERENCE = "reference"


def verify(
    file: Annotated[
        Path | None, typer.Argument(help="A message, a conversation, a stream; - or nothing: standard input.")
    ] = None,
    directory: DirectoryOption = Path("directory.json"),
    head: Annotated[str | None, typer.Option(help="A head that you kept: size:hash.")] = None,
    body: Annotated[Path | None, typer.Option(help="Write the verified body of one message here.")] = None,
    require_body: Annotated[bool, typer.Option(help="A withheld body is a fault.")] = False,
    impl: Annotated[
        Implementation, typer.Option(help="For conversations: which implementation.")
    ] = Implementation.RUST,
    as_json: JSON = False,
) -> int:
    """Verify. What the file is shows in its first bytes: a conversation, one message or several, JSON lines with "entry"."""
    keys = load_directory(directory)
    first = _first_bytes(file)
    if first.startswith(b"\x83\x00"):
        return _conversation(file, keys, head, impl, as_json)
    if head is not None:
        raise error("ArgumentRange", "a conversation, for a head", "something else")
    if first.lstrip()[:1] == b"{":
        return _many(_json_lines(file), keys, as_json)
    data = read_input(file, max(MAX_MESSAGE, 64 << 20))
    entries = _entries(data)
    if len(entries) > 1:
        return _many(iter(entries), keys, as_json)
    message = verify_message(data, keys, require_body=require_body)
    if body is not None:
        if message.body is None:
            raise error("BodyMissing", "a message with its body", message.body_state)
        _files.write_whole(body, message.body, replace=False)
    if as_json:
        emit({"ok": True, **describe(message)})
    else:
        _print(message)
    return 0


def _first_bytes(file: Path | None) -> bytes:
    if file is None or str(file) == "-":
        return cast("io.BufferedReader", sys.stdin.buffer).peek(16)[:16]
    with _files.reading(file) as descriptor:
        return _files.read_bounded(descriptor, 15)


def describe(message: Message) -> dict[str, Any]:
    """A verified message as plain data; the sender's name is the directory's."""
    return {
        "id": str(message.id),
        "sender": message.sender,
        "kind": message.kind,
        "conversation": str(message.conversation),
        "context": {"size": message.context.size, "fingerprint": str(message.context.hash)},
        "recipients": message.recipients,
        "time_claimed": message.time,
        "body": message.body_state,
        "media_type": message.media_type,
    }


def _print(message: Message) -> None:
    out = console()
    out.print(f"valid: signed by {message.sender}")
    out.print(f"  id            {message.id}")
    seen = "nothing (it opens its conversation)" if message.context.size == 0 else f"{message.context.size} messages"
    out.print(f"  had seen      {seen}")
    out.print(f"  to            {', '.join(plain(r) for r in message.recipients) or 'nobody in particular'}")
    out.print(
        f"  body          {message.body_state}{'' if message.media_type is None else ' (' + plain(message.media_type) + ')'}"
    )
    if message.body:
        out.print(body_preview(message.body, message.media_type))
    if message.context.size:
        out.print("  Whether that history exists is not checked here: verify the whole conversation.")


# -- streams -------------------------------------------------------------------------------------------------------


def _entries(data: bytes) -> list[bytes]:
    """The entries of a sequence; anything that is none is one message, for its own error."""
    if not data.startswith(b"\x83"):
        return [data]
    from ama2sec._native import TranscriptReader, transcript_header

    reader = TranscriptReader()
    try:
        entries = reader.feed(transcript_header() + data)
        left = reader.finish()
    except Ama2Error:
        return [data]
    return entries if entries and not left else [data]


def _json_lines(file: Path | None) -> Iterator[bytes | Ama2Error]:
    stream = sys.stdin.buffer if file is None or str(file) == "-" else file.open("rb")
    with stream:
        while line := stream.readline(_MAX_LINE + 1):
            if line.strip():
                yield _entry_of(line)


def _entry_of(line: bytes) -> bytes | Ama2Error:
    wrong = error("ArgumentRange", 'a line {"entry": hex} or {"envelope": hex}', "another line")
    if len(line) > _MAX_LINE:
        return error("SizeLimit", f"lines of at most {_MAX_LINE} bytes", "a longer one")
    try:
        found = json.loads(line)
        return bytes.fromhex(found["entry"] if "entry" in found else found["envelope"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return wrong


def _many(items: Iterator[bytes | Ama2Error] | Iterator[bytes], keys: Directory, as_json: bool) -> int:
    """One line a message; the status is that of the first that is not valid."""
    status = number = valid = 0
    batch: list[bytes | Ama2Error] = []

    def flush() -> None:
        nonlocal status, number, valid
        verdicts = iter(verify_many([item for item in batch if isinstance(item, bytes)], keys))
        for item in batch:
            verdict = item if isinstance(item, Ama2Error) else next(verdicts)
            if isinstance(verdict, Message):
                valid += 1
            elif status == 0:
                status = verdict.exit_code
            _verdict_line(number, verdict, as_json)
            number += 1
        batch.clear()

    for item in items:
        batch.append(item)
        if len(batch) >= _BATCH:
            flush()
    flush()
    if not as_json:
        console(stderr=True).print(f"{valid} of {number} valid")
    return status


def _verdict_line(number: int, verdict: Message | Ama2Error, as_json: bool) -> None:
    if isinstance(verdict, Ama2Error):
        if as_json:
            emit({"item": number, **fault_view(verdict)})
        else:
            console().print(f"{number:>6}  {plain(str(verdict))}")
    elif as_json:
        emit({"item": number, "ok": True, **describe(verdict)})
    else:
        console().print(f"{number:>6}  valid   {verdict.sender:<16} {verdict.id}")


# -- conversations -------------------------------------------------------------------------------------------------


def _conversation(file: Path | None, keys: Directory, head: str | None, impl: Implementation, as_json: bool) -> int:
    if impl is Implementation.REFERENCE:
        return _by_reference(file, keys, head, as_json)
    total = file.stat().st_size if file is not None and str(file) != "-" else None
    source = sys.stdin.buffer if total is None or file is None else file
    try:
        with _progress(total) as progress:
            found = verify_conversation(source, keys, head=head, progress=progress)
    except HistoryError as fault:
        if as_json:
            emit(fault_view(fault))
        else:
            _explain(fault)
        return fault.exit_code
    if as_json:
        emit({"ok": True, **found.to_json()})
    else:
        _print_report(found)
    return 0


def _by_reference(file: Path | None, keys: Directory, head: str | None, as_json: bool) -> int:
    from ama2sec.reference import verify_transcript
    from ama2sec.reference.directory import Directory as ReferenceDirectory

    data = read_input(file, 1 << 34)
    found = verify_transcript(data, ReferenceDirectory.from_json(keys.to_json().encode()), head=head)
    view = {"ok": True, "head": found.head_text, "entries": found.entries, "implementation": "reference"}
    if as_json:
        emit(view)
    else:
        console().print(f"valid: {found.entries} entries, by the reference\n  head  {found.head_text}")
    return 0


@contextmanager
def _progress(total: int | None) -> Iterator[Progress | None]:
    if not is_terminal() or total is None or total < 4 << 20:
        yield None
        return
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("verifying"),
        BarColumn(),
        TextColumn("{task.fields[entries]:,} entries"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("verify", total=total, entries=0)
        yield lambda done, entries: bar.update(task, completed=done, entries=entries)


def _print_report(found: ConversationReport) -> None:
    out = console()
    out.print(f"valid: {found.entries} entries by {found.authors} authors, every signature and every context")
    out.print(f"  head          {found.head}")
    out.print(f"  largest lag   {found.lag} entries not yet seen by an author when it spoke")
    if found.tail == "checked":
        out.print("  tail          checked against the head that you kept")
    else:
        out.print("  tail          unchecked: without a head that you kept, a tail that was cut off cannot be seen")


_KINDS = {
    "altered": "entry {at} was altered",
    "inserted": "entry {at} was put in; it does not belong to this history",
    "other_conversation": "entry {at} belongs to another conversation",
    "missing": "an entry is missing where entry {at} stands now",
    "swapped": "entry {at} stands in the wrong place",
    "equivocation": "entry {at} is one of two messages that its author signed under one number",
    "duplicated": "entry {at} stands here twice",
    "cut_off": "the end of the history was cut off, behind the {at} entries that are left",
    "unknown": "entry {at} does not fit, and nothing proves what was done",
}


def _explain(fault: HistoryError) -> None:
    """A fault of a conversation for a person: the verdict, what proves the explanation, and what cannot be told."""
    out = console()
    out.print(plain(f"NOT VALID  {fault}"))
    for label, text in explanation(fault):
        out.print(f"  {label:<14}{text}")


def explanation(fault: HistoryError) -> list[tuple[str, str]]:
    """The report of a fault as labels and sentences; empty where there is none."""
    report: Any = fault.report
    if not isinstance(report, dict):
        return []
    first = report["first_fault"]
    who = f", signed as {first['author']}" if first["author"] else ""
    place = f"entry {first['position']} (byte {first['offset']}){who}; {report['sound']} entries before it are sound"
    repairs = [f"{_KINDS[row['kind']].format(at=row['position'])}{_proof(row)}" for row in report["repairs"]]
    rest = f"{report['fits_after']} later entries fit, {report['misfits_after']} do not"
    rows = [("first fault", place), *(("explanation", text) for text in repairs)]
    rows.append(("afterwards", rest if report["judged"] else f"{rest}; the rest was not judged"))
    if report["head"] is not None:
        rows.append(("head before", report["head"]))
    return rows


def _proof(repair: dict[str, Any]) -> str:
    proof = repair["proven_by"]
    if proof is None:
        return " (no later signature says more)"
    if proof["by"] == "entry":
        return f": the fingerprint signed in entry {proof['position']} ({proof['id'][:8]}) comes out exactly so"
    if proof["by"] == "head":
        return ": the head that you kept says so"
    return ": its own signed claims say so"
