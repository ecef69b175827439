"""The demonstration: where its conversations come from, and that it says 0 only where every verdict is the right one."""

from __future__ import annotations

import gzip
import json
import os
import random
import shlex
import shutil
import subprocess
import sys
from email.message import EmailMessage
from pathlib import Path

import pytest

from ama2sec import Ama2Error, ConversationReport, Directory, HistoryError, Identity, cli, verify_conversation
from ama2sec.demo import __main__ as program
from ama2sec.demo import machine, own, play
from ama2sec.demo.attacks import Attack, attacks, differences
from ama2sec.demo.said import MAX_TEXT, Said
from ama2sec.errors import error
from ama2sec.history import write_transcript

AUTHORS = ("Ann", "Bob", "Çelik", "Bob ", "stranger")


def made(count: int) -> list[Said]:
    return [Said.of(AUTHORS[n * n % 5], f"text {n}", 1_000 * n) for n in range(count)]


def lines(tmp_path: Path, count: int) -> Path:
    path = tmp_path / "made.jsonl"
    path.write_text("".join(json.dumps({"author": s.author, "text": s.text.decode()}) + "\n" for s in made(count)))
    return path


# -- names -------------------------------------------------------------------------------------------------------------


def test_every_author_has_a_key_under_a_name_of_his_own() -> None:
    authors = {
        "Anna",
        "anna",
        "ANNA!",
        "anna-2",
        "anna.2",
        "王",
        "李",
        "",
        "stranger",
        "\x1b[31m",
        "é" * 300,
        "a" * 300,
        "-",
    }
    people, directory = play.identities(authors)
    names = {identity.name for identity in people.values()}
    assert len(names) == len({identity.id for identity in people.values()}) == len(authors) == len(directory)
    assert play.STRANGER not in names
    assert {author: identity.name for author, identity in play.identities(authors)[0].items()} == {
        author: identity.name for author, identity in people.items()
    }


def test_a_slug_is_always_a_name() -> None:
    rng = random.Random(5)
    for _ in range(2_000):
        author = "".join(
            chr(rng.choice((rng.randrange(1, 128), rng.randrange(1, 0xD800)))) for _ in range(rng.randrange(80))
        )
        Identity.generate(play.slug(author))


# -- what is on the machine ----------------------------------------------------------------------------------------------

ENTRY = "{0} ({1}) unstable; urgency=low\n\n  * Said {1}.\n\n -- {2} <x@example.org>  {3}\n\n"


def test_changelog_entries_are_read_once_each_and_by_date(tmp_path: Path) -> None:
    late, early = "Wed, 02 Jan 2019 00:00:00 +0000", "Mon, 01 Jan 2018 00:00:00 +0000"
    text = ENTRY.format("tool", "2", "Ann", late) + ENTRY.format("tool", "1", "Bob", early)
    text += ENTRY.format("tool", "0", "Nobody", "on a day")
    for name, data in {
        "tool/changelog.Debian.gz": gzip.compress(text.encode()),
        "libtool/changelog.Debian.gz": gzip.compress(text.encode()),
        "prose/changelog.gz": gzip.compress(b"\xff\x00 -- Eve <e@example.org>  " + late.encode()),
        "cut/changelog.gz": gzip.compress(text.encode())[:-20],
        "none/changelog.gz": b"not gzip",
        "other/README.gz": gzip.compress(text.encode()),
    }.items():
        path = tmp_path / name
        path.parent.mkdir()
        path.write_bytes(data)
    found = machine.changelogs(tmp_path)
    assert [(said.author, said.text.splitlines()[0].split()[1]) for said in found] == [("Bob", b"(1)"), ("Ann", b"(2)")]
    assert [said.time_ms for said in found] == [1_514_764_800_000, 1_546_387_200_000]


def test_packages_of_the_library_take_turns(tmp_path: Path) -> None:
    for name, text in {
        "one.py": "def a():\n    return 1\n\nclass K:\n    x = 1\n    def b(self): pass\n\nasync def c(): pass\n",
        "two/__init__.py": "def d(): pass\n",
        "two/more.py": "import os\n@property\ndef e(x):\n    pass\n",
        "test/test_one.py": "def no(): pass\n",
        "broken.py": "def f(:\n",
        "latin.py": "# coding: latin-1\ndef g(): return '\\xe4'\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    found = [(said.author, said.text.decode().split("(")[0]) for said in machine.standard_library(tmp_path)]
    assert found == [
        ("latin", "def g"),
        ("one", "def a"),
        ("two", "def d"),
        ("one", "    def b"),
        ("two", "def e"),
        ("one", "async def c"),
    ]


def test_there_is_always_enough_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "changelogs", list)
    title, turns = machine.find(12_000)
    assert "standard library" in title
    assert len(turns) >= machine.ENOUGH
    assert len({said.author for said in turns}) > 32
    monkeypatch.setattr(machine, "changelogs", lambda: made(50))
    assert machine.find(40) == ("Debian changelog entries, by the people who signed them off", made(50)[-40:])


def test_a_text_is_cut_between_characters_and_an_impossible_time_is_none() -> None:
    said = Said.of("a", "é" * MAX_TEXT, -1)
    assert (len(said.text), said.time_ms) == (MAX_TEXT, None)
    assert said.text.decode() == "é" * (MAX_TEXT // 2)
    assert Said.of("a", "x" + "€" * MAX_TEXT, 1 << 48) == Said("a", b"x" + "€".encode() * ((MAX_TEXT - 1) // 3), None)


# -- what the user brings --------------------------------------------------------------------------------------------------


def git(folder: Path, *arguments: str, who: str = "Ann", when: int = 1_700_000_000) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
    }
    for role in ("AUTHOR", "COMMITTER"):
        environment |= {
            f"GIT_{role}_NAME": who,
            f"GIT_{role}_EMAIL": "x@example.org",
            f"GIT_{role}_DATE": f"{when} +0000",
        }
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, env=environment)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    folder = tmp_path / "-repository"
    folder.mkdir()
    git(folder, "init")
    for n, (who, text) in enumerate(
        [("Ann", "first\n\nbody \x1e \x1f end"), ("Bob \x1b[31m", "second"), ("Ann", "third é")]
    ):
        git(folder, "commit", "--allow-empty", "-m", text, who=who, when=1_700_000_000 + n)
    return folder


def test_commits_are_read_oldest_first(repository: Path) -> None:
    found = own.git_log(repository, 10)
    assert [said.author for said in found] == ["Ann", "Bob \x1b[31m", "Ann"]
    assert [said.time_ms for said in found] == [1_700_000_000_000, 1_700_000_001_000, 1_700_000_002_000]
    assert [said.text.decode().strip() for said in found] == ["first\n\nbody \x1e \x1f end", "second", "third é"]
    assert own.git_log(repository, 2) == found[1:]


def test_a_repository_cannot_have_a_program_run(repository: Path, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {trace}\n")
    trap.chmod(0o755)
    head = subprocess.run(
        ["git", "-C", str(repository), "cat-file", "commit", "HEAD"], check=True, capture_output=True
    ).stdout
    top, _, text = head.partition(b"\n\n")
    signed = top + b"\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n\n" + text
    written = subprocess.run(
        ["git", "-C", str(repository), "hash-object", "-t", "commit", "-w", "--stdin"],
        input=signed,
        check=True,
        capture_output=True,
    ).stdout.decode()
    git(repository, "reset", "--soft", written.strip())
    for name in ("gpg.program", "core.pager", "pager.log", "core.fsmonitor", "diff.external", "core.sshCommand"):
        git(repository, "config", name, str(trap))
    git(repository, "config", "log.showSignature", "true")
    subprocess.run(["git", "-C", str(repository), "log"], check=True, capture_output=True)
    assert trace.exists(), "the trap does not work"
    trace.unlink()
    assert len(own.git_log(repository, 10)) == 3
    assert not trace.exists()


def test_what_is_no_history_is_a_clear_error(tmp_path: Path, repository: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init")
    missing = tmp_path / "missing"
    (tmp_path / "file").write_text("x")
    for read, path in [
        (own.git_log, empty),
        (own.git_log, missing),
        (own.git_log, tmp_path / "file"),
        (own.mbox, missing),
        (own.mbox, empty),
        (own.jsonl, missing),
        (own.jsonl, empty),
    ]:
        with pytest.raises(Ama2Error) as caught:
            read(path, 10)
        assert caught.value.code == "FileUnreadable"


def mail(sender: str, date: str | None, text: str) -> bytes:
    message = EmailMessage()
    message["From"] = sender
    if date is not None:
        message["Date"] = date
    message.set_content(text)
    message.add_alternative("<p>markup</p>", subtype="html")
    return b"From x@example.org Thu Jan  1 00:00:00 1970\n" + message.as_bytes() + b"\n"


def test_mails_are_read_by_date_with_their_text(tmp_path: Path) -> None:
    path = tmp_path / "box"
    path.write_bytes(
        mail("Łukasz <l@example.org>", "Wed, 02 Jan 2019 00:00:00 +0000", "second é")
        + mail("nobody@example.org", None, "third, without a date")
        + mail("Ann <a@example.org>", "Mon, 01 Jan 2018 00:00:00 +0000", "first")
    )
    found = own.mbox(path, 10)
    assert [said.author for said in found] == ["Ann", "Łukasz", "nobody@example.org"]
    assert [said.text.decode().strip() for said in found] == ["first", "second é", "third, without a date"]
    assert [said.time_ms for said in found] == [1_514_764_800_000, 1_546_387_200_000, None]
    assert own.mbox(path, 1) == found[-1:]


HOSTILE_MAILS = [
    b"",
    b"\xff\xfe\x00",
    b"From: =?no-such-charset?B?4A==?= <x@example.org>\n\ntext",
    b"From: =?utf-8?B?!!!?=\n\ntext",
    b"From: \xe9\xe9\nContent-Type: text/plain; charset=no-such\nContent-Transfer-Encoding: base64\n\n!!!",
    b"Date: Fri, 99 Foo 99999999 99:99:99 +9999\n\ntext",
    b"Content-Type: multipart/mixed\n\nno boundary",
    b"".join(b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (n, n) for n in range(2_000)),
    b"Content-Type: text/" + b"x" * 100_000 + b"\n\n" + b"y" * 100_000,
    b"Content-Type: message/rfc822\n\n" * 2_000,
    b"Content-Transfer-Encoding: uuencode\n\nbegin 666 x\n\xff\xff",
]


@pytest.mark.parametrize("number", range(len(HOSTILE_MAILS)))
def test_a_broken_mail_is_one_message_of_somebody(tmp_path: Path, number: int) -> None:
    path = tmp_path / "box"
    path.write_bytes(
        b"From x Thu Jan  1 00:00:00 1970\n" + HOSTILE_MAILS[number] + b"\n\n" + mail("Ann", None, "after")
    )
    found = own.mbox(path, 10)
    assert len(found) == 2
    assert found[1].author == "Ann"
    assert all(0 < len(said.author) <= 1024 and len(said.text) <= MAX_TEXT for said in found)
    people, _ = play.identities({said.author for said in found})
    assert people[found[0].author].sign(found[0].text).body == found[0].text


def test_json_lines_are_read_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text('{"author": "a", "text": "x", "time_ms": 7}\n\n{"text": "", "author": "b"}')
    assert own.jsonl(path, 10) == [Said("a", b"x", 7), Said("b", b"", None)]
    assert own.jsonl(path, 1) == [Said("b", b"", None)]


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b"null",
        b'"author text"',
        b'{"author": "a"}',
        b'{"author": "a", "text": "x", "more": 1}',
        b'{"author": 1, "text": "x"}',
        b'{"author": "", "text": "x"}',
        b'{"author": "a", "text": ["x"]}',
        b'{"author": "a", "text": "x", "time_ms": true}',
        b'{"author": "a", "text": "x", "time_ms": 1.5}',
        b'{"author": "a", "text": "x", "time_ms": "1"}',
        b'{"author": "a", "text": "x", "time_ms": ' + b"9" * 5_000 + b"}",
        b'{"author": "\\ud800", "text": "x"}',
        b'{"author": "a", "text": "\\udfff"}',
        b'{"author": "\xff", "text": "x"}',
        b'{"author": "' + b"a" * 2_000 + b'", "text": "x"}',
        b"[" * 100_000,
    ],
)
def test_a_hostile_line_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b'{"author": "a", "text": "x"}\n' + line + b"\n")
    with pytest.raises(Ama2Error) as caught:
        own.jsonl(path, 10)
    assert (caught.value.code, caught.value.got) == ("ArgumentRange", "line 2")


def test_a_line_without_end_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b'{"author": "a", "text": "' + b"x" * (2 << 20))
    with pytest.raises(Ama2Error) as caught:
        own.jsonl(path, 10)
    assert (caught.value.code, caught.value.got) == ("SizeLimit", "line 1")


# -- attacks -------------------------------------------------------------------------------------------------------------


class Written:
    """A conversation of five authors, signed once, with the stranger enrolled."""

    def __init__(self, folder: Path, count: int) -> None:
        turns = made(count)
        people, self.directory = play.identities({said.author for said in turns})
        self.stranger = Identity.generate(play.STRANGER)
        self.directory.enrol(self.stranger.public, name=play.STRANGER)
        spoken = [(people[said.author], said.text, said.time_ms or 0) for said in turns]
        lags = [n % 3 if n % 4 == 0 else 0 for n in range(count + 1)]
        self.head = write_transcript(folder / "c.ama", spoken[0][0], spoken, self.directory, lag=lags.__getitem__)
        self.data = (folder / "c.ama").read_bytes()

    def attacks(self, seed: int) -> list[Attack]:
        return attacks(self.data, self.directory, self.stranger, random.Random(seed))

    def verdict(self, attack: Attack) -> ConversationReport | HistoryError:
        try:
            return verify_conversation(attack.data, self.directory, head=self.head if attack.with_head else None)
        except HistoryError as fault:
            return fault


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return Written(tmp_path_factory.mktemp("demo"), 60)


@pytest.mark.parametrize("seed", range(25))
def test_each_attack_gets_its_verdict(written: Written, seed: int) -> None:
    codes = []
    for attack in written.attacks(seed):
        found = written.verdict(attack)
        codes.append(found.code if isinstance(found, HistoryError) else "valid")
        assert differences(attack, found) == []
    assert codes[0] in ("SignatureInvalid", "SignatureNotCanonical", "ClaimForm", "BodyMismatch")
    assert codes[1:] == ["ContextAhead", "ContextAhead", "ContextForked", "valid", "HeadStale"]


def test_the_stranger_is_enrolled_and_its_message_alone_is_faultless(written: Written) -> None:
    insert = written.attacks(1)[3]
    must_be = insert.must_be
    assert not isinstance(must_be, int)
    found = written.verdict(insert)
    assert isinstance(found, HistoryError)
    report = found.report
    assert isinstance(report, dict)
    # Not at the message itself: only what the next author signed shows that it does not belong there.
    assert report["first_fault"]["position"] == must_be.at + 2
    assert report["repairs"][0]["proven_by"]["position"] >= must_be.at + 2


def test_a_seed_picks_the_same_places_again(written: Written) -> None:
    first, again, other = ([(a.title, a.where, a.data) for a in written.attacks(seed)] for seed in (3, 3, 4))
    without_keys = [row for row in first if row[0] != "A message is slipped in, well signed by an enrolled stranger"]
    assert without_keys == [row for row in again if row[0] in {title for title, *_ in without_keys}]
    assert [where for _, where, _ in first] == [where for _, where, _ in again]
    assert first != other


def test_another_verdict_is_noticed(written: Written) -> None:
    all_of_them = written.attacks(2)
    honest = verify_conversation(written.data, written.directory)
    verdicts = [(attack, written.verdict(attack)) for attack in all_of_them]
    for attack in all_of_them:
        assert differences(attack, honest)
        for other, found in verdicts:
            assert bool(differences(attack, found)) == (attack is not other)
    bare = error("ContextForked", "a", "b")
    assert isinstance(bare, HistoryError)
    assert differences(all_of_them[3], bare)


# -- the whole -------------------------------------------------------------------------------------------------------------


def test_it_runs_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--jsonl", str(lines(tmp_path, 40)), "--seed", "3"]) == 0
    out = capsys.readouterr().out
    assert "All 6 attacks got exactly the verdict that they must get." in out
    assert "fewer than 10,000" in out
    assert "\x1b" not in out
    assert all(len(line) <= 80 for line in out.splitlines())
    for code in (
        *("ContextAhead", "ContextForked", "HeadStale", "tail: unchecked"),
        *("GrantPlace", "GrantScope", "SeqUsed", "RecordPosition", "CheckpointForked"),
        *("StepNeeds", "NoteOnly", "ApprovalInvalid", "Latched", "MessageUndone", "RollbackPivot"),
    ):
        assert code in out


def test_kept_files_answer_as_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "kept files"
    arguments = ["--jsonl", str(lines(tmp_path, 40)), "--keep", str(folder), "--seed", "3"]
    assert program.main(arguments) == 0
    out = capsys.readouterr().out
    commands = [shlex.split(line) for line in out.splitlines() if "--directory" in line]
    realm = [shlex.split(line) for line in out.splitlines() if "realm.ama" in line]
    assert [(command[1], cli.run(command[1:])) for command in realm] == [("replay", 0), ("dag", 0)]
    work = [
        shlex.split(line)
        for line in out.splitlines()
        if " realm " in line and line.rstrip().endswith(("work.db'", "reference"))
    ]
    assert [(command[2], cli.run(command[1:])) for command in work] == [("verify", 0), ("log", 0)]
    statuses = {}
    for command in commands:
        statuses[command[1], Path(command[-1]).name, "--impl" in command] = cli.run(command[1:])
    capsys.readouterr()
    assert statuses.pop(("verify", "flipped.ama", False)) in (10, 11, 16)
    assert statuses == {
        ("verify", "conversation.ama", False): 0,
        ("verify", "conversation.ama", True): 0,
        ("verify", "dropped.ama", False): 14,
        ("verify", "swapped.ama", False): 14,
        ("verify", "inserted.ama", False): 14,
        ("verify", "cut.ama", False): 15,
        ("inspect", "conversation.ama", False): 0,
    }
    kept = {path.name for path in folder.iterdir()}
    assert {"orders.db", "orders.db.keys", "work.db", "work.db.keys"} <= kept
    assert sorted(name for name in kept if not name.startswith(("orders.db", "work.db"))) == sorted(
        [
            *(
                "conversation.ama",
                "cut.ama",
                "directory.json",
                "dropped.ama",
                "flipped.ama",
                "inserted.ama",
                "swapped.ama",
            ),
            *("one.exhibit", "equivocation.evidence", "realm.ama", "realm.head", "realm.svg"),
            *("workflow.svg", "instance.svg", "conversation.svg"),
        ]
    )
    assert program.main(arguments) == 21
    assert "FileExists" in capsys.readouterr().err


def test_too_short_a_conversation_is_a_clear_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--jsonl", str(lines(tmp_path, program.FEWEST - 1))]) == 20
    assert "at least 20 messages" in capsys.readouterr().err
    assert program.main(["--jsonl", str(lines(tmp_path, program.FEWEST)), "--seed", "1"]) == 0


@pytest.mark.parametrize(
    "arguments", [["--messages", "19"], ["--messages", "x"], ["--seed", "x"], ["--git", "a", "--mbox", "b"]]
)
def test_a_wrong_command_line_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        program.main(arguments)
    assert caught.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_a_verifier_that_accepts_everything_is_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    honest = verify_conversation
    answers: list[object] = []

    def blind(source: object, directory: Directory, **options: object) -> object:
        if not answers:
            answers.append(honest(source, directory, head=options["head"]))  # type: ignore[arg-type]
        return answers[0]

    monkeypatch.setattr(play, "verify_conversation", blind)
    assert program.main(["--jsonl", str(lines(tmp_path, 40))]) == 1
    assert "NOT what they must be" in capsys.readouterr().out


def test_a_fault_of_ours_is_status_70(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def raising(fault: Exception) -> object:
        def call(*_: object, **__: object) -> object:
            raise fault

        return call

    arguments = ["--jsonl", str(lines(tmp_path, 40))]
    for fault in (error("SignatureInvalid", "x", "y"), error("Internal", "x", "y"), ValueError("secret")):
        with monkeypatch.context() as patched:
            patched.setattr(play, "verify_conversation", raising(fault))
            assert program.main(arguments) == 70
        shown = capsys.readouterr()
        assert "Internal" in shown.err
        assert "secret" not in shown.err + shown.out
        assert "exactly the verdict" not in shown.out


@pytest.mark.slow
def test_the_whole_demonstration_from_the_outside() -> None:
    command = [sys.executable, "-m", "ama2sec.demo", "--messages", "600", "--seed", "11"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "80"}
    found = subprocess.run(command, capture_output=True, check=False, env=environment, timeout=300)
    assert (found.returncode, found.stderr) == (0, b"")
    assert b"All 6 attacks" in found.stdout
    assert found.stdout.isascii()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        told = running.stderr.read().decode()
    assert told.startswith("PipeClosed: ")
    assert told.count("\n") == 1
    assert running.returncode == 21
