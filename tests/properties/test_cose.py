"""An envelope is COSE_Sign1 as others read it: `cwt`, in an environment of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ama2sec import verify
from tests.attacks.target import DIRECTORY
from tests.conftest import identity
from tests.vectors.making.cbor import encode
from tests.vectors.making.claims import full_message, message, opening
from tests.vectors.making.envelope import TYP, seal
from tests.vectors.making.people import ALICE, BOB

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]

PROGRAM = """
import json, sys
from cwt import COSE, COSEKey, CWTError
asked = json.load(sys.stdin)
kid, public, seed = (bytes.fromhex(asked[name]) for name in ("kid", "public", "seed"))
key = COSEKey.new({1: 1, 2: kid, 3: -19, -1: 6, -2: public})
signer = COSEKey.new({1: 1, 2: kid, 3: -19, -1: 6, -2: public, -4: seed})
answers = []
for text in asked["envelopes"]:
    try:
        protected, unprotected, payload = COSE.new().decode_with_headers(bytes.fromhex(text), key)
    except (CWTError, ValueError):
        answers.append("refused")
        continue
    made = COSE.new().encode(payload, signer, protected=protected)
    answers.append({"alg": protected[1], "kid": protected[4].hex(), "typ": protected[16], "unprotected": len(unprotected),
                    "payload": payload.hex(), "made": made.hex()})
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cwt")
    subprocess.run([sys.executable, "-m", "venv", root], check=True)
    lock = REPOSITORY / "requirements" / "cwt.txt"
    command = [root / "bin" / "python", "-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", lock]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return root / "bin" / "python"


def test_another_library_verifies_our_envelopes_and_makes_the_same_bytes(python: Path) -> None:
    own = identity("alice", 1).sign(b"hello", to=["bob"]).envelope
    claims = [message(), opening(), full_message()]
    good = [own, *map(seal, claims)]
    flipped = [bytes([*own[:at], own[at] ^ 1, *own[at + 1 :]]) for at in (len(own) - 1, len(own) - 64, len(own) - 70)]
    asked = {
        "kid": ALICE.kid.hex(), "public": ALICE.public.hex(), "seed": ALICE.seed.hex(),
        "envelopes": [each.hex() for each in [*good, *flipped, seal(message(author=BOB), BOB)]],
    }  # fmt: skip
    done = subprocess.run(
        [python, "-I", "-c", PROGRAM], input=json.dumps(asked), capture_output=True, text=True, check=True, timeout=60
    )
    answers = json.loads(done.stdout)
    assert answers[len(good) :] == ["refused"] * 4
    for envelope, answer in zip(good, answers, strict=False):
        assert (answer["alg"], answer["kid"], answer["typ"], answer["unprotected"]) == (-19, ALICE.kid.hex(), TYP, 0)
        # Signing is deterministic: another library's envelope over the same claims is ours, byte for byte.
        assert answer["made"] == envelope.hex()
        assert verify(bytes.fromhex(answer["made"]), DIRECTORY).sender == "alice"
    assert [answer["payload"] for answer in answers[1:4]] == [encode(each).hex() for each in claims]
