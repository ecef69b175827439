"""What came from a realm elsewhere, verified without it (spec record.4, agent.7)."""

from __future__ import annotations

from pathlib import Path

import pytest

from ama2sec import Id, Realm, verify_export
from ama2sec.errors import Ama2Error
from ama2sec.limits import MAX_BODY
from tests.on_loop import on_loop, take

SIZES = (0, 1, 23, 24, 255, 256, 65_535, 65_536, MAX_BODY)


async def told() -> tuple[bytes, bytes, Id, Id, str]:
    """A realm with bodies of every width of their length, and a rejected entry: all of it, one conversation, and what to keep."""
    async with Realm.dev() as realm:
        a, b, c = [await realm.agent(name) for name in "abc"]
        chat = (await a.send("open", to="b")).conversation
        for size in SIZES:
            await chat.send(b"x" * size, to="b")
        with pytest.raises(Ama2Error):
            await c.send("intruding", conversation=chat.id)
        await c.send("elsewhere", to="a")
        await take(b, 1)
        await b.conversation(chat.id).send({"ok": True}, to="a")
        return realm.export(), realm.export(chat), realm.id, chat.id, realm.head()


@on_loop
async def test_an_export_gives_its_messages_with_sender_body_and_place(tmp_path: Path) -> None:
    whole, part, realm, chat, head = await told()
    (tmp_path / "whole.ama").write_bytes(whole)
    found = verify_export(tmp_path / "whole.ama", realm=realm, head=head)
    assert (found.verified.realm_state, found.verified.tail) == ("checked", "checked")
    ours = [message for message in found.messages if message.node.home is not None or message.node.code]
    assert [message.node.position for message in ours] == sorted(message.node.position for message in ours)
    bodies = [message.body for message in ours if message.media_type == "application/octet-stream"]
    assert bodies == [b"x" * size for size in SIZES]
    (rejected,) = [message for message in ours if message.node.code]
    assert (rejected.node.code, rejected.sender, rejected.body) == ("NotAMember", "c", None)
    with pytest.raises(Ama2Error) as caught:
        rejected.json()
    assert caught.value.code == "BodyMissing"
    assert (ours[0].text, ours[0].sender, ours[-1].sender, ours[-1].json()) == ("open", "a", "b", {"ok": True})
    assert (ours[-1].node.size, found.dag(chat).is_ancestor(ours[0].id, ours[-1].id)) == (1, True)
    only = verify_export(part, realm=realm, conversation=chat)
    assert [message.id for message in only.messages] == [message.id for message in ours if message.body != b"elsewhere"]


@on_loop
async def test_an_export_that_was_altered_or_cut_is_named() -> None:
    whole, _, realm, _, head = await told()
    at = whole.index(b"elsewhere")
    for data, code in [
        (whole[:at] + b"E" + whole[at + 1 :], "BodyMismatch"),
        (whole[:-1000], "Truncated"),
        (b"", "Truncated"),
    ]:
        with pytest.raises(Ama2Error) as caught:
            verify_export(data, realm=realm, head=head)
        assert caught.value.code == code
    with pytest.raises(Ama2Error) as caught:
        verify_export(whole, realm=Id(b"\1" * 32))
    assert caught.value.code == "RealmOther"
    with pytest.raises(Ama2Error) as caught:
        verify_export("/nowhere/at/all")
    assert caught.value.code == "FileUnreadable"
