"""Traces arrive at a collector: requests below their caller's span, statements below requests, and jobs."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import psycopg
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from test_up import SECONDS, started, wait_until_ready
from test_work import free_port

from conftest import await_, signed_up
from ticketing.db import queries
from ticketing.ground.config import InvalidSetting, Settings
from ticketing.monitoring import tracing

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"


@contextmanager
def collector() -> Iterator[tuple[str, list[Any]]]:
    """A collector of traces; gives its URL, and all spans that have arrived."""
    spans: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers["Content-Encoding"] == "gzip":
                body = gzip.decompress(body)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    spans.extend(scope.spans)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", spans
        server.shutdown()


def named(spans: list[Any], name: str) -> Any:
    return next((span for span in spans if span.name == name), None)


def attributes(span: Any) -> dict[str, Any]:
    return {pair.key: pair.value.string_value or pair.value.int_value for pair in span.attributes}


def test_a_request_continues_its_caller_s_trace_down_to_its_statements(new_database: Callable[..., str]) -> None:
    url = new_database()
    with psycopg.connect(url, autocommit=True) as conn:
        *_, token = signed_up(conn, "admin")
    port = free_port()
    with collector() as (endpoint, spans):
        settings = {"TICKETING_DATABASE_URL": url, "TICKETING_OTLP_URL": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        with started("serve", "--port", str(port), **settings) as command:
            wait_until_ready(command, f"http://127.0.0.1:{port}")
            headers = {"Authorization": f"Bearer {token}", "traceparent": f"00-{TRACE}-{CALLER}-01"}
            answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/users?limit=7", headers=headers)
            assert answer.status_code == 200
            await_(lambda: bool(named(spans, "list_users")) and len([s for s in spans if s.name == "list_users"]) == 2)
    request, statement = sorted((span for span in spans if span.name == "list_users"), key=lambda span: span.kind)
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, CALLER)
    assert attributes(request)["http.response.status_code"] == 200
    assert attributes(request)["ticketing.request_id"] == answer.headers["x-request-id"]
    assert (statement.trace_id, statement.parent_span_id) == (request.trace_id, request.span_id)
    assert token not in str(spans)


def test_a_job_has_a_span(new_database: Callable[..., str], redis_url: str) -> None:
    url = new_database()
    with collector() as (endpoint, spans):
        settings = {"TICKETING_DATABASE_URL": url, "TICKETING_REDIS_URL": redis_url, "TICKETING_OTLP_URL": endpoint}
        with started("work", **settings, OTEL_BSP_SCHEDULE_DELAY="100"):
            with psycopg.connect(url, autocommit=True) as conn:
                conn.execute("select enqueue_job('webhooks.upkeep', '{}')")
            await_(lambda: named(spans, "job webhooks.upkeep") is not None, SECONDS)
            job = named(spans, "job webhooks.upkeep")
            await_(lambda: any(span.parent_span_id == job.span_id for span in spans), SECONDS)
    assert attributes(job)["ticketing.attempt"] == 1


def test_without_a_collector_nothing_is_wrapped() -> None:
    application = object()
    tracing.start(Settings(database_url=""), "serve")
    assert tracing.requests(application) is application
    assert queries.spanned is None


def test_without_the_extra_a_collector_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.exporter.otlp.proto.http", None)
    with pytest.raises(InvalidSetting, match="TICKETING_OTLP_URL needs the extra"):
        tracing.start(Settings(database_url="", otlp_url="http://127.0.0.1:4318"), "serve")
