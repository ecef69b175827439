"""``sign``: one message, or a stream of them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from ama2sec import Ama2Error, Conversation, Directory, Identity, Signed, _files
from ama2sec.cli import streams
from ama2sec.cli.inputs import MaybeDirectory, PassphraseFile, load_directory, load_identity, named, opened, read_body
from ama2sec.cli.progress import bar
from ama2sec.cli.show import emit, flush, line, tell, write
from ama2sec.errors import error

__all__ = ["sign"]

_BYTES = "application/octet-stream"
_TEXT = "text/plain;charset=utf-8"
_TURN = '{"body": text or "body_hex": hex, "to"?: [names], "media_type"?: text}'


class Turn(NamedTuple):
    """What is to be signed."""

    body: bytes
    to: list[str]
    media_type: str


def sign(
    key: Annotated[Path, typer.Option("--key", "-k", metavar="FILE", readable=False, help="The author's key file.")],
    body: Annotated[
        Path | None,
        typer.Option("--body", "-b", metavar="FILE", readable=False, help="The body; standard input by default."),
    ] = None,
    to: Annotated[list[str] | None, typer.Option("--to", metavar="NAME", help="May be given several times.")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", readable=False, help="The new file; standard output by default."),
    ] = None,
    media_type: Annotated[
        str | None,
        typer.Option(metavar="TYPE", help=f"What the body is.  [default: {_BYTES}]", show_default=False),
    ] = None,
    conversation: Annotated[
        Path | None,
        typer.Option(
            "--conversation",
            "-c",
            metavar="FILE",
            readable=False,
            help="Append to this conversation (made if absent); needs -d.",
        ),
    ] = None,
    members: Annotated[
        list[str] | None,
        typer.Option("--member", metavar="NAME", help="A member of a new conversation; everyone enrolled by default."),
    ] = None,
    directory: MaybeDirectory = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help=f"The input is JSON lines, a message each: {_TURN}.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help='For programs: JSON lines {"id", "entry"} instead of bytes.')
    ] = False,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Sign a message, or many. What is written can travel as it is, and is what verify reads.

    Without --conversation each message is a conversation of its own, and its author claims to have seen nothing before. With it,
    the author claims to have seen everything in that file.
    """
    _agree(jsonl, to, media_type, out, as_json, conversation, members)
    if conversation is not None and directory is None:
        raise error("ArgumentRange", "--directory with --conversation", "none")
    author = load_identity(key, passphrase_file)
    with ExitStack() as stack:
        if jsonl:
            turns = _turns(stack, body)
        else:
            names = [named(name, "--to") for name in to or []]
            turns = iter([Turn(read_body(body), names, media_type or _BYTES)])
        chat = None
        if conversation is not None and directory is not None:
            keys = load_directory(directory)
            turns = _known(turns, keys)
            chat = stack.enter_context(_opened(author, conversation, keys, members))
        deliver = _deliver(stack, out, as_json, chat)
        count = 0
        for turn in turns:
            speak = author.sign if chat is None else chat.send
            deliver(speak(turn.body, to=turn.to, media_type=turn.media_type))
            count += 1
    _close(chat, out, as_json, count)


def _agree(
    jsonl: bool,
    to: list[str] | None,
    media_type: str | None,
    out: Path | None,
    as_json: bool,
    conversation: Path | None,
    members: list[str] | None,
) -> None:
    """Options that would have no effect together are refused: nobody shall think that they had one."""
    if jsonl and (to or media_type is not None):
        raise error("ArgumentRange", 'with --jsonl, "to" and "media_type" in each line', "--to or --media-type")
    if as_json and out is not None:
        raise error("ArgumentRange", "--out or --json", "both")
    if members and (conversation is None or os.path.lexists(conversation)):
        raise error("ArgumentRange", "--member with a new --conversation: its open fixes them", "no new one")
    if out is None and not as_json and conversation is None and sys.stdout is not None and sys.stdout.isatty():
        raise error("ArgumentRange", "--out FILE, --json, or a pipe", "bytes for a terminal")


# -- what goes in ----------------------------------------------------------------------------------------------------


def _turns(stack: ExitStack, body: Path | None) -> Iterator[Turn]:
    source = stack.enter_context(opened(body))
    source.before_waiting = flush
    advance = stack.enter_context(bar(source.total, "signing", with_lines=True))
    for number, found in enumerate(streams.lines(source), start=1):
        if isinstance(found, Ama2Error):
            raise error(found.code, found.expected, f"line {number}: {found.got}")
        yield _turn(found, number)
        advance(source.done, number)


def _turn(found: bytes, number: int) -> Turn:
    wrong = error("ArgumentRange", _TURN, f"line {number}")
    try:
        value: Any = json.loads(found)
        if not isinstance(value, dict) or set(value) - {"body", "body_hex", "media_type", "to"}:
            raise wrong
        if ("body" in value) == ("body_hex" in value):
            raise wrong
        data = value["body"].encode() if "body" in value else bytes.fromhex(value["body_hex"])
        to = value.get("to", [])
        media_type = value.get("media_type", _TEXT if "body" in value else _BYTES)
        if not isinstance(to, list) or not all(isinstance(n, str) for n in to) or not isinstance(media_type, str):
            raise wrong
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise wrong from None
    return Turn(data, [named(name, f'line {number}, "to"') for name in to], media_type)


def _known(turns: Iterator[Turn], keys: Directory) -> Iterator[Turn]:
    """The same turns; the first is looked at before a conversation is opened for it, or made."""
    first = next(turns, None)
    if first is None:
        raise error("ArgumentRange", "a message to sign", "none")
    for name in first.to:
        keys.get(name)
    return chain([first], turns)


# -- what comes out --------------------------------------------------------------------------------------------------


def _opened(author: Identity, path: Path, keys: Directory, members: list[str] | None) -> Conversation:
    if not os.path.lexists(path):
        return Conversation.create(path, author, keys, members=members)
    chat = Conversation.load(path, author, keys)
    if chat.truncated_tail:
        tell(f"{chat.truncated_tail} bytes of an entry that was never finished were cut off the end of the file")
    return chat


def _deliver(
    stack: ExitStack, out: Path | None, as_json: bool, chat: Conversation | None
) -> Callable[[Signed], object]:
    """Where each signed message goes, as soon as it is made."""
    if as_json:
        return lambda signed: emit({"id": str(signed.id), "entry": signed.to_bytes().hex()})
    if out is not None and str(out) != "-":
        put = stack.enter_context(_files.writing_whole(out, replace=False))
        return lambda signed: put(signed.to_bytes())
    if chat is not None and out is None:
        return lambda _: None
    return lambda signed: write(signed.to_bytes())


def _close(chat: Conversation | None, out: Path | None, as_json: bool, count: int) -> None:
    if as_json:
        if chat is not None:
            emit({"ok": True, "signed": count, "head": str(chat.head)})
        return
    if str(out) == "-" or (out is None and chat is None):
        return
    line(f"signed  {count} {'message' if count == 1 else 'messages'}")
    if chat is not None:
        line(f"head    {chat.head}")
