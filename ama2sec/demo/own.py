"""The user's own conversations: a git repository, a mailbox, JSON lines. What stands in them is anybody's: read within bounds."""

from __future__ import annotations

import contextlib
import json
import mailbox
import subprocess
from collections import deque
from collections.abc import Iterator
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import parseaddr
from pathlib import Path
from typing import Any, Final

from ama2sec import _files
from ama2sec.demo.said import Said, date_ms
from ama2sec.errors import error

__all__ = ["git_log", "jsonl", "mbox"]

_MAX_LOG: Final = 512 << 20
_MAX_MAILBOX: Final = 1 << 30
_MAX_MAIL: Final = 1 << 20
_MAX_LINE: Final = 1 << 20
_MAX_AUTHOR: Final = 1024
# Nothing that a repository's own configuration says may run a program: no signature check, no pager, no fetch of what is missing.
_GIT_LOG: Final = (
    *("--no-pager", "-c", "core.fsmonitor=false", "-c", "protocol.allow=never"),
    *("log", "--reverse", "--no-show-signature", "--no-patch", "--no-color", "--encoding=UTF-8", "-z"),
    "--format=%at%n%an%n%B",
)


def git_log(path: Path, want: int) -> list[Said]:
    """The latest ``want`` commits of the branch that is checked out, oldest first."""
    command = ["git", "-C", str(path), *_GIT_LOG, f"--max-count={want}", "HEAD", "--"]
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as running:  # noqa: S603
            shown = b"" if running.stdout is None else running.stdout.read(_MAX_LOG + 1)
            if len(shown) > _MAX_LOG:
                running.kill()
                raise error("SizeLimit", f"a log of at most {_MAX_LOG} bytes", "a longer one; ask for fewer --messages")
    except OSError as fault:
        raise _files.unreadable("git", fault) from None
    if running.returncode != 0:
        raise error(
            "FileUnreadable", f"a git repository with commits at {str(path)!r}", "git's refusal to show its log"
        )
    return [_commit(record) for record in shown.decode("utf-8", "replace").split("\0") if record]


def _commit(record: str) -> Said:
    when, _, rest = record.partition("\n")
    author, _, text = rest.partition("\n")
    return Said.of(author[:_MAX_AUTHOR], text, _whole(when) * 1000)


def _whole(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:
        return -1


def mbox(path: Path, want: int) -> list[Said]:
    """The latest ``want`` messages of a mailbox by date; one without a date stays behind the one before it in the file."""
    ordered: list[tuple[int, int, Said]] = []
    latest = 0
    try:
        if path.stat().st_size > _MAX_MAILBOX:
            raise error("SizeLimit", f"a mailbox of at most {_MAX_MAILBOX} bytes", "a larger one")
        with contextlib.closing(mailbox.mbox(path, create=False)) as box:
            for number in box.keys():  # noqa: SIM118  iterating over the box itself would parse whole mails, without bounds
                with contextlib.closing(box.get_file(number)) as file:
                    said = _mail(file.read(_MAX_MAIL))
                latest = latest if said.time_ms is None else said.time_ms
                ordered.append((latest, len(ordered), said))
    except mailbox.Error:
        raise error("FileUnreadable", f"a mailbox at {str(path)!r}", "none") from None
    except OSError as fault:
        raise _files.unreadable(path, fault) from None
    return [said for _, _, said in sorted(ordered, key=lambda row: row[:2])][-want:]


def _mail(data: bytes) -> Said:
    """Broken mail is read as far as it can be: somebody sent it."""
    headers = BytesHeaderParser().parsebytes(data)
    name, address = parseaddr(_decoded(str(headers.get("from", ""))))
    try:
        text = next(_texts(message_from_bytes(data)), "")
    except (RecursionError, ValueError, LookupError, TypeError):
        text = ""  # nested too deeply, or what its headers say of it cannot be followed
    return Said.of((name or address or "unknown")[:_MAX_AUTHOR], text, date_ms(str(headers.get("date", ""))))


def _decoded(header: str) -> str:
    try:
        return str(make_header(decode_header(header)))
    except (ValueError, LookupError, HeaderParseError):
        return header


def _texts(message: Message) -> Iterator[str]:
    for part in message.walk():
        if part.get_content_maintype() == "text":
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes):
                yield payload.decode("utf-8", "replace")


def jsonl(path: Path, want: int) -> list[Said]:
    """The last ``want`` of the lines ``{"author": text, "text": text, "time_ms"?: int}``. Every line must be one."""
    turns: deque[Said] = deque(maxlen=want)
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(_MAX_LINE + 1):
                number += 1
                if line.strip():
                    turns.append(_line(line, number))
    except OSError as fault:
        raise _files.unreadable(path, fault) from None
    return list(turns)


def _line(line: bytes, number: int) -> Said:
    wrong = error("ArgumentRange", '{"author": text, "text": text, "time_ms"?: whole number}', f"line {number}")
    if len(line) > _MAX_LINE:
        raise error("SizeLimit", f"lines of at most {_MAX_LINE} bytes", f"line {number}")
    try:
        found: Any = json.loads(line)
        known = isinstance(found, dict) and {"author", "text"} <= set(found) <= {"author", "text", "time_ms"}
        author, text, time_ms = (found["author"], found["text"], found.get("time_ms")) if known else (None, None, None)
        if type(author) is not str or type(text) is not str or type(time_ms) not in (int, type(None)):
            raise wrong
        if not 1 <= len(author) <= _MAX_AUTHOR:
            raise wrong
        # A lone surrogate is no text.
        (author + text).encode()
    except (ValueError, RecursionError):
        raise wrong from None
    return Said.of(author, text, time_ms)
