"""`ticketing up`: everything in one process group on one folder, for trying and developing the service."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shlex
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import uvicorn

from ticketing import sealing
from ticketing.commands import demo
from ticketing.db import embedded, migrate, pool
from ticketing.ground.config import settings
from ticketing.ground.refused import Refused
from ticketing.processes import crew, serve, terminal

HOST = "127.0.0.1"
HOME = ".ticketing"
EXPECTED = "Name a folder that `ticketing up` made before, or an empty or new one, with --home or TICKETING_HOME."
DATA_OF_ROOT = Path("/var/lib/ticketing")


class CannotStart(Refused):
    """The folder cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What a user needs to know once everything runs."""

    url: str
    docs_url: str
    tokens: dict[str, str]
    environment: Path
    """The file that a shell reads to find the servers and the command."""


def run(port: int, home: Path | None, *, say: Callable[[str], None], announce: Callable[[Ready], None]) -> None:
    """Run everything until interrupted, on the data in `home` or, without one, on temporary data.

    Raises CannotListen, CannotStart, EmbeddedError, MigrationError.
    """
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.default_int_handler)
    terminal.end_with_terminal()
    try:
        with serve.listen(HOST, port) as listener, _claimed(home) as folder:
            say(f"Starting PostgreSQL and Valkey on {home} …" if home else "Starting PostgreSQL and Valkey …")
            with embedded.servers(home) as servers:
                _use(servers, folder, _url(listener))
                tokens = asyncio.run(_prepare(servers.database_url, folder, say))
                say("Starting the API and a worker …")
                with crew.kept([crew.Pulse()], []):
                    _serve(listener, tokens, folder / "environment", announce)
    except KeyboardInterrupt:
        say("Stopped.")


def default_home() -> Path:
    """`TICKETING_HOME`, or HOME in the working directory.

    If we are root and other users may not enter it, as in /root, it is a folder elsewhere: PostgreSQL does not run as
    root, and must reach it.
    """
    if (given := os.environ.get("TICKETING_HOME", "")).strip():
        return Path(given).absolute()
    home = Path(HOME).absolute()
    if os.geteuid() == 0 and not all(parent.stat().st_mode & 0o001 for parent in home.parents):
        return DATA_OF_ROOT / "-".join(home.parent.parts[1:])
    return home


@contextmanager
def _claimed(home: Path | None) -> Iterator[Path]:
    """The folder, locked for us; without one, a temporary one."""
    if home is None:
        with TemporaryDirectory(prefix="ticketing-up-", ignore_cleanup_errors=True) as temporary:
            yield Path(temporary)
        return
    _check_home(home)
    with open(os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+") as lock:
        os.fchmod(lock.fileno(), 0o600)  # An earlier release let others read it.
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            number = lock.read().strip()
            process = f", as process {number}" if number.isdecimal() else ""  # That of an earlier release wrote none.
            raise CannotStart(
                f"Another `ticketing up` runs on {home}{process}. "
                "Stop that first, or choose another folder with --home."
            ) from None
        lock.truncate()
        print(os.getpid(), file=lock, flush=True)
        yield home


def _check_home(home: Path) -> None:
    """Make the folder if it is not there. Raises CannotStart for a folder that holds something else."""
    try:
        # Root's servers run as another user, who must be able to pass through.
        home.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        found = {path.name for path in home.iterdir()}
    except (FileExistsError, NotADirectoryError):
        raise CannotStart(f"{home} is not a folder. {EXPECTED}") from None
    except OSError as error:
        raise CannotStart(f"{home} cannot be used: {error.strerror}. {EXPECTED}") from None
    # A start that was interrupted early has left no more than these two.
    begun = found <= {"lock", "postgres"} or (home / "postgres" / "lock").is_file()
    if found and not (begun and (home / "lock").is_file()):
        raise CannotStart(f"{home} holds something else already. {EXPECTED}")


def _use(servers: embedded.Servers, home: Path, url: str) -> None:
    """Make these servers the settings of this process, and of shells that read the file `environment`.

    What our own shell has read there before, perhaps of another folder, must not count: its key would be gone at the
    next start, and its port may be another one's.
    """
    keys = [_kept_key(home), *filter(None, os.environ.get("TICKETING_SECRET_KEYS", "").split(","))]
    given = os.environ.get("TICKETING_PUBLIC_URL", "")
    chosen = {
        "TICKETING_DATABASE_URL": servers.database_url,
        "TICKETING_REDIS_URL": servers.redis_url,
        "TICKETING_SECRET_KEYS": ",".join(dict.fromkeys(keys)),
        "TICKETING_PUBLIC_URL": url if given.startswith(f"http://{HOST}:") else given or url,
    }
    os.environ.update(chosen)
    os.environ.setdefault("TICKETING_LOG_FORMAT", "text")
    os.environ.setdefault("TICKETING_REGISTRATION", "open")
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in chosen.items()]
    lines.append(f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH\n")
    _write_private(home / "environment", "".join(lines).encode())


def _kept_key(home: Path) -> str:
    """The key that encrypts secrets: made at the first start, and needed at every later one."""
    path = home / "secret.key"
    if not path.exists():
        _write_private(path, sealing.new_key().encode())
    return path.read_text()


async def _prepare(database_url: str, home: Path, say: Callable[[str], None]) -> dict[str, str]:
    """Migrate, load the demo into an empty database, and return the tokens of its people.

    They are also whom a browser here may sign in as: a setting of this process alone, and not of shells.
    """
    # No process of an older release runs: all that use this database are about to start.
    await migrate.migrate(database_url, finish=True, say=say)
    async with pool.connected(database_url, 1), pool.connection() as conn:
        if await demo.load(conn):
            say("Loaded the demo data.")
        tokens = await demo.sign_in(conn, _kept_tokens(home))
        os.environ["TICKETING_DEMO_USERS"] = ",".join(map(str, await demo.accounts(conn)))
    settings.cache_clear()
    _write_private(home / "tokens.json", orjson.dumps(tokens, option=orjson.OPT_INDENT_2))
    return tokens


def _kept_tokens(home: Path) -> dict[str, str]:
    path = home / "tokens.json"
    tokens: dict[str, str] = orjson.loads(path.read_bytes()) if path.exists() else {}
    return tokens


def _write_private(path: Path, content: bytes) -> None:
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    new.replace(path)


def _url(listener: socket.socket) -> str:
    return f"http://{HOST}:{listener.getsockname()[1]}"


def _serve(
    listener: socket.socket, tokens: dict[str, str], environment: Path, announce: Callable[[Ready], None]
) -> None:
    url = _url(listener)
    ready = Ready(url, f"{url}/docs", tokens, environment)
    config = uvicorn.Config(**serve.UVICORN, log_level="warning")
    _AnnouncedServer(config, lambda: announce(ready)).run(sockets=[listener])


class _AnnouncedServer(uvicorn.Server):
    """A server that announces when it answers, and ends open streams when it is told to stop."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        from ticketing import app  # noqa: PLC0415 - loaded by now, and slow to load for commands that need it not

        app.leave()
        await super().shutdown(sockets)
