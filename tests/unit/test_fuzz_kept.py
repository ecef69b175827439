"""``make fuzz-agree``: what the fuzzers kept is read, counted and compared, and a difference is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.atheris import agree, judges, kept


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A corpus with one sample, and three inputs that a campaign kept."""
    monkeypatch.setattr(kept, "JUDGES", {"codec": judges.JUDGES["codec"]})
    corpus, work = tmp_path / "corpus", tmp_path / "work"
    (corpus / "codec").mkdir(parents=True)
    (corpus / "codec" / "ok-null").write_bytes(b"\xf6")
    (work / "codec" / "corpus").mkdir(parents=True)
    for name, data in (("1", b"\xf6\xf6\xf6"), ("2", b"\xf6\xf6"), ("3", b"\x01")):
        (work / "codec" / "corpus" / name).write_bytes(data)
    return work, corpus


def test_it_counts_inputs_and_codes_and_names_what_has_no_sample(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    work, corpus = folders
    assert kept.main([], work, corpus) == 0
    assert capsys.readouterr().out.splitlines() == [
        "codec: 4 inputs, 2 codes, 0 differences",
        "  TrailingBytes 2, ok 2",
        f"  no sample of TrailingBytes yet; the smallest has 2 bytes: {work / 'codec' / 'corpus' / '2'}",
    ]


def test_without_a_campaign_the_samples_are_judged(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kept.main(["codec"], tmp_path / "nowhere", folders[1]) == 0
    assert "codec: 1 inputs, 1 codes, 0 differences" in capsys.readouterr().out


def test_a_difference_is_counted_and_its_file_is_named(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    work, corpus = folders
    decode = agree.reference.decode
    monkeypatch.setattr(agree.reference, "decode", lambda data: None if data == b"\xf6\xf6" else decode(data))
    assert kept.main([], work, corpus) == 1
    said = capsys.readouterr().out
    assert "codec: 4 inputs, 2 codes, 1 differences" in said
    assert f"DIFFERENT: {work / 'codec' / 'corpus' / '2'}: Disagreement: core: 'TrailingBytes'" in said


def test_whatever_else_a_judge_raises_is_a_finding(folders: tuple[Path, Path]) -> None:
    def broken(data: bytes) -> str:
        raise IndexError(len(data))

    found = kept.judge(broken, kept.inputs("codec", *folders))
    assert (found.inputs, found.codes.total(), len(found.differences)) == (4, 0, 4)
    assert found.differences[0] == (folders[1] / "codec" / "ok-null", "IndexError: 1")


def test_another_target_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert kept.main(["codecs"]) == 2
    assert f"no target codecs: there are {', '.join(judges.JUDGES)}" in capsys.readouterr().out


def test_every_target_of_the_fuzzers_has_its_judge() -> None:
    makefile = (agree.CORPUS.parent / "fuzz.mk").read_text()
    [line] = [line for line in makefile.splitlines() if line.startswith("FUZZ_TARGETS := ")]
    assert line.split()[2:] == list(judges.JUDGES)
