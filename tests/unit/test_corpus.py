"""The seed corpora of the fuzzers as plain tests: the core and the reference give each sample the code that its name states.

What a fuzzer finds is added to ``fuzz/corpus`` under its code, and stays.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ama2sec import _native
from ama2sec.errors import InternalError, error
from fuzz.atheris import agree, following, proving
from fuzz.atheris.judges import JUDGES

SAMPLES = [path for target in JUDGES for path in sorted((agree.CORPUS / target).iterdir())]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_core_and_reference_give_the_code_in_the_name(sample: Path) -> None:
    assert JUDGES[sample.parent.name](sample.read_bytes()) == sample.name.split("-")[0]


@pytest.mark.parametrize("target", JUDGES)
def test_each_corpus_has_honest_and_hostile_samples(target: str) -> None:
    codes = {path.name.split("-")[0] for path in SAMPLES if path.parent.name == target}
    assert "ok" in codes
    assert len(codes) > 8


@pytest.mark.parametrize(
    ("judge", "sample"),
    [(agree.codec, b"\xf6"), (agree.envelope, b"\xd2"), (agree.transcript, b"")],
    ids=["codec", "envelope", "transcript"],
)
def test_a_difference_is_seen(monkeypatch: pytest.MonkeyPatch, judge: object, sample: bytes) -> None:
    """Each judge fails where one of the two implementations gives another answer."""
    monkeypatch.setattr(agree.reference, "decode", lambda data: [data])
    monkeypatch.setattr(agree.reference, "verify", lambda data, directory: data)
    monkeypatch.setattr(agree.reference, "verify_transcript", _wrong_place)
    with pytest.raises(agree.Disagreement):
        judge(sample)


def _wrong_place(*_: object) -> None:
    fault = error("Truncated", "more", "less")
    fault.sound = 1
    raise fault


def test_a_difference_about_a_proof_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    proof = (agree.CORPUS / "proof" / "ok-inclusion").read_bytes()
    script = (agree.CORPUS / "lightclient" / "ok-skip").read_bytes()
    assert (proving.proof(proof), following.lightclient(script)) == ("ok", "ok")
    monkeypatch.setattr(agree.reference, "check_inclusion", lambda head, message, data: None)
    monkeypatch.setattr(agree.reference, "check_range", _wrong_place)
    with pytest.raises(agree.Disagreement):
        proving.proof(proof)
    with pytest.raises(agree.Disagreement):
        following.lightclient(script)


def test_a_fault_of_ours_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(data: bytes) -> None:
        raise error("Internal", "an answer", "none")

    monkeypatch.setattr(_native, "check_cbor", broken)
    with pytest.raises(InternalError):
        agree.codec(b"\xf6")
