"""``dag``: a conversation drawn, and the questions of who had seen what (spec dag.4.4)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from ama2sec import Id, _files
from ama2sec._native import RealmFile, TranscriptReader, parse
from ama2sec.cli.inputs import JSON, argument, is_database, load_directory, must_not_exist, write_output
from ama2sec.cli.show import emit, line
from ama2sec.errors import error
from ama2sec.realm import RealmVerified, replay_realm
from ama2sec.realm.ancestry import prove_ancestor
from ama2sec.realm.conversation import FileDag
from ama2sec.realm.dag import LIMIT, Branch, Dag, Link, Node, RealmDag, agents, conversations
from ama2sec.realm.drawing import Marks, lay_out, plain, short, to_dot, to_mermaid, to_text
from ama2sec.realm.marking import marks_of
from ama2sec.realm.svg import to_svg

__all__ = ["Format", "dag"]

_RECORD: Final = b"\x82\x02"
_HEADER: Final = 24


class Format(StrEnum):
    """How a conversation is drawn."""

    TEXT = "text"
    SVG = "svg"
    DOT = "dot"
    MERMAID = "mermaid"


File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        readable=False,
        help="A realm's file, a realm transcript, or a conversation file.",
        show_default=False,
    ),
]
Which = Annotated[
    str | None, typer.Option(metavar="ID", help="Which conversation of the realm; needed where there are several.")
]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="FILE", readable=False, help="A new file; else standard output.")
]
Keys = Annotated[
    Path | None,
    typer.Option(
        "--directory",
        "-d",
        metavar="FILE",
        readable=False,
        help="For a conversation file: verify it, and name its authors.",
    ),
]
Realm = Annotated[str | None, typer.Option(metavar="ID", help="For a realm: the id that it must have.")]
Proof = Annotated[
    Path | None,
    typer.Option(metavar="FILE", readable=False, help="With --is-ancestor, in a realm: write a proof of it."),
]
One = str | None
Two = tuple[str, str] | None


def _one(help_text: str) -> Any:
    return typer.Option(metavar="ID", help=help_text)


def _two(help_text: str, metavar: str = "ID ID") -> Any:
    return typer.Option(metavar=metavar, help=help_text)


def dag(
    file: File,
    conversation: Which = None,
    form: Annotated[Format, typer.Option("--format", help="How to draw it.")] = Format.TEXT,
    out: Out = None,
    directory: Keys = None,
    realm: Realm = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="Entries of an answer, at most.")] = LIMIT,
    heads: Annotated[bool, typer.Option("--heads", help="The branches that are open.")] = False,
    ancestors: Annotated[One, _one("All that its author had seen.")] = None,
    descendants: Annotated[One, _one("All whose authors had seen it.")] = None,
    path: Annotated[Two, _two("The shortest way from the first back to the second.")] = None,
    common: Annotated[Two, _two("The nearest common ancestors of both.")] = None,
    is_ancestor: Annotated[Two, _two("Whether the second's author had seen the first.")] = None,
    proof: Proof = None,
    diff: Annotated[Two, _two("What each of two heads (branch and size) has alone.", "ID:N ID:N")] = None,
    trace: Annotated[One, _one("In a realm: on whose authority it was written, to the genesis.")] = None,
    as_json: JSON = False,
) -> None:
    """Draw a conversation with its branches, or answer a question about it. An ID is 64 hex digits, or its first ones if no other
    entry begins so. A realm is replayed first; a conversation file is verified with --directory."""
    asked = [heads or None, ancestors, descendants, path, common, is_ancestor, diff, trace]
    _check_options(asked, proof is not None and is_ancestor is None, out, proof)
    found = _load(file, conversation, directory, realm)
    question = _Question(found, limit, as_json)
    if is_ancestor is not None:
        question.is_ancestor(is_ancestor, proof)
    elif path is not None:
        question.path(path)
    elif diff is not None:
        question.diff(diff)
    elif trace is not None:
        question.trace(trace)
    elif any(one is not None for one in asked):
        question.list(heads, ancestors, descendants, common)
    elif as_json:
        emit({"ok": True, "conversation": str(found.dag.conversation), "timeline": question.views(question.timeline)})
    else:
        write_output(out, _drawn(found, question.timeline, form).encode("utf-8", "backslashreplace"))


def _check_options(asked: Sequence[object], lonely_proof: bool, out: Path | None, proof: Path | None) -> None:
    if sum(one is not None for one in asked) > 1:
        raise error("ArgumentRange", "one question", "several")
    if lonely_proof:
        raise error("ArgumentRange", "--proof with --is-ancestor", "without")
    for new in (out, proof):
        if new is not None:
            must_not_exist(new)


class _Found:
    """A conversation, and what its agents are called."""

    def __init__(
        self, dag: Dag, names: dict[Id, str], title: str, file: Path | bytes, verified: RealmVerified | None
    ) -> None:
        self.dag, self.names, self.title, self.file, self.verified = dag, names, title, file, verified


def _load(file: Path, conversation: str | None, directory: Path | None, realm: str | None) -> _Found:
    if _is_realm(file):
        if directory is not None:
            raise error("ArgumentRange", "a conversation file, for --directory", "a realm, which has its own registry")
        return _of_realm(file, conversation, realm)
    if conversation is not None or realm is not None:
        raise error("ArgumentRange", "a realm transcript, for --conversation and --realm", "a conversation file")
    keys = None if directory is None else load_directory(directory)
    found = FileDag(file, keys)
    names = {} if keys is None else {entry.public.thumbprint: entry.name for entry in keys}
    said = "verified" if found.verified else "NOT VERIFIED: no signature was checked"
    return _Found(found, names, f"conversation {found.conversation.short}, {said}", file, None)


def _is_realm(file: Path) -> bool:
    if is_database(file):
        return True
    with _files.reading(file) as descriptor:
        first = _files.read_bounded(descriptor, _HEADER - 1)
    return first[_HEADER - 2 :] == _RECORD


def _of_realm(file: Path, conversation: str | None, realm: str | None) -> _Found:
    with argument("--realm"):
        expected = None if realm is None else Id.from_hex(realm)
    source: Path | bytes = RealmFile.open(file).export() if is_database(file) else file
    verified = replay_realm(source, realm=expected)
    listed = conversations(verified)
    wanted = listed if conversation is None else [one for one in listed if str(one).startswith(conversation.lower())]
    if len(wanted) != 1:
        raise error("ArgumentRange", "--conversation: one of this realm", f"{len(wanted)} that fit, of {len(listed)}")
    names = {agent.id: agent.name for agent in agents(verified)}
    title = f"conversation {wanted[0].short} of {_name(verified)}, replayed"
    return _Found(RealmDag(verified, wanted[0]), names, title, source, verified)


def _name(verified: RealmVerified) -> str:
    """The realm's name and the beginning of its id."""
    name, _, realm = (verified.origin or "").rpartition("/")
    return f"{name}/{realm[:8]}"


def _drawn(found: _Found, nodes: list[Node], form: Format) -> str:
    layout = lay_out(nodes, found.names, _marks(found, nodes))
    match form:
        case Format.SVG:
            return to_svg(layout, found.title)
        case Format.DOT:
            return to_dot(layout)
        case Format.MERMAID:
            return to_mermaid(layout)
        case _:
            return f"{plain(found.title)}\n{to_text(layout)}"


def _marks(found: _Found, nodes: list[Node]) -> Marks | None:
    """Of a realm what was undone, and which steps were taken; a conversation file has neither."""
    if not isinstance(found.dag, RealmDag):
        return None
    wanted, reader = {node.id for node in nodes}, TranscriptReader(realm=True)
    data = found.file if isinstance(found.file, bytes) else found.file.read_bytes()
    parsed = (parse(entry) for entry in reader.feed(data))
    return marks_of(found.dag, nodes, ((one.id, one.claims) for one in parsed if one.id in wanted))


class _Question:
    """One question, and its answer for a person or a program."""

    def __init__(self, found: _Found, limit: int, as_json: bool) -> None:
        self._found, self._dag, self._limit, self._json = found, found.dag, limit, as_json
        self.timeline = found.dag.timeline(limit=limit + 1)
        if len(self.timeline) > limit:
            raise error("ArgumentRange", f"a conversation of at most {limit} entries (--limit)", "more")
        self._words = {row.node.id: row.words for row in lay_out(self.timeline, found.names).rows}

    def _id(self, text: str) -> Id:
        fitting = {node.id for node in self.timeline if node.code is None and str(node.id).startswith(text.lower())}
        if len(fitting) != 1 or not text:
            raise error("ArgumentRange", "an entry of this conversation, by its id", f"{len(fitting)} that begin so")
        return fitting.pop()

    def views(self, nodes: list[Node]) -> list[dict[str, Any]]:
        """Entries as plain data."""
        return [_view(node) for node in nodes]

    def _say(self, nodes: list[Node], **more: object) -> None:
        if self._json:
            emit({"ok": True, "entries": self.views(nodes), **more})
            return
        for node in nodes:
            line(f"{node.position:>6}  {node.id}  {self._words[node.id]}")

    def list(self, heads: bool, ancestors: str | None, descendants: str | None, common: tuple[str, str] | None) -> None:
        """The questions whose answer is a list."""
        if heads:
            self._heads()
        elif ancestors is not None:
            self._say(self._dag.ancestors(self._id(ancestors), limit=self._limit))
        elif descendants is not None:
            self._say(self._dag.descendants(self._id(descendants), limit=self._limit))
        elif common is not None:
            ids = [self._id(each) for each in common]
            self._say(self._dag.nearest_common_ancestors(ids, limit=self._limit))

    def _heads(self) -> None:
        found = self._dag.heads(limit=self._limit)
        if self._json:
            emit({"ok": True, "heads": [{"branch": str(head.id), "size": head.size} for head in found]})
            return
        for head in found:
            line(f"{head.id}:{head.size}")

    def path(self, ends: tuple[str, str]) -> None:
        """A chain of parents and merges."""
        found = self._dag.path(self._id(ends[0]), self._id(ends[1]), limit=self._limit)
        nodes = {node.id: node for node in self.timeline if node.code is None}
        if found is None and not self._json:
            line("no way: the first had not seen the second")
            return
        self._say([nodes[each] for each in found or []], found=found is not None)

    def is_ancestor(self, ids: tuple[str, str], proof: Path | None) -> None:
        """Yes or no; a yes can be proved."""
        above, below = self._id(ids[0]), self._id(ids[1])
        answer = self._dag.is_ancestor(above, below)
        view: dict[str, Any] = {"is_ancestor": answer}
        if proof is not None:
            view |= self._prove(above, below, proof)
        if self._json:
            emit({"ok": True, **view})
            return
        line(
            f"{'yes' if answer else 'no'}: the author of {below.short} had {'' if answer else 'not '}seen {above.short}"
        )
        if "head" in view:
            line(f"proof for the head {view['head']}, which {below.short} signs")

    def _prove(self, above: Id, below: Id, proof: Path) -> dict[str, Any]:
        verified, dag = self._found.verified, self._dag
        if verified is None or verified.realm is None or not isinstance(dag, RealmDag):
            raise error("ArgumentRange", "a realm, for --proof", "a conversation file: tree prove makes its proofs")
        made = prove_ancestor(dag, above, below, self._found.file, realm=verified.realm, limit=self._limit)
        if made is None:
            raise error("ArgumentRange", "--proof of an ancestor", "an entry that is none")
        _files.write_whole(proof, made.proof, replace=False)
        return {"head": str(made.fingerprint), "branch": str(made.fingerprint.branch), "proof": str(proof)}

    def diff(self, heads: tuple[str, str]) -> None:
        """What each of two heads has alone."""
        first, second = (self._head(text) for text in heads)
        ours, theirs = self._dag.diff(first, second, limit=self._limit)
        if self._json:
            emit({"ok": True, "first": self.views(ours), "second": self.views(theirs)})
            return
        for name, nodes in (("first", ours), ("second", theirs)):
            line(f"only in the {name}: {len(nodes)}")
            self._say(nodes)

    def _head(self, text: str) -> Branch:
        branch, _, size = text.partition(":")
        if not (size.isascii() and size.isdecimal() and len(size) < 16):
            raise error("ArgumentRange", "--diff BRANCH:SIZE", repr(text[:80]))
        return Branch(self._id(branch), int(size))

    def trace(self, text: str) -> None:
        """Authority, from the message up to the genesis."""
        if not isinstance(self._dag, RealmDag):
            raise error("ArgumentRange", "a realm, for --trace", "a conversation file")
        found = self._dag.trace(self._id(text))
        if self._json:
            emit({"ok": True, "trace": [_link_view(link) for link in found]})
            return
        for link in found:
            line(_said(link, self._found.names))


def _said(link: Link, names: dict[Id, str]) -> str:
    by = "" if link.by is None else names.get(link.by, short(link.by))
    match link.kind:
        case "grant":
            return f"sub-agent {link.id}, granted by {by}"
        case "agent":
            return f"agent {link.name} ({link.purpose}), {link.id}"
        case "entry":
            return f"enrolled at position {link.position} by {by}, {link.id}"
        case _:
            return f"genesis {link.id}: the realm itself"


def _link_view(link: Link) -> dict[str, object]:
    view = {"link": link.kind, "id": str(link.id), "by": None if link.by is None else str(link.by)}
    more = {"name": link.name, "purpose": link.purpose, "position": link.position}
    return {**view, **{name: value for name, value in more.items() if value is not None}}


def _view(node: Node) -> dict[str, Any]:
    return {
        "id": str(node.id),
        "kind": node.kind,
        "author": str(node.author),
        "position": node.position,
        "code": node.code,
        "branch": None if node.home is None else str(node.home[0]),
        "index": None if node.home is None else node.home[1],
        "seen": {"branch": str(node.branch), "size": node.size},
        "parent": None if node.parent is None else str(node.parent),
        "merges": [{"branch": str(merged.branch), "size": merged.size} for merged in node.merges],
    }
