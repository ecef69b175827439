"""``sign``: one message, or a stream of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from ama2sec import Conversation, Identity, Signed
from ama2sec.cli.inputs import PassphraseFile, load_directory, load_identity, read_body, write_output
from ama2sec.cli.show import console, emit
from ama2sec.errors import error
from ama2sec.limits import MAX_BODY

__all__ = ["sign"]

# A line holds at most a body in hex, and some names.
_MAX_LINE = 2 * MAX_BODY + 65536


def sign(
    key: Annotated[Path, typer.Option("--key", "-k", help="The author's key file.")],
    body: Annotated[Path | None, typer.Option("--body", "-b", help="The body; standard input by default.")] = None,
    to: Annotated[list[str] | None, typer.Option("--to", help="A name; may be given several times.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The new file; standard output by default.")] = None,
    media_type: Annotated[str, typer.Option(help="What the body is.")] = "application/octet-stream",
    conversation: Annotated[
        Path | None, typer.Option("--conversation", "-c", help="Append to this conversation file (made if absent).")
    ] = None,
    members: Annotated[list[str] | None, typer.Option("--member", help="Members of a new conversation.")] = None,
    directory: Annotated[Path | None, typer.Option("--directory", "-d", help="Needed with --conversation.")] = None,
    jsonl: Annotated[
        bool,
        typer.Option("--jsonl", help='Standard input is JSON lines: {"body": text or "body_hex": hex, "to": [...]}.'),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines {id, entry} instead of bytes.")] = False,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Sign a message. Without --conversation each message is a conversation of its own; what is written can travel as it is."""
    author = load_identity(key, passphrase_file)
    turns = _lines() if jsonl else iter([(read_body(body), list(to or []), media_type)])
    if conversation is not None:
        if directory is None:
            raise error("ArgumentRange", "--directory with --conversation", "none")
        _into_conversation(author, conversation, directory, members, turns, as_json)
        return
    made = (author.sign(data, to=names, media_type=kind) for data, names, kind in turns)
    if as_json:
        for signed in made:
            _emit(signed)
        return
    if jsonl:
        # A stream of messages, each a conversation of its own: a sequence of entries, without a transcript's header.
        write_output(out, b"".join(signed.to_bytes() for signed in made))
        return
    for signed in made:
        write_output(out, signed.to_bytes())


def _emit(signed: Signed) -> None:
    emit({"id": str(signed.id), "entry": signed.to_bytes().hex()})


def _into_conversation(
    author: Identity,
    path: Path,
    directory: Path,
    members: list[str] | None,
    turns: Iterator[tuple[bytes, list[str], str]],
    as_json: bool,
) -> None:
    keys = load_directory(directory)
    if path.exists():
        opened = Conversation.load(path, author, keys)
    else:
        opened = Conversation.create(path, author, keys, members=members)
    with opened as chat:
        for data, names, kind in turns:
            signed = chat.send(data, to=names, media_type=kind)
            if as_json:
                _emit(signed)
        if as_json:
            emit({"ok": True, "head": str(chat.head)})
        else:
            console().print(f"head {chat.head}")


def _lines() -> Iterator[tuple[bytes, list[str], str]]:
    number = 0
    while line := sys.stdin.buffer.readline(_MAX_LINE + 1):
        number += 1
        if len(line) > _MAX_LINE:
            raise error("SizeLimit", f"lines of at most {_MAX_LINE} bytes", f"line {number}")
        if line.strip():
            yield _turn(line, number)


def _turn(line: bytes, number: int) -> tuple[bytes, list[str], str]:
    wrong = error(
        "ArgumentRange", '{"body": text or "body_hex": hex, "to"?: [names], "media_type"?: text}', f"line {number}"
    )
    try:
        found: Any = json.loads(line)
        known = {"body", "body_hex", "media_type", "to"}
        if not isinstance(found, dict) or set(found) - known or ("body" in found) == ("body_hex" in found):
            raise wrong
        data = found["body"].encode() if "body" in found else bytes.fromhex(found["body_hex"])
        names = found.get("to", [])
        media_type = found.get(
            "media_type", "text/plain;charset=utf-8" if "body" in found else "application/octet-stream"
        )
        if not isinstance(names, list) or not all(isinstance(n, str) for n in names) or not isinstance(media_type, str):
            raise wrong
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise wrong from None
    return data, names, media_type
