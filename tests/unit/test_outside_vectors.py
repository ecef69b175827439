"""What ``make outside-vectors`` says of files that are made here: right, wrong, different, missing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ama2sec import _conform_rust
from ama2sec.reference import answers
from tests import outside_vectors as outside
from tests.vectors.making import curve
from tests.vectors.making.people import ALICE

CCTV, SPECCHECK, WYCHEPROOF = outside.SOURCES
GOOD = ALICE.sign(b"a message")
IDENTITY = curve.encode(curve.ZERO)


def cctv(**changes: Any) -> dict[str, Any]:
    found = {"number": 7, "key": ALICE.public.hex(), "sig": GOOD.hex(), "msg": "a message", "flags": None}
    return found | changes


def speccheck(signature: bytes) -> dict[str, Any]:
    return {"message": b"a message".hex(), "pub_key": ALICE.public.hex(), "signature": signature.hex()}


def wycheproof(*results: str) -> dict[str, Any]:
    """Honest signatures, labelled so."""
    tests = [
        {"tcId": number, "msg": b"a message".hex(), "sig": GOOD.hex(), "result": result}
        for number, result in enumerate(results)
    ]
    return {"numberOfTests": len(results), "testGroups": [{"publicKey": {"pk": ALICE.public.hex()}, "tests": tests}]}


HONEST = cctv()
WEAK = cctv(number=8, key=IDENTITY.hex(), sig=(IDENTITY + bytes(32)).hex(), flags=["low_order_A", "low_order_R"])
MALLEATED = speccheck(curve.plus_order(GOOD, 1))


def judged(source: outside.Source, data: Any) -> outside.Report:
    return outside.judge(source.read(data))


def test_it_counts_what_is_accepted_and_what_is_refused() -> None:
    report = judged(CCTV, [HONEST, WEAK, WEAK])
    assert (report.cases, report.accepted, report.faults) == (3, ["7"], [])
    assert report.codes == {"ok": 1, "KeyWeak": 2}
    report = judged(SPECCHECK, [MALLEATED])
    assert (report.accepted, report.faults, report.codes) == ([], [], {"SignatureNotCanonical": 1})
    report = judged(WYCHEPROOF, wycheproof("valid", "valid"))
    assert (report.accepted, report.faults) == (["0", "1"], [])


def test_a_verdict_that_is_not_the_expected_one_is_a_fault() -> None:
    assert judged(CCTV, [HONEST | {"flags": ["non_canonical_R"]}]).faults == ["case 7: ok, expected a refusal"]
    assert judged(CCTV, [WEAK | {"flags": []}]).faults == ["case 8: KeyWeak, expected ok"]
    assert judged(SPECCHECK, [speccheck(GOOD)]).faults == ["case 0: ok, expected a refusal"]
    assert judged(WYCHEPROOF, wycheproof("invalid")).faults == ["case 0: ok, expected a refusal"]


@pytest.mark.parametrize("lax", [_conform_rust, answers], ids=["rust", "reference"])
def test_a_difference_between_the_implementations_is_seen(monkeypatch: pytest.MonkeyPatch, lax: object) -> None:
    monkeypatch.setattr(lax, "ed25519_verify", lambda **_: {})
    [fault] = judged(SPECCHECK, [MALLEATED]).faults
    assert fault.startswith("case 0: {")
    assert fault.count("SignatureNotCanonical") == fault.count("ok") == 1


def test_a_fault_of_ours_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: object) -> None:
        raise RuntimeError

    for each in (_conform_rust, answers):
        monkeypatch.setattr(each, "ed25519_verify", broken)
    assert judged(SPECCHECK, [MALLEATED]).faults == ["case 0: Internal is no verdict"]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """One file of each, and as many cases expected as there are."""
    sources = (replace(CCTV, cases=2), replace(SPECCHECK, cases=1), WYCHEPROOF)
    monkeypatch.setattr(outside, "SOURCES", sources)
    data = ([HONEST, WEAK], [MALLEATED], wycheproof("valid"))
    found = {}
    for source, content in zip(sources, data, strict=True):
        found[source.name.lower()] = path = tmp_path / f"{source.name}.json"
        path.write_text(json.dumps(content))
    return found


def run(files: dict[str, Path]) -> int:
    return outside.main([part for name, path in files.items() for part in (f"--{name}", str(path))])


def test_the_command_says_what_it_counted(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(files) == 0
    assert capsys.readouterr().out.splitlines() == [
        "CCTV          2 cases, 1 accepted (KeyWeak 1, ok 1)",
        "SPECCHECK     1 cases, 0 accepted (SignatureNotCanonical 1)",
        "WYCHEPROOF    1 cases, 1 accepted (ok 1)",
        "both implementations, the same codes, as expected",
    ]
    files.pop("wycheproof")
    assert run(files) == 0


def test_the_command_fails_for_another_count_or_another_verdict(
    files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    files["cctv"].write_text(json.dumps([HONEST, HONEST]))
    assert run(files) == 1
    assert "CCTV: 2 accepted, expected 1" in capsys.readouterr().out
    files["cctv"].write_text(json.dumps([HONEST, WEAK]))
    files["speccheck"].write_text(json.dumps([speccheck(GOOD)]))
    assert run(files) == 1
    assert "SPECCHECK: case 0: ok, expected a refusal" in capsys.readouterr().out


def test_a_file_that_is_missing_or_another_one_is_named(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outside.main([]) == 2
    said = capsys.readouterr().out
    assert (
        "CCTV=path/to/ed25519vectors.json is missing: get ed25519/ed25519vectors.json of github.com/C2SP/CCTV" in said
    )
    assert "SPECCHECK=path/to/cases.json is missing" in said
    assert "WYCHEPROOF" not in said
    assert run(files | {"cctv": tmp_path / "nowhere"}) == 2
    assert "nowhere is no JSON that can be read" in capsys.readouterr().out
    assert run(files | {"cctv": files["speccheck"]}) == 2
    assert "has another form (KeyError('number'))" in capsys.readouterr().out
    for content, said in (
        ("[", "is no JSON"),
        ("[]", "0 cases, expected 2"),
        (json.dumps([HONEST]), "1 cases, expected 2"),
    ):
        files["cctv"].write_text(content)
        assert run(files) == 2
        assert said in capsys.readouterr().out


@pytest.mark.parametrize("broken", [{"numberOfTests": 2}, wycheproof("acceptable")], ids=["cut", "open"])
def test_wycheproof_is_read_strictly(files: dict[str, Path], broken: Any, capsys: pytest.CaptureFixture[str]) -> None:
    files["wycheproof"].write_text(json.dumps(wycheproof("valid") | broken))
    assert run(files) == 2
    assert "has another form" in capsys.readouterr().out
