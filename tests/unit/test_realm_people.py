"""Keys beside a realm, and what its registry says of names (spec agent.1)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ama2sec import Id, Identity, Realm
from ama2sec.errors import Ama2Error
from ama2sec.realm.people import Keyring, Registry
from tests.on_loop import code_of, on_loop


@on_loop
async def test_what_is_known_of_names_is_what_the_registry_says() -> None:
    async with Realm.dev() as realm:
        for number in range(4):
            await realm.agent(f"a-{number}", groups=["everyone", f"group-{number % 2}"])
        await realm.revoke("a-1")
        await realm.agent("b", groups=["late"])
        await asyncio.gather(*(realm.enrol(Identity.generate(f"c-{number}"), ["crowd"]) for number in range(5)))
        known, asked = realm.registry(), Registry(realm.engine.ask("registry"))
        assert known.size == asked.size == realm.engine.registry_size
        for name in ["root", "sequencer", "b", *(f"a-{n}" for n in range(4)), *(f"c-{n}" for n in range(5)), "nobody"]:
            ours, theirs = known.named(name), asked.named(name)
            assert (ours is None) == (theirs is None) == (name in {"a-1", "nobody"})
            if ours is not None and theirs is not None:
                assert (ours.id, ours.key, ours.purpose, set(ours.groups)) == (
                    theirs.id,
                    theirs.key,
                    theirs.purpose,
                    set(theirs.groups),
                )
        assert known.groups == asked.groups == {"everyone", "group-0", "group-1", "late", "crowd"}


@on_loop
async def test_who_is_enrolled_twice_or_with_a_key_of_another() -> None:
    async with Realm.dev() as realm:
        one, two = Identity.generate("one"), Identity.generate("two")
        await realm.enrol(one)
        assert await code_of(realm.enrol(Identity.generate("one"))) == "NameEnrolled"
        assert await code_of(realm.enrol(one)) == "KeyEnrolled"
        assert await code_of(realm.enrol(two.offer(Id(b"\1" * 32)))) == "PossessionInvalid"
        assert await code_of(realm.enrol(two, ["no group!"])) == "NameForm"


def test_keys_are_kept_one_a_file_and_read_again(tmp_path: Path) -> None:
    ring = Keyring(tmp_path / "keys")
    ring.make()
    made = ring.add(Identity.generate("ada"))
    assert Keyring(tmp_path / "keys").get("ada").public == made.public
    for act, code in [
        (ring.make, "FileExists"),
        (lambda: ring.add(made), "FileExists"),
        (lambda: ring.get("ben"), "NameUnknown"),
        (lambda: ring.get("../ada"), "NameForm"),
        (ring.realm, "FileUnreadable"),
        (Keyring(None).realm, "ArgumentRange"),
    ]:
        with pytest.raises(Ama2Error) as caught:
            act()
        assert caught.value.code == code
    (tmp_path / "keys" / "ada.key").rename(tmp_path / "keys" / "ben.key")
    with pytest.raises(Ama2Error) as caught:
        Keyring(tmp_path / "keys").get("ben")
    assert caught.value.code == "KeyFileForm"


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    ring = Keyring(tmp_path / "keys")
    ring.make()
    ring.add(Identity.generate("ada"))
    (tmp_path / "keys" / "ada.key").chmod(0o644)
    with pytest.raises(Ama2Error) as caught:
        Keyring(tmp_path / "keys").get("ada")
    assert caught.value.code == "KeyFilePermissions"
