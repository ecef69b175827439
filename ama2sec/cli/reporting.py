"""What ``verify`` says: of one message, of a conversation, and of what is wrong with it."""

from __future__ import annotations

import io
from typing import Any

from ama2sec import Ama2Error, Directory, HistoryError, Id, Message, verify_conversation
from ama2sec.cli.inputs import Input, read_whole
from ama2sec.cli.progress import bar
from ama2sec.cli.show import body_lines, emit, fault_view, line, plain, row

_MAX_REFERENCE = 1 << 30

__all__ = ["by_reference", "conversation", "describe", "explain", "explanation", "recipients", "show_message"]


def describe(message: Message, *, bodies: bool = False) -> dict[str, Any]:
    """A verified message as plain data; the sender's name is the directory's."""
    view: dict[str, Any] = {
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
    if bodies:
        view["body_hex"] = None if message.body is None else message.body.hex()
    return view


def recipients(listed: list[str], keys: Directory | None, *, nobody: str) -> str:
    """Addresses, one a line; an id with the name that the reader's directory has for it."""
    if not listed:
        return nobody
    return "\n".join(_address(address, keys) for address in listed)


def _address(address: str, keys: Directory | None) -> str:
    if address.startswith("name:"):
        return address.removeprefix("name:")
    found = Id.from_hex(address)
    name = None if keys is None else keys.name_of(found)
    return address if name is None else f"{name} ({found.short})"


def show_message(message: Message, keys: Directory) -> None:
    """A verified message, for a person."""
    line(f"valid: signed by {message.sender}", style="bold green")
    row("id", str(message.id))
    row("had seen", "nothing: it opens its conversation" if message.context.size == 0 else _count(message.context.size))
    row("to", recipients(message.recipients, keys, nobody="nobody in particular"))
    if message.media_type is None:
        row("body", message.body_state)
    else:
        row("body", f"{message.body_state} ({message.media_type})")
    if message.body:
        for part in body_lines(message.body):
            line(part)
    if message.context.size:
        line("Whether that history exists is not checked here: verify the whole conversation.")


def _count(number: int) -> str:
    return f"{number:,} message{'' if number == 1 else 's'}"


# -- conversations -------------------------------------------------------------------------------------------------


def conversation(source: Input, keys: Directory, head: str | None, as_json: bool) -> int:
    """Verify a conversation and say what was found. Returns the exit status."""
    try:
        with bar(source.total, "verifying") as progress:
            found = verify_conversation(io.BufferedReader(source), keys, head=head, progress=progress)
    except HistoryError as fault:
        if as_json:
            emit(fault_view(fault))
        else:
            explain(fault)
        return fault.exit_code
    if as_json:
        emit({"ok": True, **found.to_json()})
    else:
        _print_report(found.to_json())
    return 0


def by_reference(source: Input, keys: Directory, head: str | None, as_json: bool) -> int:
    """The same by the second implementation. It reads the whole file into memory, and gives a verdict without a diagnosis."""
    from ama2sec import reference

    data = read_whole(source, _MAX_REFERENCE)
    directory = reference.Directory.from_json(keys.to_json().encode())
    try:
        found = reference.verify_transcript(data, directory, head=head)
    except Ama2Error as fault:
        if as_json:
            emit({**fault_view(fault), "position": fault.position, "implementation": "reference"})
        else:
            line("NOT VALID, by the reference", style="bold red")
            line(f"  {fault}")
            row("first fault", f"entry {fault.position}", _sound(fault.position or 0))
        return fault.exit_code
    report = {
        "head": found.head_text,
        "entries": found.entries,
        "authors": found.authors,
        "lag": found.lag,
        "tail": "checked" if found.head_compared else "unchecked",
    }
    if as_json:
        emit({"ok": True, **report, "implementation": "reference"})
    else:
        _print_report(report, by=" (reference)")
    return 0


def _print_report(found: dict[str, Any], *, by: str = "") -> None:
    authors = "1 author" if found["authors"] == 1 else f"{found['authors']:,} authors"
    entries = "1 entry" if found["entries"] == 1 else f"{found['entries']:,} entries"
    line(f"valid{by}: {entries} by {authors}, every signature and every context", style="bold green")
    if found["tail"] == "checked":
        row("tail", "checked against the head that you kept")
    else:
        row("tail", "unchecked", "without a head that you kept, a tail that was cut off cannot be seen")
    row("largest lag", f"{found['lag']:,}", "the most entries that an author had not seen yet when it spoke")
    line(f"head  {found['head']}")


_KINDS = {
    "altered": "was altered",
    "inserted": "was put in; it does not belong to this history",
    "other_conversation": "belongs to another conversation",
    "missing": "is missing",
    "swapped": "stands in the wrong place",
    "equivocation": "is one of two that its author signed under one number",
    "duplicated": "stands here twice",
    "cut_off": "and all after it were cut off the end",
    "unknown": "does not fit, and nothing proves what was done",
}


def explain(fault: HistoryError) -> None:
    """A fault of a conversation for a person: the verdict, what proves the explanation, and what cannot be told."""
    line("NOT VALID", style="bold red")
    line(f"  {fault}")
    for label, value, meaning in explanation(fault):
        row(label, value, meaning)
    if isinstance(fault.report, dict) and fault.report["head"] is not None:
        line(f"head before  {plain(fault.report['head'])}")


def explanation(fault: HistoryError) -> list[tuple[str, str, str]]:
    """The report of a fault as rows of label, value, and what it means; none where there is no report."""
    report: Any = fault.report
    if not isinstance(report, dict):
        return []
    first = report["first_fault"]
    who = f", signed by {first['author']}" if first["author"] else ""
    rows = [("first fault", f"entry {first['position']} (byte {first['offset']}){who}", _sound(report["sound"]))]
    rows += [("explanation", f"entry {r['position']} {_KINDS[r['kind']]}", _proof(r)) for r in report["repairs"]]
    fits, misfits = report["fits_after"], report["misfits_after"]
    rest = f"{fits:,} later {'entry fits' if fits == 1 else 'entries fit'}, {misfits:,} {'does' if misfits == 1 else 'do'} not"
    rows.append(("afterwards", rest, "" if report["judged"] else "the rest was not judged"))
    return rows


def _sound(count: int) -> str:
    if count < 2:
        return "the one before it is sound" if count else "nothing stands before it"
    return f"the {count:,} before it are sound"


def _proof(repair: dict[str, Any]) -> str:
    proof = repair["proven_by"]
    if proof is None:
        return "no later signature says more"
    if proof["by"] == "entry":
        return f"proof: the fingerprint signed in entry {proof['position']} ({proof['id'][:8]}) comes out exactly so"
    if proof["by"] == "head":
        return "proof: the head that you kept"
    return "proof: its own signed claims"
