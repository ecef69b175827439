"""``inspect``: one envelope, so that a person understands every field."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from ama2sec import Ama2Error, Directory, Fingerprint, Message, UnverifiedEnvelope, inspect_proof, parse
from ama2sec.cli import streams
from ama2sec.cli.inputs import JSON, Input, load_directory, opened, read_whole, write_output
from ama2sec.cli.pathview import drawing, paths, show_paths
from ama2sec.cli.reporting import describe, recipients
from ama2sec.cli.show import body_lines, emit, line, row
from ama2sec.errors import error
from ama2sec.history import parse_exhibit
from ama2sec.limits import MAX_EXHIBIT, MAX_ITEM, MAX_PROOF

__all__ = ["inspect"]

_EMPTY = "00" * 32
# How every exhibit begins: an array of five, and its name (proofs.6). An input shows its first bytes only.
_EXHIBIT = b"\x85\x6fama2sec-exhib"


def inspect(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            readable=False,
            help="A message, several, a conversation, a proof or an exhibit; standard input by default, and for -.",
            show_default=False,
        ),
    ] = None,
    at: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Which entry, where there are several; the first is 0.")
    ] = None,
    directory: Annotated[
        Path | None,
        typer.Option("--directory", "-d", metavar="FILE", readable=False, help="Verify it under these keys as well."),
    ] = None,
    svg: Annotated[
        Path | None,
        typer.Option(metavar="FILE", readable=False, help="For a proof or an exhibit: draw its path into a new file."),
    ] = None,
    as_json: JSON = False,
) -> None:
    """Show what an envelope says, field by field, or what a proof is made of. Without --directory nothing is verified, and the
    first line says so."""
    keys = None if directory is None else load_directory(directory)
    entry, proof, stated = _read(file, at)
    if proof is not None:
        _show_proof(proof, stated, svg, as_json)
    elif svg is not None:
        raise error("ArgumentRange", "--svg for a proof or an exhibit", "a message")
    if entry is None:
        return
    envelope = parse(entry)
    message = None if keys is None else envelope.verify(keys)
    if as_json:
        view: dict[str, Any] = {"verified": message is not None, "id": str(envelope.id), "kid": str(envelope.kid)}
        if message is not None:
            view["message"] = describe(message)
        emit({"ok": True, **view, "typ": envelope.typ, "claims": envelope.claims})
        return
    _show(envelope, message, keys, len(entry))


def _read(file: Path | None, at: int | None) -> tuple[bytes | None, bytes | None, Fingerprint | None]:
    """The message and the proof that a file holds, and the head that an exhibit states."""
    with opened(file) as source:
        if source.first.startswith(b"a2p"):
            return None, read_whole(source, MAX_PROOF), None
        if source.first.startswith(_EXHIBIT):
            stated, entry, proof = parse_exhibit(read_whole(source, MAX_EXHIBIT))
            return entry, proof, stated
        return _entry(source, at), None, None


def _entry(source: Input, at: int | None) -> bytes:
    """The one message, or the one that was asked for; what stands before it only has to be readable."""
    if not (source.first.startswith(b"\x83") or streams.is_lines(source.first)):
        if at:
            raise error("ArgumentRange", "several messages, for --at", "one")
        return read_whole(source, MAX_ITEM)
    found = streams.items(source)
    position = 0
    for position, item in enumerate(found):
        if position == (at or 0) or isinstance(item, Ama2Error):
            break
    else:
        raise error("ArgumentRange", f"--at below {position + 1}", str(at))
    if isinstance(item, Ama2Error):
        raise item
    if at is None and not isinstance(next(found, error("Truncated", "", "")), Ama2Error):
        raise error("ArgumentRange", "--at N: which of the messages in this file", "none")
    return item


def _show_proof(proof: bytes, stated: Fingerprint | None, svg: Path | None, as_json: bool) -> None:
    view = inspect_proof(proof)
    ways = paths(view)
    if svg is not None:
        write_output(svg, drawing(ways).encode())
    if as_json:
        head = {} if stated is None else {"head_as_stated": str(stated)}
        emit({"ok": True, "checked": False, **head, "proof": view})
        return
    line("NOT CHECKED: a proof is held against a head that you trust (ama2sec tree check).", style="bold yellow")
    row("proof", f"{view['type']}, {view['tree']} tree", f"{len(proof):,} bytes")
    if stated is not None:
        line(f"head as stated  {stated}")
    show_paths(ways)


def _show(envelope: UnverifiedEnvelope, message: Message | None, keys: Directory | None, length: int) -> None:
    if message is None:
        line("NOT VERIFIED: who signed it, and whether, was not checked (--directory does).", style="bold yellow")
    else:
        line(f"VERIFIED: signed by {message.sender}.", style="bold green")
        line("Whether the history that it names exists, `verify` says of the conversation.")
    for label, value, meaning in _rows(envelope, keys, length):
        row(label, value, meaning)
    if message is not None and message.body:
        for part in body_lines(message.body):
            line(part)


Row = tuple[str, str, str]


def _rows(envelope: UnverifiedEnvelope, keys: Directory | None, length: int) -> list[Row]:
    claims: dict[str, Any] = envelope.claims
    return [
        ("kind", f"{claims['kind']} ({envelope.typ})", ""),
        ("size", f"{len(envelope.envelope):,} bytes of envelope; {length:,} with what travels beside it", ""),
        ("message id", str(envelope.id), "keyed BLAKE3 of exactly what is signed: the leaf of its branch"),
        *_who(envelope, claims),
        *_context(claims),
        *_path(claims),
        *_workflow(claims),
        (
            "recipients",
            recipients(claims["recipients"], keys, nobody="nobody in particular"),
            "a name is resolved by each reader's own directory",
        ),
        *_number(claims),
        ("salt", claims["salt"], "random, so that short messages cannot be guessed from hashes"),
        *_body(envelope, claims),
        *_members(claims, keys),
    ]


def _who(envelope: UnverifiedEnvelope, claims: dict[str, Any]) -> list[Row]:
    identity = claims["agent_identity"]
    grant = "its author acts in its own right" if identity["grant"] is None else f"under the grant {identity['grant']}"
    own = claims["conversation"] == _EMPTY
    return [
        ("signed by key", str(envelope.kid), "RFC 9679 thumbprint; whose key that is only your directory can say"),
        ("agent_identity", identity["agent"], grant),
        ("realm", "none" if claims["realm"] == _EMPTY else claims["realm"], ""),
        ("conversation", "this message opens it; its id is the message id" if own else claims["conversation"], ""),
    ]


def _context(claims: dict[str, Any]) -> list[Row]:
    context = claims["context_fingerprint"]
    if context["size"] == 0:
        return [("context_fingerprint", "nothing", "its author claims to have seen no message of this conversation")]
    count = f"{context['size']:,} message{'' if context['size'] == 1 else 's'}"
    return [
        (
            "context_fingerprint",
            f"{count}\n{context['fingerprint']}",
            "its author claims to have consumed exactly this beginning of the conversation",
        )
    ]


def _path(claims: dict[str, Any]) -> list[Row]:
    path = claims["execution_path"]
    if path["branch"] == _EMPTY:
        return [("execution_path", "it opens the first branch; there is no parent", "")]
    rows = [("execution_path", path["branch"], "the branch"), ("", path["parent"], "the parent: the last it had seen")]
    return rows + [
        ("merges", f"{m['branch']}\n{m['fingerprint']}", f"at {m['size']:,} entries") for m in path["merges"]
    ]


def _workflow(claims: dict[str, Any]) -> list[Row]:
    state = claims["workflow_state"]
    if state is None:
        return [("workflow_state", "none", "a note: it takes no step")]
    rows = [
        ("workflow_state", f"step {state['step']}", ""),
        ("", state["definition"], "the definition of the workflow"),
        ("", state["instance"] or "an instance starts here", "" if state["instance"] is None else "the instance"),
    ]
    if state["approves"] is not None:
        rows.append(("", state["approves"], "what it approves"))
    return rows + [("", f"output {name} = {value!r}", "") for name, value in state["outputs"].items()]


def _number(claims: dict[str, Any]) -> list[Row]:
    rows = [("time", _when(claims["time"]), "as the author claims it")]
    if "seq" in claims:
        epoch, counter = claims["seq"]
        rows.append(("seq", f"{epoch}, {counter}", "the author's own number; two messages under one number convict it"))
    return rows


def _when(milliseconds: int) -> str:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError):
        # A claim may reach beyond the year 9999, where the calendar of this language ends.
        return f"{milliseconds} ms since 1970"


def _body(envelope: UnverifiedEnvelope, claims: dict[str, Any]) -> list[Row]:
    body = claims["body"]
    if body is None:
        return [("body", "none", "")]
    here = "it travels with the envelope" if envelope.carries_body else "it is not here: withheld"
    return [
        ("body", f"{body['size']:,} bytes of {body['media_type']}", here),
        ("", body["commitment"], "the commitment: keyed BLAKE3 of a random salt and the body"),
    ]


def _members(claims: dict[str, Any], keys: Directory | None) -> list[Row]:
    if "members" not in claims:
        return []
    listed = claims["members"]
    workflow = claims["workflow"]
    required = f"{workflow['definition']} ({'required' if workflow['required'] else 'not required'})"
    return [
        ("members", "everyone enrolled" if listed is None else recipients(listed, keys, nobody=""), "who may speak"),
        ("workflow", required if workflow["definition"] else "none", ""),
    ]
