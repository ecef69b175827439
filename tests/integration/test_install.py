"""What a user installs, from an sdist and from the folder: built as pip builds it, imported far from the repository."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ama2sec import Definition

REPOSITORY = Path(__file__).parents[2]

pytestmark = pytest.mark.slow

ROUND_TRIP = """
import json, sys
import ama2sec
loaded = sorted({"typer", "rich", "nacl", "cryptography", "blake3"} & set(sys.modules))
from ama2sec import Directory, Identity, hazmat, verify
alice = Identity.generate("alice")
directory = Directory()
directory.enrol(alice.public, name="alice", purpose="message")
message = verify(alice.sign(b"hello", to=["bob"]).to_bytes(), directory)
print(json.dumps({
    "file": ama2sec.__file__, "core": ama2sec._native._core.__file__, "version": ama2sec.__version__, "loaded": loaded,
    "backend": hazmat.backend(), "sender": message.sender, "body": message.body.decode(),
}))
"""


@dataclass(frozen=True)
class Installed:
    """A fresh environment with the package in it."""

    root: Path
    log: str

    @property
    def python(self) -> Path:
        return self.root / "bin" / "python"

    @property
    def package(self) -> Path:
        return next(self.root.glob("lib/python*/site-packages/ama2sec"))

    def run(self, *arguments: str) -> str:
        # -I: neither the current folder nor anything in the environment adds to the path.
        done = subprocess.run(
            [self.python, "-I", *arguments], cwd=self.root, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for everything that is built here.

    Both builds share the compiled dependencies, and begin with those of the repository: cargo takes what was built from the same sources
    with the same flags, and builds the rest, our own crates among it.
    """
    root = tmp_path_factory.mktemp("install")
    for part in (".fingerprint", "build", "deps"):
        built = REPOSITORY / "native" / "target" / "release" / part
        if built.is_dir():
            shutil.copytree(built, root / "target" / "release" / part, ignore=shutil.ignore_patterns("*ama2sec*"))
    yield root
    shutil.rmtree(root, ignore_errors=True)


def environment(workshop: Path) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.endswith("RUSTFLAGS") and name != "VIRTUAL_ENV"
    }
    # Without the cache: pip would otherwise hand out a wheel that it built from an earlier sdist of the same name.
    return kept | {
        "CARGO_TARGET_DIR": str(workshop / "target"),
        "PIP_NO_CACHE_DIR": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def run(workshop: Path, *command: str | Path) -> str:
    done = subprocess.run(
        command,
        cwd=workshop,
        env=environment(workshop),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def install(workshop: Path, name: str, source: Path) -> Installed:
    root = workshop / name
    run(workshop, sys.executable, "-m", "venv", root)
    log = run(workshop, root / "bin" / "python", "-m", "pip", "install", "--no-deps", source)
    return Installed(root, log)


@pytest.fixture(scope="module")
def sdist(workshop: Path) -> Path:
    maturin = Path(sys.executable).parent / "maturin"
    run(
        workshop,
        maturin,
        "sdist",
        "--manifest-path",
        REPOSITORY / "native" / "python" / "Cargo.toml",
        "--out",
        workshop,
    )
    (made,) = workshop.glob("ama2sec-*.tar.gz")
    return made


@pytest.fixture(scope="module", params=["sdist", "folder"])
def installed(request: pytest.FixtureRequest, workshop: Path, sdist: Path) -> Installed:
    return install(workshop, request.param, sdist if request.param == "sdist" else REPOSITORY)


def expected_backend() -> str:
    """What this processor can do, asked from the operating system and not from the code under test."""
    if platform.machine().lower() not in {"x86_64", "amd64"}:
        return "serial"
    described = Path("/proc/cpuinfo")
    if not described.exists():
        pytest.skip("this system does not say what its processor can do")
    line = next(line for line in described.read_text().splitlines() if line.startswith("flags"))
    flags = set(line.split())
    if {"avx512ifma", "avx512vl"} <= flags:
        return "avx512ifma"
    return "avx2" if "avx2" in flags else "serial"


def test_signs_verifies_and_runs_the_fastest_code_of_this_processor(installed: Installed) -> None:
    seen: dict[str, Any] = json.loads(installed.run("-c", ROUND_TRIP))
    assert Path(seen["file"]).is_relative_to(installed.root)
    assert Path(seen["core"]).is_relative_to(installed.root)
    assert seen["version"] == installed.run("-c", "import importlib.metadata as m; print(m.version('ama2sec'))").strip()
    assert (seen["sender"], seen["body"]) == ("alice", "hello")
    assert seen["loaded"] == [], "import ama2sec stays small"
    assert seen["backend"] == expected_backend()


def test_carries_types_and_licence_and_nothing_else(installed: Installed) -> None:
    package = installed.package
    for name in ("py.typed", "_native/_core.pyi", *(f"workflows/{name}.yaml" for name in Definition.examples())):
        assert (package / name).is_file(), name
    assert len(list(package.rglob("*.so"))) == 1
    (about,) = package.parent.glob("ama2sec-*.dist-info")
    assert (about / "licenses" / "LICENSE").read_bytes() == (REPOSITORY / "LICENSE").read_bytes()
    rooms = {path.name for path in package.parent.iterdir()}
    assert not rooms & {"native", "tests", "audits", "fuzz", "docs"}


def test_the_runtime_lock_is_all_that_it_needs(workshop: Path, installed: Installed) -> None:
    lock = REPOSITORY / "requirements" / "runtime.txt"
    run(workshop, installed.python, "-m", "pip", "install", "--require-hashes", "--requirement", lock)
    assert "No broken requirements" in run(workshop, installed.python, "-m", "pip", "check")
    # With its extra: the examples that came with it are read where it is installed.
    told = "from ama2sec import Definition; print(*(Definition.shipped(name).id for name in Definition.examples()))"
    assert installed.run("-c", told).split() == [str(Definition.shipped(name).id) for name in Definition.examples()]
    for room in ("cli", "reference"):
        if importlib.util.find_spec(f"ama2sec.{room}") is not None:
            installed.run("-c", f"import ama2sec.{room}")
    if importlib.util.find_spec("ama2sec.cli") is not None:
        assert "keygen" in run(workshop, installed.root / "bin" / "ama2sec", "--help")


def test_the_sdist_holds_what_a_build_needs_and_no_compiled_code(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {".cargo/config.toml", "native/Cargo.lock", "native/core/build.rs", "LICENSE"} <= names
    assert not [name for name in names if name.endswith((".so", ".pyc", ".key")) or name.startswith((".git", ".venv"))]


@pytest.mark.parametrize(
    ("arch", "backend", "refused"),
    [("x86_64", None, True), ("x86_64", "avx512", False), ("x86_64", "serial", False), ("aarch64", None, False)],
)
def test_a_build_that_lost_the_flags_says_so(tmp_path: Path, arch: str, backend: str | None, refused: bool) -> None:
    script = tmp_path / "build-script"
    subprocess.run(
        ["rustc", "--edition", "2024", REPOSITORY / "native" / "core" / "build.rs", "-o", script],
        check=True,
        timeout=120,
    )
    told = {"CARGO_CFG_TARGET_ARCH": arch} | ({"CARGO_CFG_CURVE25519_DALEK_BACKEND": backend} if backend else {})
    said = subprocess.run([script], env=told, capture_output=True, text=True, check=True, timeout=60).stdout
    assert ("cargo::error=" in said) == refused
    assert ("RUSTFLAGS" in said.partition("cargo::error=")[2]) == refused
