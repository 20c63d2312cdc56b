"""The private parts of libraries that we rely on: an upgrade that changes one fails here, in a sentence about it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
from dramatiq.brokers import redis

import ticketing

SOURCE = Path(ticketing.__file__).parent
LIBRARIES = ("anyio", "aiosql", "connexion", "dramatiq", "httpcore", "psycopg", "psycopg_pool", "starlette", "uvicorn")


@dataclass(frozen=True)
class Part:
    """Something of a library that its documentation does not promise."""

    name: str
    """`module:Class.attribute`."""
    used_in: str
    """A file of ours, by its name alone, as files move."""
    parameters: tuple[str, ...] | None = None
    """The parameters that it is called with by us, or that ours which takes its place is called with."""
    sets: tuple[str, ...] = ()
    """The attributes that instances of a class have by themselves."""

    def __str__(self) -> str:
        return self.name


PARTS = [
    # connexion: its middlewares are used one by one, and each finds the next one's operations at start.
    Part("connexion.middleware:ConnexionMiddleware._build_middleware_stack", "engine.py", ("self",)),
    Part("connexion.middleware.lifespan:LifespanMiddleware.__init__", "engine.py", ("self", "next_app", "lifespan")),
    Part(
        "connexion.middleware.abstract:AbstractRoutingAPI._framework_path_and_name",
        "routing.py",
        ("operation", "path"),
    ),
    Part(
        "connexion.middleware.abstract:AbstractRoutingAPI._add_operation_internal",
        "routing.py",
        ("self", "method", "path", "operation", "name"),
    ),
    Part("connexion.middleware.abstract:RoutedMiddleware", "routing.py", sets=("app", "apis")),
    Part("connexion.middleware.abstract:RoutedAPI", "routing.py", sets=("operations",)),
    Part("connexion.middleware.abstract:RoutedAPI", "security.py", sets=("next_app",)),
    Part("connexion.middleware.abstract:RoutedAPI.add_paths", "dispatch.py", ("self",)),
    Part("connexion.middleware.security:SecurityOperation._get_verification_fn", "security.py", ("self",)),
    Part(
        "connexion.middleware.security:SecurityOperation",
        "security.py",
        sets=("next_app", "security", "security_schemes", "security_handler_factory", "verification_fn"),
    ),
    Part("connexion.middleware.security:SecurityAPI", "security.py", sets=("security_handler_factory",)),
    Part(
        "connexion.security:SecurityHandlerFactory.parse_security_scheme",
        "security.py",
        ("self", "security_scheme", "required_scopes"),
    ),
    Part(
        "connexion.security:AbstractSecurityHandler.get_fn",
        "security.py",
        ("self", "security_scheme", "required_scopes"),
    ),
    Part(
        "connexion.middleware.request_validation:RequestValidationOperation",
        "validation.py",
        sets=("_validator_map", "next_app"),
    ),
    Part(
        "connexion.middleware.request_validation:RequestValidationOperation.security_query_params",
        "validation.py",
    ),
    Part("connexion.middleware.request_validation:RequestValidationAPI", "validation.py", sets=("validator_map",)),
    Part("connexion.datastructures:MediaTypeDict.__getitem__", "validation.py", ("self", "item")),
    Part("connexion.operations:OpenAPIOperation.request_body", "validation.py"),
    Part("connexion.operations:OpenAPIOperation.produces", "validation.py"),
    # uvicorn: our protocol is a subclass of its own, and answers for what becomes of its cycles.
    Part(
        "uvicorn.protocols.http.httptools_impl:HttpToolsProtocol._start_asgi_task",
        "protocol.py",
        ("self", "cycle", "app"),
    ),
    Part("uvicorn.protocols.http.httptools_impl:HttpToolsProtocol._should_upgrade", "protocol.py", ("self",)),
    *(
        Part(f"uvicorn.protocols.http.httptools_impl:HttpToolsProtocol.{name}", "protocol.py", ("self", *more))
        for name, more in {
            "connection_made": ("transport",),
            "connection_lost": ("exc",),
            "on_message_begin": (),
            "on_url": ("url",),
            "on_header": ("name", "value"),
            "on_headers_complete": (),
            "on_body": ("body",),
            "on_message_complete": (),
            "on_response_complete": (),
            "resume_writing": (),
        }.items()
    ),
    Part(
        "uvicorn.protocols.http.httptools_impl:HttpToolsProtocol",
        "protocol.py",
        sets=(
            "parser", "pipeline", "flow", "cycle", "scope", "headers", "url", "expect_100_continue", "server_state",
            "loop",
        ),
    ),
    Part(
        "uvicorn.protocols.http.httptools_impl:RequestResponseCycle",
        "protocol.py",
        sets=(
            "response_started", "response_complete", "disconnected", "message_event", "keep_alive", "more_body",
            "waiting_for_100_continue",
        ),
    ),
    Part("uvicorn.protocols.http.flow_control:FlowControl", "protocol.py", sets=("write_paused",)),
    *(
        Part(f"uvicorn.protocols.http.flow_control:FlowControl.{name}", "protocol.py", ("self",))
        for name in ("pause_reading", "resume_reading")
    ),
    Part("uvicorn.protocols.utils:get_remote_addr", "protocol.py", ("transport",)),
    Part("uvicorn.server:ServerState", "protocol.py", sets=("connections", "total_requests", "default_headers")),
    Part("uvicorn.server:Server", "serve.py", sets=("servers", "started", "should_exit", "server_state", "config")),
    Part("uvicorn.server:Server.startup", "serve.py", ("self", "sockets")),
    Part("uvicorn.server:Server.shutdown", "serve.py", ("self", "sockets")),
    Part("uvicorn.server:Server.on_tick", "serve.py", ("self", "counter")),
    Part("uvicorn.config:STARTUP_FAILURE", "serve.py"),
    Part(
        "uvicorn.supervisors.multiprocess:Process",
        "serve.py",
        sets=("config", "parent_conn", "process", "_server"),
    ),
    Part("uvicorn.supervisors.multiprocess:Process.is_ready", "serve.py", ("self", "timeout")),
    Part("uvicorn.supervisors.multiprocess:Process.is_alive", "serve.py", ("self", "timeout")),
    Part("uvicorn.supervisors.multiprocess:Process.kill", "serve.py", ("self",)),
    Part("uvicorn.supervisors.multiprocess:Process.target", "serve.py", ("self", "sockets")),
    Part("uvicorn.supervisors.multiprocess:Process.exitcode", "serve.py"),
    Part("uvicorn.supervisors.multiprocess:Multiprocess", "serve.py", sets=("sockets", "should_exit", "processes")),
    Part("uvicorn.supervisors.multiprocess:Multiprocess.handle_hup", "serve.py", ("self",)),
    Part("uvicorn.supervisors.multiprocess:Multiprocess.keep_subprocess_alive", "serve.py", ("self",)),
    Part("uvicorn.supervisors.multiprocess:Multiprocess.terminate_all", "serve.py", ("self",)),
    # psycopg: our connections wait in their own way, and keep their cursors.
    Part("psycopg:AsyncConnection.wait", "watched.py", ("self", "gen", "interval")),
    Part("psycopg:AsyncConnection.close", "watched.py", ("self",)),
    Part("psycopg:AsyncConnection.cancel_safe", "watched.py", ("self", "timeout")),
    Part("psycopg:AsyncConnection.prepare_threshold", "pool.py"),
    Part("psycopg:AsyncConnection.prepared_max", "pool.py"),
    Part("psycopg.waiting:Ready.NONE", "watched.py"),
    Part("psycopg.waiting:Wait.W", "watched.py"),
    Part("psycopg.abc:PQGen", "watched.py"),
    Part("psycopg:AsyncRawCursor", "queries.py"),
    Part("psycopg:AsyncRawCursor.execute", "queries.py", ("self", "query", "params", "prepare")),
    Part("psycopg_pool:AsyncConnectionPool.getconn", "pool.py", ("self", "timeout")),
    Part("psycopg_pool:AsyncConnectionPool.putconn", "pool.py", ("self", "conn")),
    Part("psycopg_pool:AsyncConnectionPool.closed", "pool.py"),
    # dramatiq: its threads and its script in Redis are used, its consumer is not.
    Part("dramatiq.brokers.redis:RedisBroker.consume", "messages.py", ("self", "queue_name", "prefetch", "timeout")),
    Part("dramatiq.brokers.redis:RedisBroker.declare_queue", "messages.py", ("self", "queue_name")),
    Part("dramatiq.brokers.redis:RedisBroker.emit_after", "messages.py", ("self", "signal")),
    Part("dramatiq.brokers.redis:RedisBroker", "messages.py", sets=("broker_id", "queues", "client")),
    Part("dramatiq:Worker", "messages.py", sets=("queue_prefetch", "work_queue", "workers", "consumers")),
    Part("dramatiq.worker:_WorkerThread", "messages.py", sets=("running",)),
    Part("dramatiq.worker:_ConsumerThread", "messages.py", sets=("running",)),
    Part("dramatiq.common:iter_queue", "messages.py", ("queue",)),
    *(
        Part(f"dramatiq:Consumer.{name}", "messages.py", ("self", *more))
        for name, more in {
            "__next__": (), "ack": ("message",), "nack": ("message",), "requeue": ("messages",), "close": (),
        }.items()
    ),
    # httpcore: what it sends is bounded below TLS.
    Part("httpcore._backends.anyio:AnyIOStream", "posting.py", sets=("_stream",)),
    Part("httpcore:AnyIOBackend.connect_tcp", "posting.py", ("self", "host", "port", "timeout")),
    # aiosql: how it finds the parameters of a statement.
    Part("aiosql.utils:VAR_REF", "queries.py"),
]  # fmt: skip


def found(part: Part) -> Any:
    """What the name stands for."""
    module, _, path = part.name.partition(":")
    value: Any = importlib.import_module(module)
    for name in path.split("."):
        value = inspect.getattr_static(value, name) if inspect.isclass(value) else getattr(value, name)
    return value


@pytest.mark.parametrize("part", PARTS, ids=str)
def test_it_is_still_there(part: Part) -> None:
    told = f"{part.used_in} relies on {part.name}: read there what for, and whether it still does that."
    try:
        value = found(part)
    except (ImportError, AttributeError):
        pytest.fail(f"{told} It is gone.")
    if part.parameters is not None:
        function = value.__func__ if isinstance(value, staticmethod | classmethod) else value
        given = tuple(inspect.signature(function).parameters)
        assert given[: len(part.parameters)] == part.parameters, f"{told} It takes {given} now."
    for name in part.sets:
        assert re.search(rf"\b{name}\b", inspect.getsource(value)), f"{told} It has no {name} any more."


@pytest.mark.parametrize("part", PARTS, ids=str)
def test_it_is_still_used(part: Part) -> None:
    """A part that nobody uses any more leaves this list."""
    files = [path for name in part.used_in.split() for path in SOURCE.rglob(name)]
    assert files, f"there is no {part.used_in}"
    text = "\n".join(path.read_text() for path in files)
    last = part.name.rpartition(":")[2].rpartition(".")[2]
    wanted = part.sets or ((part.name.rpartition(".")[0].rpartition(":")[2],) if last == "__init__" else (last,))
    for name in wanted:
        assert name == "__getitem__" or re.search(rf"\b{name}\b", text), f"{name} is not used"


def test_messages_lie_in_redis_where_we_look_for_them() -> None:
    """The keys that `jobs/messages.py` writes and reads beside dramatiq's script, and the commands it calls."""
    script = (Path(redis.__file__).parent / "redis" / "dispatch.lua").read_text()
    for line in (
        'local acks = namespace .. ":__acks__." .. worker_id',
        'local queue_acks = acks .. "." .. queue_name',
        'local queue_messages = queue_full_name .. ".msgs"',
    ):
        assert line in script, f"jobs/messages.py relies on {line!r}, which dramatiq's script does not say any more."
    for command in ("fetch", "requeue"):
        assert f'command == "{command}"' in script, f"jobs/messages.py calls {command}, which dramatiq has no more."
    assert "redis_message_id" in inspect.getsource(redis), "dramatiq has another id for its messages in Redis."


# That none is missing


@pytest.mark.slow
def test_every_private_part_that_we_take_the_place_of_is_named() -> None:
    """Of each class of ours: private methods that take the place of a library's, and private ones of it in use."""
    named = {part.name.rpartition(":")[2].rpartition(".")[2] for part in PARTS} | {
        name for part in PARTS for name in part.sets
    }
    missing = {f"{module}: {name}" for module, name in _borrowed() if name not in named}
    assert not missing


def test_every_private_part_that_we_reach_for_is_named() -> None:
    """`thing._part`, where the thing is not of our own making."""
    named = {name for part in PARTS for name in (*part.sets, part.name.rpartition(":")[2].rpartition(".")[2])}
    ours = {
        name for path in SOURCE.rglob("*.py") for name in re.findall(r"(?:self|cls)\.(_[a-z]\w*)", path.read_text())
    }
    ours |= {name for path in SOURCE.rglob("*.py") for name in re.findall(r"def (_[a-z]\w*)", path.read_text())}
    reached = {
        (path.name, name)
        for path in SOURCE.rglob("*.py")
        for name in re.findall(r"(?<!self)(?<!cls)\.(_[a-z]\w*)", path.read_text())
        if name not in ours and name not in ("_exit", "_data", "_asdict")
    }
    assert {(file, name) for file, name in reached if name not in named} == set()


def _borrowed() -> Iterator[tuple[str, str]]:
    for kind in _classes():
        theirs = [base for base in kind.__mro__ if base.__module__.partition(".")[0] in LIBRARIES]
        if not theirs:
            continue
        ours = [base for base in kind.__mro__ if base.__module__.startswith("ticketing")]
        # A library may keep something of its own in our class as well; that is in none of our files.
        own = {name for base in ours for name in vars(base) if name in inspect.getsource(base)}
        used = {name for base in ours for value in vars(base).values() for name in _names(value)}
        private = {name for name in own | used if re.match("_(?!_|abc_)", name)}
        yield from ((kind.__module__, name) for name in private if any(name in vars(base) for base in theirs))


def _names(value: Any) -> set[str]:
    function = value.__func__ if isinstance(value, staticmethod | classmethod) else value
    function = function.fget if isinstance(function, property) else function
    return set(_in(function.__code__)) if isinstance(function, FunctionType) else set()


def _in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _in(constant)


@cache
def _classes() -> list[type]:
    for module in pkgutil.walk_packages(ticketing.__path__, "ticketing."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return [
        value
        for name, module in list(sys.modules.items())
        if name.startswith("ticketing.")
        for value in vars(module).values()
        if inspect.isclass(value) and value.__module__ == name
    ]
