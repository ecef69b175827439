"""``replay``: a realm judged again by the rules; ``head compare``: two heads of one realm held against each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from ama2sec import Ama2Error, Id, PublicKey, _files
from ama2sec.cli.directories import public_key
from ama2sec.cli.inputs import (
    JSON,
    Input,
    argument,
    load_directory,
    must_not_exist,
    opened_realm,
    read_input,
    read_whole,
)
from ama2sec.cli.progress import bar
from ama2sec.cli.show import emit, fault_view, line, row, tell
from ama2sec.cli.verifying import Implementation
from ama2sec.errors import error
from ama2sec.limits import MAX_PROOF
from ama2sec.realm import Checkpoint, Replay, check_checkpoint, checkpoint_origin, fork_evidence

__all__ = ["head_app", "replay"]

_PIECE: Final = 1 << 20
_MAX_HEAD: Final = 8 * 1024
_MAX_REFERENCE: Final = 1 << 30

head_app = typer.Typer(
    help="Heads of a realm: three lines and the sequencer's signature, good for a ticket, a tag or a mail.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def replay(
    transcript: Annotated[
        Path | None,
        typer.Argument(
            metavar="TRANSCRIPT",
            readable=False,
            help="A realm transcript, or a realm's file; standard input by default, and for -.",
            show_default=False,
        ),
    ] = None,
    realm: Annotated[
        str | None, typer.Option(metavar="ID", help="The realm that it must be: 64 hex digits, from whom you trust.")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FILE", readable=False, help="A head of the realm that you kept from earlier."),
    ] = None,
    conversation: Annotated[
        str | None, typer.Option(metavar="ID", help="The transcript has the registry and this conversation only.")
    ] = None,
    impl: Annotated[
        Implementation, typer.Option("--impl", "--implementation", help="Which implementation judges.")
    ] = Implementation.RUST,
    as_json: JSON = False,
) -> int:
    """Judge every entry of a realm again: signatures, the registry as it was, each verdict and home, every head in the file.

    The first fault is named and gives the exit status. Without --realm and --checkpoint the realm is the one that the file states, and
    nobody can see a tail that was cut off.
    """
    expected, only = _id(realm, "--realm"), _id(conversation, "--conversation")
    kept = None if checkpoint is None else read_input(checkpoint, _MAX_HEAD)
    judge = _by_reference if impl is Implementation.REFERENCE else _by_rust
    with opened_realm(transcript) as source:
        try:
            found = judge(source, expected, kept, only)
        except Ama2Error as fault:
            if fault.position is None:
                raise
            _say_fault(fault, impl, as_json)
            return fault.exit_code
    if as_json:
        emit({"ok": True, **found, "implementation": impl.value})
    else:
        _say(found, impl)
    return 0


def _id(text: str | None, option: str) -> Id | None:
    if text is None:
        return None
    with argument(option):
        return Id.from_hex(text)


def _by_rust(source: Input, realm: Id | None, kept: bytes | None, only: Id | None) -> dict[str, object]:
    judging = Replay(realm=realm, head=kept, conversation=only)
    with bar(source.total, "replaying") as advance:
        while piece := source.read(_PIECE):
            judging.feed(piece)
            advance(source.done, judging.records)
        found = judging.finish()
    return {
        "realm": str(found.realm),
        "origin": found.origin,
        "records": found.records,
        "rejected": found.rejected,
        "registry_size": found.registry_size,
        "root": None if found.root is None else str(found.root),
        "realm_is": found.realm_state,
        "tail": found.tail,
        "registry_digest": str(found.state_digest()),
    }


def _by_reference(source: Input, realm: Id | None, kept: bytes | None, only: Id | None) -> dict[str, object]:
    """By the second implementation: it reads the whole file into memory."""
    from ama2sec import reference

    data = read_whole(source, _MAX_REFERENCE)
    found = reference.replay(
        data,
        realm=None if realm is None else bytes(realm),
        checkpoint=kept,
        conversation=None if only is None else bytes(only),
    )
    registry = found.state.registry
    if registry is None:
        raise error("Internal", "a registry behind a replay", "none")
    return {
        "realm": found.realm.hex(),
        "origin": f"{registry.name}/{found.realm.hex()}",
        "records": found.records,
        "rejected": None,
        "registry_size": registry.size,
        "root": None if only is not None else found.root.hex(),
        "realm_is": "checked" if found.realm_retained else "as stated",
        "tail": "checked" if found.tail_compared else "unchecked",
        "registry_digest": reference.registry_digest(registry).hex(),
    }


def _say_fault(fault: Ama2Error, impl: Implementation, as_json: bool) -> None:
    if as_json:
        emit({**fault_view(fault), "position": fault.position, "implementation": impl.value})
        return
    line("NOT VALID", style="bold red")
    line(f"  {fault}")
    where = "" if fault.offset is None else f" (byte {fault.offset})"
    row("first fault", f"record {fault.position}{where}", f"{fault.position:,} records before it are sound")
    row("blame", "the log: whoever kept these records" if fault.blame == "peer" else fault.blame)


def _say(found: dict[str, object], impl: Implementation) -> None:
    by = " (reference)" if impl is Implementation.REFERENCE else ""
    line(f"valid{by}: {found['records']:,} records, each verdict is the one of the rules", style="bold green")
    row("realm", str(found["origin"]))
    if found["realm_is"] == "as stated":
        row("", "AS STATED by the file", "give --realm or --checkpoint, from somebody whom you trust")
    if found["rejected"]:
        row("rejected", f"{found['rejected']:,}", "entries that were sequenced and refused: kept as evidence")
    row("registry", f"{found['registry_size']:,} entries")
    if found["tail"] == "unchecked":
        row("tail", "unchecked", "without a head that you kept, a tail that was cut off cannot be seen")
    else:
        row("tail", "checked against the head that you kept")
    if found["root"] is not None:
        row("root", str(found["root"]))


# -- heads ---------------------------------------------------------------------------------------------------------


@head_app.callback()
def _heads() -> None:
    pass


@head_app.command("compare", short_help="Hold two heads of one realm against each other.")
def compare(
    older: Annotated[Path, typer.Argument(metavar="A", readable=False, help="The head that you kept.")],
    newer: Annotated[Path, typer.Argument(metavar="B", readable=False, help="The head that you were shown.")],
    proof: Annotated[
        Path | None,
        typer.Option(metavar="FILE", readable=False, help="The consistency proof between their two sizes."),
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The sequencer's public key: 64 hex digits or a did:key.")
    ] = None,
    directory: Annotated[
        Path | None,
        typer.Option(
            "--directory", "-d", metavar="FILE", readable=False, help="Or: a directory with keys of purpose sequencer."
        ),
    ] = None,
    origin: Annotated[
        str | None, typer.Option(metavar="NAME/ID", help="The realm that both must be of; that of A by default.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", readable=False, help="If they fork: write the proof of it there."),
    ] = None,
    as_json: JSON = False,
) -> None:
    """Say whether B extends A, is the same, or is older; a fork is an error, and --out keeps the proof that anybody can check.

    Heads of two sizes need a consistency proof. One that fails shows nothing about the sequencer: somebody else may have made it.
    """
    if (key is None) == (directory is None):
        raise error("ArgumentRange", "--key or --directory", "both or neither")
    if out is not None:
        must_not_exist(out)
    texts = (read_input(older, _MAX_HEAD), read_input(newer, _MAX_HEAD))
    expected = checkpoint_origin(texts[0]) if origin is None else origin
    keys = [public_key(key)] if key is not None else _sequencers(directory)
    first, second = (_checked(text, keys, expected) for text in texts)
    given = None if proof is None else read_input(proof, MAX_PROOF)
    try:
        relation = first.compare(second, given)
    except Ama2Error as fault:
        if fault.code == "CheckpointForked":
            _fork(texts, out)
        raise
    if as_json:
        sizes = {"old_size": first.size, "new_size": second.size}
        emit({"ok": True, "relation": relation, "origin": expected, **sizes, "root": str(second.root)})
        return
    line(_RELATIONS[relation], style="bold green")
    row("realm", expected, "" if origin is not None else "as A states it")
    row("A", f"{first.size:,} records")
    row("B", f"{second.size:,} records")


_RELATIONS: Final = {
    "unchanged": "same: both are one head",
    "extended": "extends: B begins with everything that A covers",
    "behind": "behind: B is older than A, and A begins with everything that it covers",
}


def _sequencers(directory: Path | None) -> list[PublicKey]:
    listed = [] if directory is None else list(load_directory(directory))
    found = [entry.public for entry in listed if entry.purpose == "sequencer"]
    if not found:
        raise error("KeyUnknown", "a key of purpose sequencer in the directory", "none")
    return found


def _checked(text: bytes, keys: list[PublicKey], origin: str) -> Checkpoint:
    """Under the first of the keys that has a line in it; the fault is that of the last."""
    for key in keys[:-1]:
        try:
            return check_checkpoint(text, key, origin)
        except Ama2Error as fault:
            if fault.code != "CheckpointKey":
                raise
    return check_checkpoint(text, keys[-1], origin)


def _fork(texts: tuple[bytes, bytes], out: Path | None) -> None:
    tell("FORK: one size, two roots, both signed by this key: the sequencer has told two histories.", style="bold red")
    if out is None:
        tell("Keep both files; --out writes them as one proof.")
        return
    _files.write_whole(out, fork_evidence(*sorted(texts)), replace=False)
    tell(f"The proof is in {str(out)!r}: check_fork checks it under the same key.")
