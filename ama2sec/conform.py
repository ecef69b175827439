"""One question a line, one answer a line: hold either implementation against vectors from elsewhere (spec conform).

    $ echo '{"id": 1, "op": "cbor", "bytes": "a10102"}' | python -m ama2sec.conform --impl reference
    {"id": 1, "code": "ok"}

Here a question's form is judged and its arguments are read; an implementation sees values of the right type only. Nothing
that stands in a question ends the process.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import IO, Any, Final, NoReturn, TypeAlias, cast

from ama2sec.errors import Ama2Error, error
from ama2sec.limits import MAX_ROOTS, SIZE_END, TIME_END

__all__ = ["answer", "main"]

MAX_LINE: Final = 16 << 20
_IMPLEMENTATIONS: Final = {"rust": "ama2sec._conform_rust", "reference": "ama2sec.reference.answers"}

Json: TypeAlias = "int | float | str | bool | list[Json] | dict[str, Json] | None"
Form: TypeAlias = Callable[[Json], object]
Arguments: TypeAlias = dict[str, Any]


# -- the forms of arguments ----------------------------------------------------------------------------------------


def _refuse(expected: str, got: str) -> NoReturn:
    raise error("ConformQuestion", expected, got)


def _hex(value: Json) -> bytes:
    if not isinstance(value, str) or len(value) % 2 or value.strip("0123456789abcdef"):
        _refuse("bytes as lowercase hex", type(value).__name__)
    return bytes.fromhex(value)


def _id(value: Json) -> bytes:
    found = _hex(value)
    if len(found) != 32:
        _refuse("64 hex digits", f"{2 * len(found)}")
    return found


def _list_of(form: Callable[[Json], bytes]) -> Form:
    def read(value: Json) -> list[bytes]:
        if not isinstance(value, list):
            _refuse("a list", type(value).__name__)
        return [form(item) for item in value]

    return read


def _text(value: Json) -> str:
    if not isinstance(value, str):
        _refuse("a text", type(value).__name__)
    return value


def _whole(value: Json) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
        _refuse("an integer from 0 to 2^63 - 1", type(value).__name__)
    return value


def _fingerprint(value: Json) -> tuple[bytes, bytes, bytes, int, bytes]:
    names = ("realm", "conversation", "branch", "size", "fingerprint")
    if not isinstance(value, dict) or set(value) != set(names):
        _refuse(f"an object of {', '.join(names)}", type(value).__name__)
    size = _whole(value["size"])
    if not 0 < size < SIZE_END:
        _refuse("a fingerprint of a size from 1 to 2^48 - 1", str(size))
    return _id(value["realm"]), _id(value["conversation"]), _id(value["branch"]), size, _id(value["fingerprint"])


def _purpose(value: Json) -> int:
    found = _whole(value)
    if not 1 <= found <= 4:
        _refuse("a purpose from 1 to 4", str(found))
    return found


def _profile(value: Json) -> int:
    found = _whole(value)
    if found > 1:
        _refuse("a profile: 0 or 1", str(found))
    return found


def _time(value: Json) -> int:
    found = _whole(value)
    if found >= TIME_END:
        _refuse("a time below 2^48", str(found))
    return found


def _salt(value: Json) -> bytes:
    found = _hex(value)
    if len(found) != 16:
        _refuse("32 hex digits", f"{2 * len(found)}")
    return found


def _policy(value: Json) -> dict[str, int | bool]:
    quorums = ("root", "enrol", "revoke", "define", "erase", "resume")
    if not isinstance(value, dict) or set(value) != {*quorums, "hold"} or not isinstance(value["hold"], bool):
        _refuse("a policy: six quorums and hold", type(value).__name__)
    return {**{name: _whole(value[name]) for name in quorums}, "hold": value["hold"]}


def _realm_arguments(arguments: Arguments) -> Arguments:
    """A genesis as it is given, or what one is made of."""
    made = ("name", "root_seeds", "salt")
    given = [name for name in (*made, "policy", "profile") if arguments[name] is not None]
    if arguments["envelope"] is not None:
        if given:
            _refuse("an envelope, or what a genesis is made of", "both")
    elif any(arguments[name] is None for name in made) or not 1 <= len(arguments["root_seeds"]) <= MAX_ROOTS:
        _refuse("an envelope, or name, salt and 1 to 16 root_seeds", "neither")
    return arguments


def _halt_arguments(arguments: Arguments) -> Arguments:
    """A halt as it is given, or what a local one is made of."""
    given = [arguments[name] is not None for name in ("scope", "reason", "salt")]
    if any(given) if arguments["envelope"] is not None else not all(given):
        _refuse("an envelope, or scope, reason and salt", "both or neither")
    return arguments


def _claims(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        _refuse("claims as an object", type(value).__name__)
    return value


def _directory(value: Json) -> list[tuple[bytes, str, str]]:
    if not isinstance(value, list):
        _refuse("a directory as a list", type(value).__name__)
    found = []
    for item in value:
        if not isinstance(item, dict) or set(item) != {"key", "purpose", "name"}:
            _refuse("entries of key, purpose and name", "another form")
        purpose = item["purpose"]
        if purpose not in ("message", "operator", "sequencer", "root"):
            _refuse("a purpose", ascii(purpose)[:64])
        found.append((_hex(item["key"]), purpose, _text(item["name"])))
    return found


def _pair_body(arguments: Arguments) -> Arguments:
    """A body and its salt come together."""
    body, salt = arguments.pop("body"), arguments.pop("body_salt")
    if (body is None) != (salt is None):
        _refuse("body and body_salt together", "one of them")
    return {**arguments, "body": None if body is None else (body, salt)}


def _make_arguments(arguments: Arguments) -> Arguments:
    found = _pair_body(_exactly_one("claims", "claims_bytes")(arguments))
    if found["claims"] is None and found["body"] is not None:
        _refuse("a body with claims", "a body with claims_bytes")
    return found


def _exactly_one(first: str, second: str) -> Callable[[Arguments], Arguments]:
    def check(arguments: Arguments) -> Arguments:
        if (arguments[first] is None) == (arguments[second] is None):
            _refuse(f"{first} or {second}", "both or none")
        return arguments

    return check


def _as_data(name: str) -> Callable[[Arguments], Arguments]:
    return lambda arguments: {"data": arguments.pop(name), **arguments}


def _verify_arguments(arguments: Arguments) -> Arguments:
    return _as_data("envelope")(_pair_body(arguments))


# What every prover is given: a branch and its leaves.
_LEAVES: Final[dict[str, Form]] = {"realm": _id, "conversation": _id, "branch": _id, "ids": _list_of(_id)}

# For each operation: arguments that must be there, arguments that may be left out, and what turns them into a call's.
_OPS: Final[dict[str, tuple[dict[str, Form], dict[str, Form], Callable[[Arguments], Arguments]]]] = {
    "ed25519_verify": ({"key": _hex, "msg": _hex, "sig": _hex}, {}, dict),
    "cbor": ({"bytes": _hex}, {}, _as_data("bytes")),
    "make": (
        {"seed": _id},
        {"claims": _claims, "claims_bytes": _hex, "header_bytes": _hex, "body": _hex, "body_salt": _id},
        _make_arguments,
    ),
    "parse": ({"envelope": _hex}, {}, _as_data("envelope")),
    "verify": ({"envelope": _hex, "directory": _directory}, {"body": _hex, "body_salt": _hex}, _verify_arguments),
    "transcript": ({"bytes": _hex, "directory": _directory}, {"head": _text}, _as_data("bytes")),
    "fingerprint": (_LEAVES, {}, dict),
    "rfc6962_root": (
        {},
        {"leaves": _list_of(_hex), "leaf_hashes": _list_of(_id)},
        _exactly_one("leaves", "leaf_hashes"),
    ),
    "rfc6962_check_inclusion": (
        {"leaf_hash": _hex, "index": _whole, "size": _whole, "proof": _list_of(_hex), "root": _hex},
        {},
        dict,
    ),
    "rfc6962_check_consistency": (
        {"old_size": _whole, "new_size": _whole, "proof": _list_of(_hex), "old_root": _hex, "new_root": _hex},
        {},
        dict,
    ),
    "prove_inclusion": (_LEAVES | {"index": _whole}, {"size": _whole}, dict),
    "check_inclusion": ({"fingerprint": _fingerprint, "envelope": _hex, "proof": _hex}, {}, dict),
    "prove_consistency": (_LEAVES | {"old_size": _whole}, {"new_size": _whole}, dict),
    "check_consistency": ({"old": _fingerprint, "new": _fingerprint, "proof": _hex}, {}, dict),
    "prove_range": (_LEAVES | {"begin": _whole, "end": _whole}, {"size": _whole}, dict),
    "check_range": ({"fingerprint": _fingerprint, "envelopes": _list_of(_hex), "proof": _hex}, {}, dict),
    "check_ancestry": ({"fingerprint": _fingerprint, "envelope": _hex, "proof": _hex}, {}, dict),
    "offer": ({"seed": _id, "realm": _id, "purpose": _purpose, "name": _text}, {"next": _id}, dict),
    "workflow_compile": ({"document": _hex}, {}, dict),
    "next_key": ({"key": _id}, {}, dict),
    "realm_new": (
        {"time": _time, "sequencer_seed": _id},
        {
            "envelope": _hex,
            "name": _text,
            "root_seeds": _list_of(_id),
            "policy": _policy,
            "profile": _profile,
            "salt": _salt,
        },
        _realm_arguments,
    ),
    "admit": ({"envelope": _hex, "time": _time}, {"body": _hex, "body_salt": _hex}, _pair_body),
    "state_digest": ({}, {"conversation": _id}, dict),
    "head": ({}, {}, dict),
    "halt": ({"time": _time}, {"envelope": _hex, "scope": _hex, "reason": _text, "salt": _salt}, _halt_arguments),
    "resume": ({"envelope": _hex, "time": _time}, {}, dict),
}


# -- one question --------------------------------------------------------------------------------------------------


def answer(line: bytes | None, implementation: str) -> bytes:
    """The answer to one line (None: a line that was too long), without a line end. Raises nothing on account of the line.

    ``implementation`` is ``rust`` or ``reference``.
    """
    asked: Json = None
    try:
        question = _read(line)
        asked = _asked(question)
        reply: dict[str, Json] = {"code": "ok", **_ask(question, implementation)}
    except Ama2Error as fault:
        reply = _fault_view(fault)
    except Exception as bug:  # noqa: BLE001  (the process goes on: conform.1)
        reply = _fault_view(error("Internal", "an answer", type(bug).__name__))
    return json.dumps({"id": asked, **reply}).encode("ascii")


def _fault_view(fault: Ama2Error) -> dict[str, Json]:
    place: dict[str, Json] = {}
    if fault.position is not None:
        place = {"position": fault.position, "sound": fault.sound}
    return {"code": fault.code, **place, "expected": fault.expected, "got": fault.got}


def _read(line: bytes | None) -> dict[str, Json]:
    if line is None:
        _refuse(f"a line of at most {MAX_LINE} bytes", "a longer one")
    try:
        text = line.decode("utf-8", "strict")
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8", "strict")  # refuses half a surrogate pair
    except (ValueError, RecursionError):
        _refuse("an object in JSON and UTF-8", "something else")
    if not isinstance(value, dict):
        _refuse("an object", type(value).__name__)
    return value


def _asked(question: dict[str, Json]) -> Json:
    """The question's id: a text, an integer, or none."""
    asked = question.get("id")
    if isinstance(asked, bool) or not isinstance(asked, int | str | None):
        _refuse("an id that is a text or an integer", type(asked).__name__)
    return asked


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member twice")
    return found


def _constant(text: str) -> NoReturn:
    raise ValueError(text)


def _ask(question: dict[str, Json], implementation: str) -> dict[str, Json]:
    op = question.get("op")
    if not isinstance(op, str) or op not in _OPS:
        _refuse("an operation of the table", ascii(op)[:64])
    required, optional, prepare = _OPS[op]
    given = {name: value for name, value in question.items() if name not in {"id", "op"} and value is not None}
    if not set(required) <= set(given) <= set(required) | set(optional):
        _refuse(f"the arguments {', '.join([*required, *(f'{name}?' for name in optional)])}", "others")
    forms = required | optional
    arguments: Arguments = dict.fromkeys(forms) | {name: forms[name](value) for name, value in given.items()}
    room = importlib.import_module(_IMPLEMENTATIONS[implementation])
    return cast("dict[str, Json]", getattr(room, op)(**prepare(arguments)))


# -- the process ---------------------------------------------------------------------------------------------------


def _lines(source: IO[bytes]) -> Iterator[bytes | None]:
    """Each line without its end; None for one that is too long. Never holds more than one line of the longest kind."""
    while line := source.readline(MAX_LINE + 1):
        if line.endswith(b"\n"):
            yield line[:-1]
        elif len(line) <= MAX_LINE:
            yield line
        else:
            while (rest := source.readline(1 << 20)) and not rest.endswith(b"\n"):
                pass
            yield None


def main(arguments: list[str] | None = None) -> int:
    """Answer standard input on standard output until it ends. Returns the exit status: 21 where nobody reads on."""
    parser = argparse.ArgumentParser(
        prog="python -m ama2sec.conform", description="One question a line, one answer a line."
    )
    parser.add_argument("--impl", choices=sorted(_IMPLEMENTATIONS), default="rust", help="which implementation answers")
    chosen: str = parser.parse_args(arguments).impl
    importlib.import_module(_IMPLEMENTATIONS[chosen])  # a missing core is told at once, and not in every answer
    try:
        for line in _lines(sys.stdin.buffer):
            sys.stdout.buffer.write(answer(line, chosen) + b"\n")
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains while it leaves
        return error("PipeClosed", "a reader of the answers", "none").exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
