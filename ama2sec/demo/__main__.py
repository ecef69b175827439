"""Sign a real conversation, verify it with two implementations, attack it, and
show what the verifier says.

Exit status: 0 every verdict was the one that it must be; 1 at least one was
not; 2 a wrong command line; else what `ama2sec` itself answers: 20 and 21 the
caller's fault (too short a conversation, no such file), 70 a fault of this
software.
"""

from __future__ import annotations

import argparse
import os
import random
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Final

from ama2sec import _files
from ama2sec.cli import guarded
from ama2sec.demo import machine, own
from ama2sec.demo.attacks import Attack
from ama2sec.demo.play import Play
from ama2sec.demo.realm import REALM, REALM_HEAD
from ama2sec.demo.said import Said
from ama2sec.demo.screen import Screen
from ama2sec.demo.story import STORY
from ama2sec.errors import error

WANT: Final = 12_000
FEWEST: Final = 20
MOST: Final = 1_000_000


def main(arguments: list[str]) -> int:
    """Run the demonstration; returns the exit status."""
    return guarded(lambda: _run(arguments))


def _run(arguments: list[str]) -> int:
    options = _options(arguments)
    screen = Screen()
    screen.say("ama2sec: a real conversation, signed, verified twice, and attacked", style="bold")
    with screen.waiting("looking for a conversation"):
        title, turns = _gather(options)
    if len(turns) < FEWEST:
        raise error("ArgumentRange", f"a conversation of at least {FEWEST} messages", f"{len(turns)}")
    people = len({said.author for said in turns})
    screen.say(f"{len(turns):,} {title}; {people:,} author{'s' * (people > 1)}; seed {options.seed}")
    if len(turns) < machine.ENOUGH <= options.messages:
        screen.say(f"That is all there is: fewer than {machine.ENOUGH:,}.")
    with tempfile.TemporaryDirectory(prefix="ama2sec-demo-") as temporary:
        play = Play(screen, Path(temporary) if options.keep is None else _new_folder(options.keep), options.seed)
        wrong, head, made = play.run(turns)
        screen.title("Result")
        if options.keep is not None:
            _keep(screen, play, str(head), made)
        else:
            screen.say("The files and the pictures go with this run; --keep DIR keeps them.")
    if wrong:
        screen.say(f"{wrong} answers are NOT what they must be: please report this.", style="bold red")
        return 1
    screen.say(f"All {len(made)} attacks got exactly the verdict that they must get.", style="bold green")
    screen.say("Keep the head, 40 bytes, and nothing up to it can be changed or cut off unseen:")
    screen.line(f"  {head}")
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m ama2sec.demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, help="picks where the attacks strike (default: another place each time)")
    parser.add_argument("--messages", type=_count, default=WANT, help=f"at most so many messages ({WANT})")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--git", type=Path, metavar="PATH", help="take the commits of this git repository")
    group.add_argument("--mbox", type=Path, metavar="PATH", help="take the mails of this mailbox")
    group.add_argument(
        "--jsonl", type=Path, metavar="PATH", help='take lines {"author": text, "text": text, "time_ms"?: int}'
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the files in this new folder")
    options = parser.parse_args(arguments)
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1_000_000)
    return options


def _count(text: str) -> int:
    count = int(text)
    if not FEWEST <= count <= MOST:
        raise argparse.ArgumentTypeError(f"from {FEWEST} to {MOST}")
    return count


def _gather(options: argparse.Namespace) -> tuple[str, list[Said]]:
    want = options.messages
    if options.git is not None:
        return "commits of a git repository", own.git_log(options.git, want)
    if options.mbox is not None:
        return "mails of a mailbox", own.mbox(options.mbox, want)
    if options.jsonl is not None:
        return "JSON lines", own.jsonl(options.jsonl, want)
    return machine.find(want)


def _new_folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True)
    except FileExistsError:
        raise error("FileExists", f"no folder at {os.fspath(path)!r}", "one whose files might be mistaken") from None
    except OSError as fault:
        raise error("WriteFailed", f"to make the folder {os.fspath(path)!r}", fault.strerror or "a fault") from None
    return path


def _keep(screen: Screen, play: Play, head: str, made: list[Attack]) -> None:
    """Leave the tampered files there as well, and say how to look at all of them. The private keys are gone."""
    screen.say(
        "Kept, to try yourself (no private key of the conversation was written anywhere; the realm in a file has its own beside it):"
    )
    verify = [_program(), "verify", "--directory", str(play.directory_file)]
    commands = [[*verify, "--head", head, str(play.conversation)]]
    for attack in {attack.name: attack for attack in made}.values():
        path = play.folder / f"{attack.name}.ama"
        _files.write_whole(path, attack.data, replace=False)
        commands.append([*verify, "--head", head, str(path)] if attack.with_head else [*verify, str(path)])
    commands.append([*verify, "--impl", "reference", "--head", head, str(play.conversation)])
    inspect = [_program(), "inspect", "--at", "7", "--directory", str(play.directory_file), str(play.conversation)]
    realm = play.folder / REALM
    commands.append([_program(), "replay", "--checkpoint", str(play.folder / REALM_HEAD), str(realm)])
    commands.append([_program(), "dag", str(realm)])
    work = str(play.folder / STORY)
    commands.append([_program(), "realm", "verify", work, "--impl", "reference"])
    commands.append([_program(), "realm", "log", work])
    for command in [*commands, inspect]:
        screen.line(f"  {shlex.join(command)}")


def _program() -> str:
    """The command as this very installation has it."""
    beside = Path(sys.executable).with_name("ama2sec")
    return os.path.relpath(beside) if beside.exists() else "ama2sec"


if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(main(sys.argv[1:]))
