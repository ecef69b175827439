"""``tree``: heads, proofs and exhibits of a conversation file, and their check by whoever trusts a head."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer

import ama2sec
from ama2sec import Exhibited, Fingerprint, Id, parse
from ama2sec.cli.inputs import JSON, argument, load_directory, must_not_exist, read_input, write_output
from ama2sec.cli.show import emit, line, row
from ama2sec.errors import error
from ama2sec.history import parse_head
from ama2sec.history.archive import Archive
from ama2sec.limits import MAX_EXHIBIT, MAX_ITEM, MAX_PROOF

__all__ = ["tree_app"]

tree_app = typer.Typer(
    help="Prove that a message belongs to a conversation, and check such a proof.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Conversation = Annotated[
    Path, typer.Argument(metavar="FILE", readable=False, help="A conversation file.", show_default=False)
]
Keys = Annotated[
    Path | None,
    typer.Option(
        "--directory",
        "-d",
        metavar="FILE",
        readable=False,
        help="Verify the whole conversation under these keys first.",
    ),
]
Size = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="The history of the first N entries; all by default.")
]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="FILE", readable=False, help="A new file; else standard output.")
]
_EMPTY = "00" * 32
# Of the largest size, 2^48 - 1.
_DIGITS = 15


def _archive(file: Path, directory: Path | None) -> Archive:
    return Archive(file, None if directory is None else load_directory(directory))


@tree_app.command("root", short_help="Show the head of a conversation.")
def root(file: Conversation, size: Size = None, directory: Keys = None, as_json: JSON = False) -> None:
    """Show the head of a conversation: the size and the fingerprint to keep, and the bare root below it."""
    found = _archive(file, directory)
    head, bare = found.accumulator.fingerprint(size), found.accumulator.root(size).hex()
    if as_json:
        emit({"ok": True, "head": str(head), "root": bare, "verified": found.verified, **_scope(head)})
        return
    if not found.verified:
        line("NOT VERIFIED: no signature was checked (--directory does).", style="bold yellow")
    row("conversation", str(head.conversation))
    row("entries", f"{head.size:,}", "" if size is None else f"of {len(found):,}")
    row("root", bare, "the Merkle root alone: never a thing to trust, because it does not say its size")
    line(f"head  {head}")


def _scope(head: Fingerprint) -> dict[str, object]:
    return {"realm": str(head.realm), "conversation": str(head.conversation), "branch": str(head.branch)}


@tree_app.command("prove", short_help="Make a proof from a conversation.")
def prove(
    file: Conversation,
    index: Annotated[int | None, typer.Option(metavar="I", min=0, help="That entry I is in it (inclusion).")] = None,
    old: Annotated[
        int | None, typer.Option("--from", metavar="N", min=1, help="That it begins with its first N (consistency).")
    ] = None,
    span: Annotated[
        str | None, typer.Option("--range", metavar="I:J", help="That entries I to J-1 are in it (range).")
    ] = None,
    size: Size = None,
    out: Out = None,
    directory: Keys = None,
) -> None:
    """Make a proof: of one entry, of a shorter history, or of a range of entries."""
    if sum(part is not None for part in (index, old, span)) != 1:
        raise error("ArgumentRange", "one of --index, --from and --range", "none of them, or several")
    if out is not None:
        must_not_exist(out)
    tree = _archive(file, directory).accumulator
    if index is not None:
        made = ama2sec.prove_inclusion(tree, index, size)
    elif old is not None:
        made = ama2sec.prove_consistency(tree, old, size)
    else:
        made = ama2sec.prove_range(tree, *_span(span or ""), size)
    write_output(out, made)


def _span(text: str) -> tuple[int, int]:
    begin, _, end = text.partition(":")
    for number in (begin, end):
        if not (number.isascii() and number.isdecimal() and len(number) <= _DIGITS):
            raise error("ArgumentRange", f"--range I:J, two whole numbers of at most {_DIGITS} digits", repr(text[:40]))
    return int(begin), int(end)


@tree_app.command("exhibit", short_help="Put one message, its path and its head into one file.")
def exhibit(
    file: Conversation,
    index: Annotated[int, typer.Option(metavar="I", min=0, help="Which entry; the first is 0.", show_default=False)],
    size: Size = None,
    out: Out = None,
    directory: Keys = None,
) -> None:
    """Put one message, its path and the head into one small file that `tree check` checks alone."""
    if out is not None:
        must_not_exist(out)
    write_output(out, _archive(file, directory).exhibit(index, size))


@tree_app.command("check", short_help="Check a proof or an exhibit.")
def check(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", readable=False, help="A proof or an exhibit.", show_default=False)
    ],
    head: Annotated[str | None, typer.Option(metavar="N:HASH", help="The head that you trust.")] = None,
    old_head: Annotated[
        str | None, typer.Option(metavar="N:HASH", help="For consistency: the older head that you trust.")
    ] = None,
    message: Annotated[
        list[Path] | None,
        typer.Option(
            "--message",
            "-m",
            metavar="FILE",
            readable=False,
            help="The message of a proof; several for a range, in order.",
        ),
    ] = None,
    conversation: Annotated[
        str | None, typer.Option(metavar="ID", help="For consistency: the conversation, 64 hex digits.")
    ] = None,
    directory: Annotated[
        Path | None,
        typer.Option(
            "--directory", "-d", metavar="FILE", readable=False, help="For an exhibit: verify its author too."
        ),
    ] = None,
    as_json: JSON = False,
) -> None:
    """Check a proof against a head that you trust, or an exhibit alone. Nothing that is trusted is taken from the file."""
    data = read_input(file, MAX_EXHIBIT)
    if not data.startswith(b"a2p"):
        _exhibited(data, head, directory, as_json)
        return
    if head is None:
        raise error("ArgumentRange", "--head: the head that you trust", "none")
    kind = ama2sec.inspect_proof(data[: MAX_PROOF + 1])["type"]
    messages = [read_input(path, MAX_ITEM) for path in message or []]
    if kind == "consistency":
        _consistent(data, head, old_head, conversation, as_json)
    elif kind == "range":
        _ranged(data, head, messages, as_json)
    elif kind == "inclusion":
        _included(data, head, messages, as_json)
    else:
        _descended(data, head, messages, as_json)


def _fingerprint(text: str, option: str, conversation: Id) -> Fingerprint:
    """The head that was typed, of that conversation outside a realm. The hash binds the conversation: a wrong one cannot pass."""
    with argument(option):
        size, digest = parse_head(text)
    return Fingerprint(Id(bytes(32)), conversation, conversation, size, Id(digest))


def _conversation_of(message: bytes) -> Id:
    envelope = parse(message)
    stated = envelope.claims["conversation"]
    return envelope.id if stated == _EMPTY else Id.from_hex(stated)


def _one(messages: list[bytes]) -> bytes:
    if len(messages) != 1:
        raise error("ArgumentRange", "--message: the message itself, once", f"{len(messages)} messages")
    return messages[0]


def _descended(data: bytes, head: str, messages: list[bytes], as_json: bool) -> None:
    message = _one(messages)
    found = ama2sec.check_ancestry(_fingerprint(head, "--head", _conversation_of(message)), message, data)
    via = [str(one) for one in found.via]
    if as_json:
        view = {"id": str(found.id), "index": found.index, "found": str(found.found), "via": via}
        emit({"ok": True, "type": "ancestry", **view, "head": head})
        return
    line(f"ancestor: message {found.id}", style="bold green")
    line(f"is entry {found.index} of the history {found.found}")
    for merge in via:
        row("by way of", merge, "a message of the history before it that merges the next one")
    line(f"in the past of the head {head}")


def _included(data: bytes, head: str, messages: list[bytes], as_json: bool) -> None:
    message = _one(messages)
    found = ama2sec.check_inclusion(_fingerprint(head, "--head", _conversation_of(message)), message, data)
    if as_json:
        emit({"ok": True, "type": "inclusion", "id": str(found.id), "index": found.index, "head": head})
        return
    line(f"included: message {found.id}", style="bold green")
    line(f"is entry {found.index} of the history {head}")
    line("Who signed it was not asked: verify the message.")


def _ranged(data: bytes, head: str, messages: list[bytes], as_json: bool) -> None:
    if not messages:
        raise error("ArgumentRange", "--message for each message of the range", "none")
    found = ama2sec.check_range(_fingerprint(head, "--head", _conversation_of(messages[0])), messages, data)
    ids = [str(one) for one in found.ids]
    if as_json:
        emit({"ok": True, "type": "range", "ids": ids, "begin": found.begin, "head": head})
        return
    line(f"included: {len(ids)} messages, entries {found.begin} to {found.begin + len(ids) - 1}", style="bold green")
    line(f"of the history {head}")


def _consistent(data: bytes, head: str, old_head: str | None, conversation: str | None, as_json: bool) -> None:
    if old_head is None or conversation is None:
        _needs("--old-head and --conversation")
    with argument("--conversation"):
        scope = Id.from_hex(conversation)
    old, new = _fingerprint(old_head, "--old-head", scope), _fingerprint(head, "--head", scope)
    ama2sec.check_consistency(old, new, data)
    if as_json:
        emit({"ok": True, "type": "consistency", "old_head": old_head, "head": head})
        return
    line("extended: nothing of the older history was changed", style="bold green")
    row("older", old_head)
    row("newer", head)


def _needs(what: str) -> NoReturn:
    raise error("ArgumentRange", f"{what} for a consistency proof", "one of them or none")


def _exhibited(data: bytes, head: str | None, directory: Path | None, as_json: bool) -> None:
    keys = None if directory is None else load_directory(directory)
    if head is not None:
        with argument("--head"):
            parse_head(head)
    found = ama2sec.check_exhibit(data, head=head, directory=keys)
    sender = None if found.message is None else found.message.sender
    if as_json:
        view = {"id": str(found.id), "index": found.index, "head": str(found.fingerprint), "head_is": found.head}
        emit({"ok": True, "type": "exhibit", **view, "sender": sender, **_scope(found.fingerprint)})
        return
    _show_exhibit(found, sender)


def _show_exhibit(found: Exhibited, sender: str | None) -> None:
    line(f"included: message {found.id}", style="bold green")
    line(f"is entry {found.index} of the history {found.fingerprint}")
    if found.head == "retained":
        row("head", "the one that you trust")
    else:
        row("head", "AS STATED by the exhibit", "compare it with one from somebody whom you trust, or give --head")
    if sender is None:
        row("author", "NOT VERIFIED", "--directory verifies who signed it")
    else:
        row("author", f"signed by {sender}")
