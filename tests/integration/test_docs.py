"""Every example in README.md and docs/ runs, and shows what it is said to show.

``python`` fences of one page run one after the other in one namespace. ``console`` fences are run line by line in bash: each command
succeeds unless the next line is ``$ echo $?``; what it prints is compared, random keys and the time of day aside; a line ``...``
stands for any lines. Commands in indented blocks only have to succeed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ama2sec import Conversation
from tests.shell import REPOSITORY, environment

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(python|console)\n(.*?)^```$|((?:^    \S[^\n]*\n)+)", re.MULTILINE | re.DOTALL)
MARK = "@@status"

# What differs from run to run: ids and keys, short ids, moments, numbers of this moment.
RANDOM = [
    (re.compile(r"[0-9a-f]{64,}"), "<hex>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<hex>"),
    (re.compile(r"z6Mk[1-9A-HJ-NP-Za-km-z]{44}"), "<did>"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT[\d:.+]+"), "<moment>"),
    (re.compile(r"\b1\d{12}\b(, \d+)?"), "<now>"),
    (re.compile(r"(?<=[( ])[0-9a-f]{8}(?=\))"), "<id>"),
    # The author's random number takes one to three bytes.
    (re.compile(r"\d+ bytes of envelope; \d+|\((?:at )?byte \d+\)|(?<=\"offset\": )\d+"), "<bytes>"),
]


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    for found in FENCE.finditer(page.read_text()):
        kind, text, indented = found.groups()
        if kind is not None:
            yield kind, text
        elif indented.lstrip().startswith("$ "):
            yield "indented", "".join(line[4:] + "\n" for line in indented.splitlines())


def commands(text: str) -> list[tuple[str, list[str]]]:
    """Each command of a transcript with the lines that it is said to print."""
    listed: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            listed.append((line[2:], []))
        elif line.startswith("> ") and not listed[-1][1]:
            listed[-1] = (listed[-1][0] + "\n" + line[2:], [])
        else:
            listed[-1][1].append(line)
    return listed


def run(listed: list[str], folder: Path) -> list[tuple[int, list[str]]]:
    """Status and lines of each command; one shell runs all of them."""
    script = "\n".join(f"{command}\n__status=$?; echo; echo {MARK} $__status; (exit $__status)" for command in listed)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=environment(
            PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            AMA2SEC_PASSPHRASE_FILE=str(folder / ".pass"),
            LC_ALL="C.UTF-8",
        ),
    )
    parts = re.split(rf"\n{MARK} (\d+)\n", done.stdout)
    return [(int(status), out.splitlines()) for out, status in zip(parts[::2], parts[1::2], strict=False)]


def masked(lines: list[str]) -> list[str]:
    text = "\n".join(lines).rstrip()
    for pattern, name in RANDOM:
        text = pattern.sub(name, text)
    return text.splitlines()


def same(wanted: list[str], found: list[str]) -> bool:
    if "..." not in wanted:
        return wanted == found
    place = wanted.index("...")
    before, after = wanted[:place], wanted[place + 1 :]
    assert "..." not in after, "one elision a command"
    return (
        len(found) >= len(before) + len(after) and found[:place] == before and found[len(found) - len(after) :] == after
    )


def check_transcript(kind: str, text: str, folder: Path) -> None:
    listed = commands(text)
    if all(command.startswith(("make ", "git ")) for command, _ in listed):
        return
    # Passphrases are asked for on a terminal; here they are in a file.
    (folder / ".pass").write_text("correct horse\n")
    (folder / ".pass").chmod(0o600)
    results = run([command for command, _ in listed], folder)
    assert len(results) == len(listed)
    for number, ((command, wanted), (status, found)) in enumerate(zip(listed, results, strict=True)):
        asked = number + 1 < len(listed) and listed[number + 1][0] == "echo $?"
        assert status == 0 or asked, (command, found)
        if kind == "console":
            assert same(masked(wanted), masked(found)), (command, "said:", masked(wanted), "found:", masked(found))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "__main__"}
    found = list(blocks(page))
    for kind, text in found:
        if kind == "python":
            exec(compile(text, str(page), "exec"), namespace)
        else:
            check_transcript(kind, text, tmp_path)
    for value in list(namespace.values()):
        if isinstance(value, Conversation):
            value.close()


def test_the_pages_hold_what_is_tested_here() -> None:
    kinds = {page.name: [kind for kind, _ in blocks(page)] for page in PAGES}
    assert kinds["README.md"].count("python") >= 2
    assert "indented" in kinds["README.md"]
    assert kinds["cli.md"].count("console") >= 7


@pytest.mark.parametrize(
    "page",
    [*PAGES, *map(REPOSITORY.joinpath, ("SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"))],
    ids=lambda p: p.name,
)
def test_no_link_leads_nowhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith("https://"):
            assert (page.parent / target).exists(), target


def test_every_command_and_every_status_is_in_the_page_of_the_command_line() -> None:
    from ama2sec.errors import FAMILIES

    text = (REPOSITORY / "docs" / "cli.md").read_text()
    for command in (
        "keygen",
        "id",
        "directory",
        "sign",
        "verify",
        "inspect",
        "tree",
        "realm",
        "replay",
        "dag",
        "head",
        "workflow",
        "errors",
    ):
        assert f"## {command}\n" in text, command
    for family in FAMILIES.values():
        assert f"| {family.exit_code} |" in text, family
