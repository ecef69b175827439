"""Sign and verify, one call at a time, against PyNaCl, cryptography and PyJWT. Peers' objects are built outside the loop."""

from __future__ import annotations

import os

import jwt
import nacl.signing
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ama2sec import Directory, Identity, hazmat, verify
from tests.benchmarks.harness import interleaved, report

FLOORS = {
    "avx512ifma": {"PyNaCl": 2.3, "cryptography": 3.5},
    "avx2": {"PyNaCl": 1.45, "cryptography": 2.2},
}


def run() -> None:
    message = os.urandom(1024)
    ours = Identity.generate("bench")
    theirs = nacl.signing.SigningKey.generate()
    pyca = Ed25519PrivateKey.generate()
    signature = hazmat.ed25519_sign(ours, message)
    nacl_signature = theirs.sign(message).signature
    pyca_signature = pyca.sign(message)
    public, nacl_public, pyca_public = ours.public, theirs.verify_key, pyca.public_key()
    backend = hazmat.backend()
    timings = interleaved(
        {
            "ama2sec": lambda: hazmat.ed25519_verify(public, message, signature),
            "PyNaCl": lambda: nacl_public.verify(message, nacl_signature),
            "cryptography": lambda: pyca_public.verify(pyca_signature, message),
        }
    )
    report(f"verify 1 KiB by an enrolled key ({backend})", timings, "ama2sec", FLOORS.get(backend, {}))
    timings = interleaved(
        {
            "ama2sec": lambda: hazmat.ed25519_sign(ours, message),
            "PyNaCl": lambda: theirs.sign(message),
            "cryptography": lambda: pyca.sign(message),
        }
    )
    report("sign 1 KiB", timings, "ama2sec", {"PyNaCl": 1.1, "cryptography": 1.4})
    _whole_messages(ours, theirs, pyca)


def _whole_messages(ours: Identity, theirs: nacl.signing.SigningKey, pyca: Ed25519PrivateKey) -> None:
    body = os.urandom(256 * 1024)
    commitment = interleaved({"ama2sec": lambda: ours.sign(body), "PyNaCl": lambda: theirs.sign(body)}, rounds=21)
    report(
        "sign a message with a 256 KiB body, hashing it included (PyNaCl: the raw body)",
        commitment,
        "ama2sec",
        {"PyNaCl": 15.0},
    )
    directory = Directory()
    directory.enrol(ours.public, name="bench")
    envelope = ours.sign(b"x" * 64, to=["bob"]).to_bytes()
    token = jwt.encode({"sub": "bench", "aud": "bob", "data": "x" * 64}, pyca, algorithm="EdDSA")
    public = pyca.public_key()
    timings = interleaved(
        {
            "ama2sec": lambda: verify(envelope, directory),
            "PyJWT": lambda: jwt.decode(token, public, algorithms=["EdDSA"], audience="bob"),
        }
    )
    report("verify a whole message (PyJWT: a token)", timings, "ama2sec", {})
