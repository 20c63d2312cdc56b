"""The command line: what each command does, and how it says that it cannot."""

from __future__ import annotations

import inspect
import json
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import Any, Literal, get_origin
from uuid import UUID

import httpx
import psycopg
import pytest
from cyclopts import App
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from conftest import await_, ended, environment, spawned
from pooling import pooled
from ticketing import __main__
from ticketing.access import bearer
from ticketing.commands import console, doctor
from ticketing.db import migrate, pool
from ticketing.ground import config
from ticketing.ground.config import InvalidSetting, Settings
from ticketing.jobs import kinds

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def url(new_database: Callable[..., str]) -> str:
    """A migrated database of its own."""
    return new_database()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command on a database, or without settings; gives its exit code and what it wrote."""

    def run(
        *arguments: str, url: str | None = None, redis_url: str = "redis://127.0.0.1:1/0", **given: Any
    ) -> tuple[int, str, str]:
        def settings() -> Settings:
            if url is None:
                raise InvalidSetting("TICKETING_DATABASE_URL is not set.")
            return Settings(database_url=url, redis_url=redis_url, **given)

        for module in (config, doctor, console):
            monkeypatch.setattr(module, "settings", settings)
        code = 0
        try:
            __main__.main(arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        written = capsys.readouterr()
        return code, written.out, written.err

    return run


def rows(url: str, query: str) -> list[dict[str, Any]]:
    with psycopg.connect(url, row_factory=dict_row) as conn:
        return conn.execute(query.encode()).fetchall()


IMPORTED = """
import sys
from ticketing import __main__
__main__.main(sys.argv[1:])
print(*{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""
OF_SERVERS = {"connexion", "starlette", "uvicorn", "dramatiq", "redis", "opentelemetry"}
OF_THE_DATABASE = {"psycopg", "psycopg_pool", "aiosql", "structlog", "prometheus_client", "yaml"}


@pytest.mark.parametrize(
    ("arguments", "others"),
    [
        ("--help", OF_SERVERS | OF_THE_DATABASE),
        ("serve --help", OF_SERVERS | OF_THE_DATABASE),
        *((f"{group} --help", OF_SERVERS) for group in ("user", "token", "project", "jobs", "import")),
    ],
)
def test_a_command_waits_for_no_library_of_another_one(arguments: str, others: set[str]) -> None:
    command = [sys.executable, "-c", IMPORTED, *arguments.split()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "Usage: ticketing" in done.stdout
    assert others.isdisjoint(done.stderr.split())


def test_a_command_on_the_database_waits_for_no_server_s_library(url: str) -> None:
    command = [sys.executable, "-c", IMPORTED, "user", "list"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TICKETING_")}
    environ["TICKETING_DATABASE_URL"] = url
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=environ)
    assert OF_SERVERS.isdisjoint(done.stderr.split())


def explained(app: App, *names: str) -> Iterator[tuple[str, ...]]:
    """Every command and group of commands, as it is typed."""
    yield names
    for name in app:
        if not name.startswith("-"):
            yield from explained(app[name], *names, name)


COMMANDS = [names for names in explained(__main__.app) if reduce(App.__getitem__, names, __main__.app).default_command]


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_by_an_example(run: Run, names: tuple[str, ...]) -> None:
    code, out, _ = run(*names, "--help")
    assert code == 0
    assert f"Usage: ticketing {' '.join(names)}" in out
    assert f"For example: ticketing {' '.join(names)}" in " ".join(out.split())


@pytest.mark.parametrize("names", list(explained(__main__.app)), ids=" ".join)
def test_command_lines_in_a_help_can_be_copied(
    run: Run, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = run(*names, "--help")
    lines = [line.strip("│ ") for line in out.splitlines()]
    command = reduce(App.__getitem__, names, __main__.app)
    docstring = inspect.cleandoc((command.default_command.__doc__ if command.default_command else None) or command.help)
    for block in re.findall(r"^    .*(?:\n    .*)*", docstring.partition("\nParameters\n---")[0], re.MULTILINE):
        for line in block.splitlines():
            assert line.strip() in lines
            assert shlex.split(line)[0] in ("ticketing", "gh"), "a command line, and nothing else, stands alone"
    for span in re.findall(r"`([^`]*)`", " ".join(docstring.split())):
        if span.startswith(("ticketing ", "gh ", ". ")):
            assert any(span in line for line in lines), f"{span} is broken; let it stand alone"
    assert not re.search(r": (?:ticketing|gh) \w", docstring), "a command line stands alone, so that it is not broken"


@pytest.mark.parametrize("command", ["user show", "user list --email", "jobs list --type", "token list --user"])
def test_an_argument_that_is_not_utf_8_is_refused_in_one_sentence(run: Run, url: str, command: str) -> None:
    assert run(*command.split(), "\udcff", url=url) == (1, "", "ticketing: An argument is not UTF-8.\n")


def test_what_a_terminal_cannot_show_ends_no_command(run: Run, url: str) -> None:
    assert run("user", "create", "--name", "Åsa 不具合", "--email", "a@example.com", url=url)[0] == 0
    environ = os.environ | {"TICKETING_DATABASE_URL": url, "PYTHONIOENCODING": "latin-1"}
    command = [sys.executable, "-m", "ticketing", "user", "list"]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, env=environ)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "Åsa \\u4e0d\\u5177\\u5408".encode("latin-1") in done.stdout


@pytest.mark.parametrize("arguments", ["doctor", "user list", "--help"])
def test_a_command_whose_reader_has_gone_ends_in_silence(url: str, arguments: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-m", "ticketing", *arguments.split()],
        stdout=writer,
        stderr=subprocess.PIPE,
        env=os.environ | {"TICKETING_DATABASE_URL": url, "TICKETING_REDIS_URL": "redis://127.0.0.1:1/0"},
        check=False,
    )
    os.close(writer)
    assert ended.stderr == b""
    assert ended.returncode != 0


def test_the_version_is_the_package_s(run: Run) -> None:
    assert run("--version")[1] == "0.1.0\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frobnicate"], "There is no command 'frobnicate'. There are doctor, import, "),
        (["sevre"], "There is no command 'sevre'; perhaps you mean serve."),
        (["--port", "80", "serve"], "There is no option --port here: options follow a command."),
        (["serve", "--prot", "80"], "There is no option --prot; perhaps you mean --port."),
        (["serve", "--port", "80a"], "--port takes a whole number from 0 to 65535, not '80a'."),
        (["serve", "--port"], "--port takes a whole number from 0 to 65535, and none is given."),
        (["serve", "8080"], "'8080' is one argument too many."),
        (["serve", "--port", "1", "--port", "2"], "--port is given twice."),
        (["user", "show"], "USER is missing."),
        (["user", "create", "--nmae", "x"], "--name is missing. There is no option --nmae."),
        (["jobs", "show", "x"], "JOB-ID takes an id such as "),
        (["user", "list", "--role", "boss"], "--role takes requester, agent or admin, not 'boss'."),
        (["frobnicate"], "Try `ticketing --help`."),
        (["import", "frobnicate"], "Try `ticketing import --help`."),
        (["import", "github"], "Try `ticketing import github --help`."),
        (["up", "--port", "many"], "--port"),
        (["serve", "--port", "65536"], "--port"),
        (["serve", "--workers", "0"], "--workers"),
        (["work", "--threads", "0"], "--threads"),
        (["user", "create"], "--name"),
        (["user", "create", "--name", "Ada", "--role", "emperor"], "--role"),
    ],
)
def test_a_wrong_call_ends_with_2_and_one_sentence(run: Run, arguments: list[str], message: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("ticketing: ")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", ["migrate", "serve", "user create --name Ada --service-account"])
def test_missing_settings_are_said_in_one_sentence(run: Run, command: str) -> None:
    assert run(*command.split()) == (1, "", "ticketing: TICKETING_DATABASE_URL is not set.\n")


def test_an_absent_database_is_said_in_one_sentence(run: Run) -> None:
    code, out, err = run("migrate", url="postgresql://127.0.0.1:1/none")
    assert (code, out) == (1, "")
    assert err.startswith("ticketing: PostgreSQL cannot be used: ")
    assert err.count("\n") == 1


def test_up_refuses_a_home_that_shall_be_ephemeral(run: Run) -> None:
    assert run("up", "--ephemeral", "--home", "here")[0] == 1


@pytest.mark.parametrize("home", ["", " "])
def test_up_refuses_an_empty_home(run: Run, home: str) -> None:
    assert run("up", "--home", home) == (
        1,
        "",
        "ticketing: --home is empty. Name a folder, or leave it out for the usual one.\n",
    )


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_an_unknown_option_names_the_help_of_its_command(run: Run, names: tuple[str, ...]) -> None:
    code, out, err = run(*names, "--frobnicate")
    assert (code, out) == (2, "")
    if "is missing" not in err:
        assert err.startswith("ticketing: There is no option --frobnicate. ")
    assert err.endswith(f" Try `ticketing {' '.join(names)} --help`.\n")


@pytest.mark.parametrize("names", sorted(set(explained(__main__.app)) - set(COMMANDS)), ids=" ".join)
def test_an_unknown_command_names_those_that_there_are(run: Run, names: tuple[str, ...]) -> None:
    code, _, err = run(*names, "frobnicate")
    assert code == 2
    for command in reduce(App.__getitem__, names, __main__.app):
        assert command.startswith("-") or command in err
    assert err.endswith(f" Try `{' '.join(('ticketing', *names))} --help`.\n")


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_no_message_about_arguments_speaks_of_types(run: Run, names: tuple[str, ...]) -> None:
    """Each option without a value, and with one that it does not take."""
    for argument in reduce(App.__getitem__, names, __main__.app).assemble_argument_collection():
        if argument.hint in (int, UUID) or get_origin(argument.hint) is Literal:
            for given in (argument.name, f"{argument.name}=x"):
                code, out, err = run(*names, given)
                assert (code, out) == (2, "")
                assert not re.search(r"convert|\bint\b|UUID|Literal|parameter|\[", err)


def test_a_type_of_job_that_nobody_knows_is_told_with_those_that_there_are(run: Run, url: str) -> None:
    for command in ("list", "retry", "cancel"):
        code, out, err = run("jobs", command, "--type", "nope", *(["--yes"] if command != "list" else []), url=url)
        assert (code, out) == (1, "")
        assert err.startswith(f"ticketing: There is no type of job 'nope'. There are {min(kinds.KINDS)}, ")
        assert "webhooks.deliver" in err
        assert not re.search(r"[ ,]\.", err), "a list without words"


def test_migrate_says_what_it_did_and_what_there_is_to_do(run: Run, new_database: Callable[..., str]) -> None:
    empty = new_database("template0")
    code, out, _ = run("migrate", "--status", url=empty)
    assert code == 1
    assert out.startswith("Nothing is applied.\nPending: 0001_initial.")
    code, out, _ = run("migrate", url=empty)
    assert code == 0
    assert out == "Setting up the database …\nSet up the database.\n"
    assert run("migrate", url=empty)[:2] == (0, "The database is up to date.\n")
    code, out, _ = run("migrate", "--status", url=empty)
    assert code == 0
    assert out.endswith("Nothing is pending.\n")


def test_the_first_admin_and_their_token(run: Run, url: str) -> None:
    code, out, _ = run("user", "create", "--name", "Ada", "--email", "Ada@lumen.example", "--role", "admin", url=url)
    assert code == 0
    (user,) = rows(url, "select id, name, role, service_account from users")
    assert user == {"id": UUID(out.strip()), "name": "Ada", "role": "admin", "service_account": False}

    scopes = ("--scope", "admin", "--scope", "tickets:read")
    code, out, err = run("token", "create", "--user", "ada@lumen.example", "--name", "first", *scopes, url=url)
    assert (code, err) == (0, "")
    secret = out.strip()
    assert bearer.well_formed(secret)
    (token,) = rows(url, "select user_id, name, hash, scopes::text[], expires_at from tokens")
    assert token["user_id"] == user["id"]
    assert token["hash"] == bearer.hash_token(secret)
    assert token["scopes"] == ["admin", "tickets:read"]
    assert token["expires_at"] is None

    events = rows(url, "select type, actor_id, data from events order by position")
    assert [(event["type"], event["actor_id"]) for event in events] == [("user.created", None), ("token.created", None)]
    assert secret not in str(events)


@pytest.mark.parametrize(("span", "expected"), [("45m", timedelta(minutes=45)), ("30d", timedelta(days=30))])
def test_a_token_expires_when_asked_to(run: Run, url: str, span: str, expected: timedelta) -> None:
    user_id = run("user", "create", "--name", "Robot", "--service-account", url=url)[1].strip()
    assert run("token", "create", "--user", user_id, "--name", "ci", "--expires", span, url=url)[0] == 0
    (token,) = rows(url, "select expires_at, scopes::text[] from tokens")
    assert abs(token["expires_at"] - datetime.now(UTC) - expected) < timedelta(minutes=1)
    assert token["scopes"] == ["tickets:read", "tickets:write"]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("user create --name Ada", "--email"),
        ("user create --name Ada --email ada", '--email: "ada" is not a valid e-mail address.'),
        ("user create --name Ada --email ADA@lumen.example", "There is a user with"),
        (f"user create --name {'x' * 101} --service-account", "--name"),
        ("token create --user nobody@lumen.example --name x", "There is no user nobody@lumen.example"),
        ("token create --user gone@lumen.example --name x", "is not active"),
        ("token create --user ada@lumen.example --name x --expires tomorrow", "--expires: 'tomorrow' is not a time."),
        (f"token create --user ada@lumen.example --name {'x' * 101}", "--name"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(run: Run, url: str, command: str, message: str) -> None:
    for name in ("ada", "gone"):
        assert run("user", "create", "--name", name, "--email", f"{name}@lumen.example", url=url)[0] == 0
    with psycopg.connect(url) as conn:
        conn.execute("update users set active = false where name = 'gone'")
    code, out, err = run(*command.split(), url=url)
    assert (code, out) == (1, "")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "command",
    [
        "user list",
        "user create --name Robot --service-account",
        "token list --user ada@lumen.example",
        "project list",
        "jobs list",
        "jobs retry --all --yes",
        "import list",
    ],
)
def test_without_migrations_a_command_says_so(run: Run, new_database: Callable[..., str], command: str) -> None:
    code, out, err = run(*command.split(), url=new_database("template1"))
    assert (code, out) == (1, "")
    assert err == "ticketing: The database lacks migrations. Run `ticketing migrate` first.\n"


def test_commands_work_through_a_pooler_in_transaction_mode(run: Run, url: str) -> None:
    # Several connections at once, each of which may get the session in which another one would have prepared.
    with pooled(url) as behind, psycopg.connect(behind, autocommit=True, prepare_threshold=None) as other:
        for turn in range(3):
            with other.transaction():
                other.execute("select 1")
                name = f"Robot {turn}"
                assert run("user", "create", "--name", name, "--service-account", url=behind)[0] == 0
            for command in ("user list", "jobs list", "project list", "import list"):
                code, _, err = run(*command.split(), url=behind)
                assert (code, err) == (0, "")


@pytest.mark.parametrize("command", ["migrate", "import revert 1"])
def test_a_command_that_needs_a_session_refuses_a_pooler_in_transaction_mode(run: Run, url: str, command: str) -> None:
    with pooled(url) as behind:
        code, out, err = run(*command.split(), url=behind)
    assert (code, out) == (1, "")
    assert "A pooler exchanges sessions after each transaction" in err
    assert "Connect directly" in err


def test_a_listing_that_fails_does_not_speak_of_continuing(run: Run) -> None:
    code, _, err = run("import", "list", url="postgresql://127.0.0.1:1/none")
    assert code == 1
    assert "PostgreSQL cannot be reached." in err
    assert "continues" not in err


@pytest.mark.slow
@pytest.mark.parametrize("command", ["user list", "import list", "migrate", "doctor"])
def test_a_server_that_takes_connections_and_does_not_answer_is_given_up(
    monkeypatch: pytest.MonkeyPatch, run: Run, command: str
) -> None:
    monkeypatch.setitem(pool.NETWORK, "connect_timeout", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        code, out, err = run(*command.split(), url=f"postgresql://127.0.0.1:{silent.getsockname()[1]}/none")
    assert code == 1
    assert "See whether it runs, and look at host, port and firewall." in out + err


@pytest.mark.slow
def test_migrate_prints_where_it_is_while_it_is_there(url: str, tmp_path: Path) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("select pg_advisory_lock(%s)", [migrate.LOCK])
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen([sys.executable, "-m", "ticketing", "migrate"], stdout=log, env=environment(url))
        with process, ended(process):
            await_(lambda: "Another process is migrating" in (tmp_path / "log").read_text())


def test_the_doctor_finds_a_restored_log_and_migrate_mends_it(run: Run, new_database: Callable[..., str]) -> None:
    url = new_database()
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(
            "insert into events (id, type, data, transaction_id)"
            " values (gen_random_uuid(), 'ticket.created', '{}', '1000000000')"
        )
    with spawned(url) as service:
        answer = httpx.get(f"{service}/health/ready")
        assert (answer.status_code, "`ticketing migrate`" in answer.text) == (503, True)
        code, out, _ = run("doctor", url=url)
        assert code == 1
        assert "WRONG  Event log: it is ahead of this server" in out
        assert run("migrate", url=url)[:2] == (0, "Mended the event log, as this database was restored.\n")
        assert "ok     Event log: it can be read on." in run("doctor", url=url)[1]
        assert httpx.get(f"{service}/health/ready").status_code == 200


def test_the_doctor_names_what_is_missing(run: Run, new_database: Callable[..., str]) -> None:
    assert run("doctor")[:2] == (1, "WRONG  Settings: TICKETING_DATABASE_URL is not set.\n")
    code, out, _ = run("doctor", url="postgresql://127.0.0.1:1/none")
    assert code == 1
    assert "WRONG  PostgreSQL: " in out
    assert "WRONG  Redis: " in out
    code, out, _ = run("doctor", url=new_database("template0"))
    assert code == 1
    assert "WRONG  Schema: pending: 0001_initial" in out
    assert "`ticketing migrate`" in out


def test_a_command_writes_times_in_utc_wherever_the_server_is(run: Run, url: str) -> None:
    name = conninfo_to_dict(url)["dbname"]
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(sql.SQL("alter database {} set timezone = 'Asia/Kathmandu'").format(sql.Identifier(str(name))))
    assert run("user", "create", "--name", "Ada", "--email", "ada@example.com", url=url)[0] == 0
    code, out, _ = run("user", "list", "--json", url=url)
    assert code == 0
    assert [user["created_at"][-1] for user in json.loads(out)] == ["Z"]
    (event,) = rows(url, "select data ->> 'created_at' as moment from events where type = 'user.created'")
    assert event["moment"].endswith("Z")


@pytest.mark.parametrize(
    "command",
    [
        ["migrate"],
        ["user", "create", "--name", "Ada", "--email", "ada@example.com"],
        ["project", "create", "--key", "media", "--name", "Media"],
    ],
)
def test_a_command_says_that_a_standby_takes_no_writes(run: Run, url: str, command: list[str]) -> None:
    code, out, err = run(*command, url=make_conninfo(url, options="-c default_transaction_read_only=on"))
    assert (code, out) == (1, "")
    assert err.startswith("ticketing: PostgreSQL cannot be used: ")
    assert "This PostgreSQL takes no writes: it is a standby" in err
    assert err.count("\n") == 1


def test_a_command_says_what_postgresql_refuses(run: Run, url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("alter table users rename to people")
    code, out, err = run("user", "list", url=url)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "PostgreSQL has refused a statement." in err
