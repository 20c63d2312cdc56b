"""OpenTelemetry traces of requests, statements and jobs, if a collector is set; that needs the extra `otel`.

Without a collector nothing is imported and nothing wrapped. A request's `traceparent` (W3C Trace Context) is continued.
Spans hold names, numbers and states: no path, no parameter, no text.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import wraps
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ticketing import __version__
from ticketing.db import queries
from ticketing.ground.config import InvalidSetting, Settings
from ticketing.jobs import Job, kinds

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

EXPORT_SECONDS = 2
"""How long the collector may take, also at the end of a process."""
Started = Callable[..., AbstractContextManager[Any]]
_provider: TracerProvider | None = None
_started: Started | None = None


def check_settings(chosen: Settings) -> None:
    """Raises InvalidSetting if a collector is set but the extra is missing."""
    try:
        installed = find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        installed = False
    if chosen.otlp_url and not installed:
        raise InvalidSetting("TICKETING_OTLP_URL needs the extra: `pip install 'ticketing-service[otel]'`.")


def start(chosen: Settings, process: str) -> None:
    """Have this process log slow statements, and trace its work if a collector is set.

    Raises InvalidSetting if a collector is set but the extra is missing.
    """
    global _provider, _started
    queries.slow_seconds = chosen.slow_statement_ms / 1000 if chosen.slow_statement_ms else float("inf")
    if not chosen.otlp_url or _provider is not None:
        return
    check_settings(chosen)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    named = {"service.name": f"ticketing-{process}", "service.version": __version__}
    _provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=f"{chosen.otlp_url.rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS)
    _provider.add_span_processor(BatchSpanProcessor(exporter))
    _started = _spans(_provider)
    queries.spanned = _statements(_started)
    for name, kind in kinds.KINDS.items():
        kinds.KINDS[name] = replace(kind, run=_job(kind, _started))


def stop() -> None:
    """Send the remaining spans."""
    if _provider is not None:
        _provider.shutdown()


def requests(application: Any) -> Any:
    """The application with a span for each request; unchanged without a collector."""
    if _started is None:
        return application
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    started, propagator = _started, TraceContextTextMapPropagator()

    async def traced(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        attributes = {"http.request.method": scope["method"]}
        with started(scope["method"], "SERVER", attributes, propagator.extract(carrier)):
            await application(scope, receive, send)

    return traced


def tell(request: Mapping[str, Any]) -> None:
    """Add operation, status and id to the span of the current request."""
    if _started is None:
        return
    from opentelemetry import trace  # noqa: PLC0415

    span = trace.get_current_span()
    if (operation := request["operation_id"]) is not None:
        span.update_name(operation)
    status = {"http.response.status_code": request["status"], "ticketing.request_id": request["request_id"]}
    span.set_attributes(status)
    if request["status"] >= 500:
        span.set_status(trace.StatusCode.ERROR)


def _spans(provider: TracerProvider) -> Started:
    from opentelemetry.trace import SpanKind, StatusCode  # noqa: PLC0415

    tracer = provider.get_tracer("ticketing", __version__)

    @contextmanager
    def started(name: str, kind: str, attributes: dict[str, Any], context: Any = None) -> Iterator[None]:
        """A child of the current span. Of an error it records only the type: the message may hold people's data."""
        options: dict[str, Any] = {"kind": SpanKind[kind], "attributes": attributes, "record_exception": False}
        with tracer.start_as_current_span(name, context, set_status_on_exception=False, **options) as span:
            try:
                yield
            except Exception as error:
                span.set_status(StatusCode.ERROR, type(error).__name__)
                raise

    return started


def _statements(started: Started) -> Started:
    return lambda name: started(name, "CLIENT", {"db.system.name": "postgresql", "db.query.summary": name})


def _job(kind: kinds.Kind, started: Started) -> Callable[[Job], Awaitable[None]]:
    @wraps(kind.run)
    async def run(job: Job) -> None:
        with started(f"job {kind.name}", "CONSUMER", {"ticketing.job": str(job.id), "ticketing.attempt": job.attempt}):
            await kind.run(job)

    return run
