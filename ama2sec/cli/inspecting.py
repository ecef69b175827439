"""``inspect``: one envelope, so that a person understands every field."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from ama2sec import Message, UnverifiedEnvelope, parse
from ama2sec._native import TranscriptReader
from ama2sec.cli.inputs import JSON, load_directory, read_input
from ama2sec.cli.show import body_preview, console, emit, plain
from ama2sec.cli.verifying import describe
from ama2sec.errors import error
from ama2sec.limits import MAX_ITEM

__all__ = ["inspect"]

_MAX_TRANSCRIPT = 1 << 30
_EMPTY = "00" * 32


def inspect(
    file: Annotated[
        Path | None, typer.Argument(help="A message or a conversation; - or nothing: standard input.")
    ] = None,
    at: Annotated[int | None, typer.Option(help="Which entry of a conversation, from 0.")] = None,
    directory: Annotated[
        Path | None, typer.Option("--directory", "-d", help="Verify under these keys as well.")
    ] = None,
    as_json: JSON = False,
) -> None:
    """Show what an envelope says, field by field. Without --directory nothing in it is verified, and the first line says so."""
    data = read_input(file, _MAX_TRANSCRIPT if at is not None else MAX_ITEM)
    entry = data if at is None else _entry(data, at)
    if at is None and data.startswith(b"\x83\x00"):
        raise error("ArgumentRange", "--at N, for a conversation", "none")
    envelope = parse(entry)
    message = None if directory is None else envelope.verify(load_directory(directory))
    if as_json:
        view: dict[str, Any] = {"verified": message is not None, "id": str(envelope.id), "kid": str(envelope.kid)}
        if message is not None:
            view["message"] = describe(message)
        emit({"ok": True, **view, "typ": envelope.typ, "claims": envelope.claims})
        return
    _show(envelope, message, len(entry))


def _entry(data: bytes, at: int) -> bytes:
    if at < 0:
        raise error("ArgumentRange", "an entry from 0", str(at))
    reader = TranscriptReader()
    entries = reader.feed(data)
    if at >= len(entries):
        raise error("ArgumentRange", f"an entry below {len(entries)}", str(at))
    return entries[at]


def _show(envelope: UnverifiedEnvelope, message: Message | None, length: int) -> None:
    out = console()
    if message is None:
        out.print("NOT VERIFIED: the form is right; who signed it, and whether, was not checked (--directory).")
    else:
        out.print(
            f"VERIFIED: signed by {message.sender}. Whether its history exists is what `ama2sec verify` says of the conversation."
        )
    for label, value, meaning in _rows(envelope, length):
        out.print(f"{label:<22}{plain(value)}")
        if meaning:
            out.print(f"{'':<22}  {meaning}")
    if message is not None and message.body is not None:
        out.print(f"{'body':<22}{body_preview(message.body, message.media_type)}")


Row = tuple[str, str, str]


def _rows(envelope: UnverifiedEnvelope, length: int) -> list[Row]:
    claims: dict[str, Any] = envelope.claims
    return [
        ("size", f"{len(envelope.envelope)} bytes of envelope, {length} with what travels beside it", ""),
        ("message id", str(envelope.id), "keyed BLAKE3 of exactly what is signed: the leaf of its branch"),
        ("kind", f"{claims['kind']} ({envelope.typ})", ""),
        *_who(envelope, claims),
        *_context(claims),
        *_path(claims),
        *_workflow(claims),
        (
            "recipients",
            ", ".join(claims["recipients"]) or "nobody in particular",
            "a name is resolved by each reader's own directory",
        ),
        *_number(claims),
        ("salt", claims["salt"], "random, so that short messages cannot be guessed from hashes"),
        *_body(envelope, claims),
        *_members(claims),
    ]


def _who(envelope: UnverifiedEnvelope, claims: dict[str, Any]) -> list[Row]:
    identity = claims["agent_identity"]
    grant = identity["grant"] or "none: it acts in its own right"
    return [
        ("signed by key", str(envelope.kid), "RFC 9679 thumbprint; whose key that is only your directory can say"),
        ("agent_identity", identity["agent"], f"grant: {grant}"),
        ("realm", claims["realm"] if claims["realm"] != _EMPTY else "none", ""),
        (
            "conversation",
            claims["conversation"] if claims["conversation"] != _EMPTY else "its own id: it opens one",
            "",
        ),
    ]


def _context(claims: dict[str, Any]) -> list[Row]:
    context = claims["context_fingerprint"]
    if context["size"] == 0:
        return [("context_fingerprint", "nothing", "its author had seen no message of this conversation")]
    seen = f"{context['size']}:{context['fingerprint']}"
    return [("context_fingerprint", seen, f"its author says it had consumed exactly these {context['size']} messages")]


def _path(claims: dict[str, Any]) -> list[Row]:
    path = claims["execution_path"]
    branch = path["branch"] if path["branch"] != _EMPTY else "its own id"
    rows = [("execution_path", f"branch {branch}", f"parent {path['parent'] or 'none'}")]
    rows += [("  merges", f"{m['branch']} at {m['size']}", m["fingerprint"]) for m in path["merges"]]
    return rows


def _workflow(claims: dict[str, Any]) -> list[Row]:
    state = claims["workflow_state"]
    if state is None:
        return [("workflow_state", "none", "a note: it takes no step")]
    rows = [
        (
            "workflow_state",
            f"step {state['step']}",
            f"instance {state['instance'] or 'starts here'}, definition {state['definition']}",
        )
    ]
    rows += [("  output", f"{name} = {value!r}", "") for name, value in state["outputs"].items()]
    return rows


def _number(claims: dict[str, Any]) -> list[Row]:
    when = datetime.fromtimestamp(claims["time"] / 1000, UTC).isoformat(timespec="milliseconds")
    rows = [("time", when, "as the author claims it")]
    if "seq" in claims:
        epoch, counter = claims["seq"]
        rows.append(
            ("seq", f"[{epoch}, {counter}]", "the author's own number; two messages under one number convict it")
        )
    return rows


def _body(envelope: UnverifiedEnvelope, claims: dict[str, Any]) -> list[Row]:
    body = claims["body"]
    if body is None:
        return [("body", "none", "")]
    here = "travels with it" if envelope.carries_body else "withheld"
    return [("body", f"{body['size']} bytes of {body['media_type']}, {here}", f"commitment {body['commitment']}")]


def _members(claims: dict[str, Any]) -> list[Row]:
    if "members" not in claims:
        return []
    members = claims["members"]
    workflow = claims["workflow"]
    required = f"definition {workflow['definition']}, {'required' if workflow['required'] else 'not required'}"
    return [
        ("members", "everyone enrolled" if members is None else ", ".join(members), ""),
        ("workflow", required if workflow["definition"] else "none", ""),
    ]
