"""The conformance seam: answers in order, one a line, whatever is asked. What the reference answers, the core answers too."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ama2sec.conform import MAX_LINE, answer
from ama2sec.reference import encode
from tests.world import (
    BODY_SALT,
    HEADER,
    KID,
    PUBLIC,
    SALT,
    SEEDS,
    ZEROS,
    Talk,
    body_claim,
    directory_view,
    message_claims,
    open_claims,
    signed,
)

ROOT = Path(__file__).parents[2]
ID = "69" * 32


def ask(op: Any, **arguments: Any) -> dict[str, Any]:
    line = json.dumps({"id": 7, "op": op, **arguments}).encode()
    found, by_rust = (json.loads(answer(line, implementation)) for implementation in ("reference", "rust"))
    assert found.pop("id") == by_rust.pop("id") == 7
    told = {"expected", "got"} & set(found)
    assert [(name, found[name]) for name in found if name not in told] == [
        (name, by_rust[name]) for name in by_rust if name not in told
    ]
    return dict(found)


def code_of_line(line: bytes | None) -> tuple[Any, str]:
    found = json.loads(answer(line, "reference"))
    return found["id"], found["code"]


def run(questions: bytes, *arguments: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "ama2sec.conform", *(arguments or ("--impl", "reference"))],
        input=questions,
        capture_output=True,
        cwd=ROOT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return [json.loads(line) for line in done.stdout.splitlines()]


# -- questions -----------------------------------------------------------------------------------------------------

BAD_LINES = [
    b"",
    b" ",
    b"x",
    b"[]",
    b"1",
    b'"cbor"',
    b"{}",
    b"{",
    b'{"op": "cbor"}',
    b'{"op": "cbor", "bytes": "00", "bytes": "00"}',
    b'{"op": "cbor", "bytes": NaN}',
    b'{"op": "cbor", "bytes": "00"} {}',
    b'\xef\xbb\xbf{"op": "cbor", "bytes": "00"}',
    '{"op": "cbor", "bytes": "00"}'.encode("utf-16"),
    b'{"op": "cbor", "bytes": "\xff"}',
    b'{"op": "cbor", "bytes": "00", "x": ' + b"9" * 5000 + b"}",
    b'{"op": "cbor", "bytes": "00", "x": "\\ud800"}',
    b'{"op": "cbor", "bytes": "00", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"op": "cbor", "bytes": "00", "x": ' + b'{"a":' * 100_000,
    b'{"id": [' + b"[" * 900 + b"]" * 900 + b'], "op": "cbor", "bytes": "00"}',
    b'{"id": 1.5, "op": "cbor", "bytes": "00"}',
    b'{"id": true, "op": "cbor", "bytes": "00"}',
    b'{"id": "\\udfff", "op": "cbor", "bytes": "00"}',
    None,
]


@pytest.mark.parametrize("line", BAD_LINES, ids=range(len(BAD_LINES)))
def test_a_line_that_is_no_question(line: bytes | None) -> None:
    assert code_of_line(line) == (None, "ConformQuestion")


def test_ids_are_echoed() -> None:
    for asked in (0, -5, 10**30, "", "x", "\u00fc\U0001f600", None):
        line = json.dumps({"id": asked, "op": "cbor", "bytes": "00"}).encode()
        assert code_of_line(line) == (asked, "ok")
        assert code_of_line(json.dumps({"id": asked, "op": "cobr"}).encode()) == (asked, "ConformQuestion")
    assert answer(b'{"id": 1, "op": "cbor", "bytes": "a10102"}', "reference") == b'{"id": 1, "code": "ok"}'


DIRECTORY = [{"key": ID, "purpose": "message", "name": "a"}]
BAD_QUESTIONS: list[dict[str, Any]] = [
    {"op": None},
    {"op": ["cbor"], "bytes": "00"},
    {"op": "_lines"},
    {"op": "__class__"},
    {"op": "cbor"},
    {"op": "cbor", "bytes": 0},
    {"op": "cbor", "bytes": None},
    {"op": "cbor", "bytes": "0"},
    {"op": "cbor", "bytes": "0G"},
    {"op": "cbor", "bytes": "AA"},
    {"op": "cbor", "bytes": "0 00"},
    {"op": "cbor", "bytes": "\u0660\u0660"},
    {"op": "cbor", "bytes": "00", "tag": True},
    {"op": "ed25519_verify", "key": "", "msg": ""},
    {"op": "make", "seed": "00", "claims": {}},
    {"op": "make", "seed": ID},
    {"op": "make", "seed": ID, "claims": {}, "claims_bytes": ""},
    {"op": "make", "seed": ID, "claims": []},
    {"op": "make", "seed": ID, "claims": {}, "body": ""},
    {"op": "make", "seed": ID, "claims": {}, "body_salt": ID},
    {"op": "make", "seed": ID, "claims": {}, "body": "", "body_salt": ID[2:]},
    {"op": "make", "seed": ID, "claims_bytes": "", "body": "", "body_salt": ID},
    {"op": "verify", "envelope": "", "directory": {}},
    {"op": "verify", "envelope": "", "directory": [[]]},
    {"op": "verify", "envelope": "", "directory": [{"key": ID, "purpose": "message"}]},
    {"op": "verify", "envelope": "", "directory": [{**DIRECTORY[0], "x": 1}]},
    {"op": "verify", "envelope": "", "directory": [{**DIRECTORY[0], "purpose": "guest"}]},
    {"op": "verify", "envelope": "", "directory": [{**DIRECTORY[0], "purpose": []}]},
    {"op": "verify", "envelope": "", "directory": [{**DIRECTORY[0], "key": 1}]},
    {"op": "verify", "envelope": "", "directory": [{**DIRECTORY[0], "name": None}]},
    {"op": "verify", "envelope": "", "directory": [], "body": ""},
    {"op": "transcript", "bytes": "", "directory": [], "head": 5},
    {"op": "fingerprint", "realm": ID, "conversation": ID, "branch": ID, "ids": ["00"]},
    {"op": "fingerprint", "realm": ID, "conversation": ID, "branch": ID[2:], "ids": []},
    {"op": "rfc6962_root"},
    {"op": "rfc6962_root", "leaves": [], "leaf_hashes": []},
    {"op": "rfc6962_root", "leaf_hashes": [""]},
    {"op": "rfc6962_root", "leaves": "00"},
    *({"op": "make", "seed": ID, "claims": claims} for claims in (
        {"realms": ID}, {"realm": None}, {"realm": 0}, {"realm": "0"}, {"kind": "forks"}, {"kind": None}, {"kind": True}, {"kind": 1.0},
        {"kind": 1 << 63}, {"agent_identity": None}, {"agent_identity": {"agent": ID, "x": 0}},
        {"agent_identity": {"agent": ID, "grant": 0}}, {"agent_identity": {"agent": None, "grant": None}}, {"context_fingerprint": []},
        {"context_fingerprint": {"size": 0}}, {"execution_path": {"branch": ID, "parent": None}},
        {"execution_path": {"branch": ID, "parent": None, "merges": [{}]}}, {"workflow_state": []}, {"recipients": 0},
        {"recipients": ["bob"]}, {"recipients": [0]}, {"seq": None}, {"seq": ["1", 2]}, {"seq": [1]}, {"time": "0"}, {"salt": []},
        {"body": {}}, {"body": {"media_type": "a"}}, {"body": {"commitment": ID, "size": 1}}, {"body": []}, {"members": 0}, {"workflow": None},
        {"workflow": {"required": 0, "definition": None}}, {"workflow": {"required": True, "definition": 0}},
        {"workflow_state": {"instance": None, "definition": ID, "step": "s", "outputs": {"a": None}, "approves": None}},
        {"workflow_state": {"instance": None, "definition": ID, "step": "s", "outputs": {"a": 1.5}, "approves": None}},
        {"workflow_state": {"instance": None, "definition": ID, "step": "s", "outputs": [], "approves": None}},
    )),
]  # fmt: skip


@pytest.mark.parametrize("question", BAD_QUESTIONS, ids=range(len(BAD_QUESTIONS)))
def test_arguments_of_the_wrong_form(question: dict[str, Any]) -> None:
    found = ask(**question)
    assert found["code"] == "ConformQuestion"
    assert set(found) == {"code", "expected", "got"}


def test_an_argument_that_may_be_left_out_may_be_null() -> None:
    assert ask("rfc6962_root", leaves=[], leaf_hashes=None)["code"] == "ok"
    assert ask("transcript", bytes="", directory=[], head=None)["code"] == "Truncated"


# -- answers -------------------------------------------------------------------------------------------------------


def test_ed25519_verify() -> None:
    key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    signature = (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    assert ask("ed25519_verify", key=key, msg="", sig=signature) == {"code": "ok"}
    assert ask("ed25519_verify", key=key, msg="00", sig=signature)["code"] == "SignatureInvalid"
    assert ask("ed25519_verify", key="", msg="", sig="")["code"] == "KeyLength"


def test_cbor() -> None:
    assert ask("cbor", bytes="a10102") == {"code": "ok"}
    fault = ask("cbor", bytes="d280")
    assert fault["code"] == "TypeForbidden"
    assert list(fault) == ["code", "expected", "got"]


def test_make_parse_and_verify() -> None:
    seed = SEEDS["alice"].hex()
    view = json.loads(
        f"""{{"realm": "{"00" * 32}", "conversation": "{ID}", "kind": "message", "agent_identity": {{"grant": null}},
        "context_fingerprint": {{"size": 3, "fingerprint": "{ID}", "registry_size": 0, "registry_fingerprint": "{"00" * 32}"}},
        "execution_path": {{"branch": "{ID}", "parent": "{ID}", "merges": [{{"branch": "{"aa" * 32}", "size": 2, "fingerprint": "{ID}"}}]}},
        "workflow_state": {{"instance": "{ID}", "definition": "{ID}", "step": "review", "outputs": {{"a": true, "b": -1, "c": "x"}},
        "approves": null}}, "recipients": ["{ID}", "name:buyers"], "seq": [1793000000000, 17], "time": 1793000000000,
        "salt": "{SALT.hex()}", "body": {{"media_type": "text/plain"}}}}"""
    )
    view["recipients"].sort(key=lambda text: len(text) != 64)
    made = ask("make", seed=seed, claims=view, body=b"hello".hex(), body_salt=BODY_SALT.hex())
    if made["code"] == "ok" and encode("buyers") < encode(bytes.fromhex(ID)):
        view["recipients"].reverse()
    assert list(made) == ["code", "envelope", "message_id"]
    parsed = ask("parse", envelope=made["envelope"])
    commitment, size, media_type = body_claim(b"hello")
    filled = {
        "agent_identity": {"agent": KID["alice"].hex(), "grant": None},
        "body": {"commitment": commitment.hex(), "size": size, "media_type": media_type},
    }
    assert parsed == {
        "code": "ok",
        "message_id": made["message_id"],
        "kid": KID["alice"].hex(),
        "claims": view | filled,
    }
    assert list(parsed["claims"]) == list(view)  # in the order of the labels
    again = ask("make", seed=seed, claims=parsed["claims"])
    assert again == made
    given = {"body": b"hello".hex(), "body_salt": BODY_SALT.hex()}
    found = ask("verify", envelope=made["envelope"], directory=directory_view(), **given)
    assert list(found) == ["code", "message_id", "sender", "claims", "body"]
    assert (found["sender"], found["body"], found["claims"]) == ("alice", "present", parsed["claims"])
    assert ask("verify", envelope=made["envelope"], directory=directory_view())["body"] == "withheld"
    assert ask("verify", envelope=made["envelope"], directory=[])["code"] == "KeyUnknown"


def test_an_open_shows_what_its_kind_allows() -> None:
    claims = ask("parse", envelope=signed(open_claims(c13=["bob"])).hex())["claims"]
    assert list(claims)[-3:] == ["body", "members", "workflow"]
    assert claims["members"] == ["name:bob"]
    assert "seq" not in claims
    assert ask("verify", envelope=signed(open_claims()).hex(), directory=directory_view())["body"] == "none"


def test_make_signs_what_it_is_given() -> None:
    seed = SEEDS["alice"].hex()

    def code(**arguments: Any) -> str:
        made = ask("make", seed=seed, **arguments)
        assert made["code"] == "ok"
        found: str = ask("verify", envelope=made["envelope"], directory=directory_view())["code"]
        return found

    assert code(claims={}) == "ClaimMissing"
    assert code(claims={"kind": 99}) == "KindUnknown"
    assert code(claims_bytes="a10103") == "ClaimMissing"
    assert code(claims_bytes="") == "Truncated"
    assert code(claims_bytes=encode(message_claims()).hex()) == "ok"
    assert code(claims_bytes=encode(message_claims()).hex(), header_bytes="a0") == "HeaderForm"
    header = encode({1: -19, 4: KID["bob"], 16: "ama2sec-message+cose"})
    claims = encode(message_claims("bob"))
    assert code(claims_bytes=claims.hex(), header_bytes=header.hex()) == "SignatureInvalid"
    view = ask("parse", envelope=signed(message_claims()).hex())["claims"]
    assert code(claims=view | {"recipients": ["name:Bob"]}) == "NameForm"
    assert code(claims=view | {"salt": "00"}) == "ClaimType"
    assert code(claims=view | {"recipients": None}) == "ClaimType"
    assert code(claims=view | {"agent_identity": {}}) == "ok"
    assert code(claims={name: value for name, value in view.items() if name != "agent_identity"}) == "ok"
    assert code(claims=view | {"kind": "rollback"}) == "ClaimMissing"
    assert code(claims=view | {"kind": "sequencer-term"}) == "KindNotBuilt"
    assert code(claims=view | {"kind": "snapshot"}) == "KindNotBuilt"
    assert code(claims=view | {"kind": "halt"}) == code(claims=view | {"kind": 48}) == "ClaimMissing"
    assert code(claims=view | {"time": -1}) == "ClaimType"
    assert code(claims=view | {"agent_identity": {"agent": ID, "grant": None}}) == "ClaimForm"


def test_make_fills_in_the_body_and_nothing_more() -> None:
    seed, given = SEEDS["alice"].hex(), {"body": b"hello".hex(), "body_salt": BODY_SALT.hex()}
    view = ask("parse", envelope=signed(message_claims()).hex())["claims"]

    def body(claims: dict[str, Any]) -> Any:
        made = ask("make", seed=seed, claims=claims, **given)
        return ask("parse", envelope=made["envelope"])["claims"]["body"]

    commitment = body_claim(b"hello")[0].hex()
    assert body({name: value for name, value in view.items() if name != "body"}) == {
        "commitment": commitment,
        "size": 5,
        "media_type": "application/octet-stream",
    }
    assert body(view | {"body": {"media_type": "a/b"}}) == {"commitment": commitment, "size": 5, "media_type": "a/b"}
    assert body(view | {"body": {"media_type": "a", "size": 6}})["size"] == 6
    assert body(view) is None  # null is not left out
    hostile = {"commitment": ID, "size": 1, "media_type": "a"}
    assert body(view | {"body": hostile}) == hostile


def test_a_directory_is_enrolled_before_anything_is_read() -> None:
    for code, entries in {
        "KeyLength": [{**DIRECTORY[0], "key": "00"}],
        "KeyWeak": [{**DIRECTORY[0], "key": "01" + "00" * 31}],
        "NameForm": [{"key": PUBLIC["bob"].hex(), "purpose": "message", "name": "\u0430"}],
        "NameTaken": [*directory_view(), {**directory_view()[0], "name": "bob"}],
        "KeyTaken": [*directory_view(), {**directory_view()[0], "name": "carol"}],
    }.items():
        assert ask("verify", envelope="", directory=entries)["code"] == code
        fault = ask("transcript", bytes="", directory=entries, head="x")
        assert (fault["code"], "position" in fault) == (code, False)


def test_transcript() -> None:
    talk = Talk.opened().say("bob", body=b"hello").say("alice")
    keys = directory_view()
    assert ask("transcript", bytes=talk.data().hex(), directory=keys, head=talk.head(2)) == {
        "code": "ok",
        "head": talk.head(),
        "entries": 3,
    }
    fault = ask("transcript", bytes=talk.data([*talk.items, talk.items[1]]).hex(), directory=keys)
    assert list(fault) == ["code", "position", "sound", "expected", "got"]
    assert (fault["code"], fault["position"], fault["sound"]) == ("SeqUsed", 3, 3)
    stale = ask("transcript", bytes=talk.data(talk.items[:2]).hex(), directory=keys, head=talk.head())
    assert (stale["code"], stale["position"]) == ("HeadStale", 2)
    assert ask("transcript", bytes=HEADER.hex(), directory=keys)["position"] == 0
    assert "position" not in ask("transcript", bytes="", directory=keys, head="x")


def test_fingerprint_and_rfc6962_root() -> None:
    found = ask("fingerprint", realm=ID, conversation=ID, branch=ID, ids=[ID, "00" * 32])["fingerprints"]
    assert (len(found), found[0]) == (3, ZEROS.hex())
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    leaf = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert ask("rfc6962_root", leaves=[]) == {"code": "ok", "root": empty}
    assert ask("rfc6962_root", leaves=[""])["root"] == leaf
    assert ask("rfc6962_root", leaf_hashes=[leaf])["root"] == leaf
    both = "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
    assert ask("rfc6962_root", leaves=["", "00"])["root"] == both


# -- the process ---------------------------------------------------------------------------------------------------


def test_a_stream_of_questions_good_and_bad() -> None:
    good = b'{"id": 1, "op": "cbor", "bytes": "00"}'
    answers = run(b"\n".join([good, b"x", b"", good + b"\r", b"\xff\x00", good]))
    assert [found["code"] for found in answers] == [
        "ok",
        "ConformQuestion",
        "ConformQuestion",
        "ok",
        "ConformQuestion",
        "ok",
    ]
    assert run(b"") == []
    assert run(good, "--impl", "rust") == run(good)
    assert len(run(good + b"\n")) == 1


def test_a_line_is_at_most_16_mib() -> None:
    def line(length: int) -> bytes:
        start = b'{"op": "cbor", "bytes": "00"'
        return start + b" " * (length - len(start) - 1) + b"}"

    questions = [line(MAX_LINE), line(MAX_LINE + 1), b"9" * (3 * MAX_LINE), line(100), line(MAX_LINE)]
    codes = ["ok", "ConformQuestion", "ConformQuestion", "ok", "ok"]
    assert [found["code"] for found in run(b"\n".join(questions))] == codes


def test_an_endless_line_takes_no_memory() -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30)); "
    program = limit + "import sys; from ama2sec.conform import main; sys.exit(main(['--impl', 'reference']))"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdin is not None
        for _ in range(1536):
            process.stdin.write(b"9" * (1 << 20))
        output, _ = process.communicate()
    assert json.loads(output)["code"] == "ConformQuestion"
    assert process.returncode == 0


def test_answers_are_flushed_and_a_reader_that_leaves_is_no_accident() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "ama2sec.conform", "--impl", "reference"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b'{"op": "cbor", "bytes": "00"}\n')
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["code"] == "ok"
        process.stdout.close()
        process.stdin.write(b'{"op": "cbor", "bytes": "00"}\n' * 3)
        process.stdin.close()
        assert process.wait() == 21
        assert process.stderr.read() == b""


def test_a_bug_is_answered_and_does_not_end_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("ama2sec.reference.answers.cbor", broken)
    assert code_of_line(b'{"id": 3, "op": "cbor", "bytes": "00"}') == (3, "Internal")
