"""Request logging and metrics: a log line, a counter and a duration; never a secret, a body or a query string."""

from __future__ import annotations

import io
import logging
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal

import orjson
import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from ticketing.ground.config import Settings, unknown

REQUESTS = Counter("ticketing_http_requests", "Requests answered.", ["operation", "method", "status"])
SECONDS = Histogram(
    "ticketing_http_request_seconds",
    "Seconds from the head of a request to the end of its answer.",
    ["operation"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
CUT = Counter(
    "ticketing_http_answers_cut",
    "Answers that were broken off: their client read too slowly (`slow`), or too much was unread in all (`memory`).",
    ["reason"],
)
STREAMS = Gauge("ticketing_event_streams", "Open event streams.", multiprocess_mode="livesum")
LONGEST_PATH = 200
"""How many characters of a path are logged."""
log = structlog.get_logger()
_series: dict[tuple[str, str, int], tuple[Any, Any]] = {}
_stderr: BinaryIO | None = None
"""Where JSON request lines go, if requests are logged."""


def observe(
    *,
    operation_id: str | None,
    method: str,
    path: str,
    status: int,
    seconds: float,
    request_id: str,
    actor: str | None,
    client: str,
    reason: str | None = None,
    trace_id: str | None = None,
) -> None:
    """Count and log one answered request; requests that match no operation count as `none`.

    The line is a warning if the service could not answer just now (503), and an error if the service is at fault (any
    other 5xx except 501, which is the client's fault).
    """
    series = _series.get((operation_id or "none", method, status)) or _new_series(
        operation_id or "none", method, status
    )
    series[0].inc()
    series[1].observe(seconds)
    line: dict[str, Any] = {
        "operation": operation_id,
        "method": method,
        "path": path[:LONGEST_PATH],
        "status": status,
        "ms": round(seconds * 1000, 2),
        "request_id": request_id,
        "actor": actor,
        "client": client,
    }
    if reason is not None:
        line["reason"] = reason
    if trace_id is not None:
        line["trace_id"] = trace_id
    level = "info" if status < 500 or status == 501 else "warning" if status == 503 else "error"
    if _stderr is None:
        getattr(log, level)("request", **line)
        return
    # The same as structlog's, which takes three times as long.
    line |= {"event": "request", "level": level, "timestamp": datetime.now(UTC)}
    _stderr.write(orjson.dumps(line, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE))
    _stderr.flush()


def observe_cut(client: str, unsent: int, reason: Literal["slow", "memory"]) -> None:
    """Count and log an answer that is broken off, with so many bytes unsent. Its request is logged as answered."""
    CUT.labels(reason).inc()
    log.warning("answer cut", client=client, unsent_bytes=unsent, reason=reason)


def _new_series(operation: str, method: str, status: int) -> tuple[Any, Any]:
    # Looking up labels costs more than counting.
    made = REQUESTS.labels(operation, method, str(status)), SECONDS.labels(operation)
    _series[operation, method, status] = made
    return made


def exposition() -> tuple[str, bytes]:
    """The media type and text of all metrics, of all processes if the service has several."""
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        _forget_the_dead(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return CONTENT_TYPE_LATEST, generate_latest(registry)


def _forget_the_dead(folder: Path) -> None:
    """Remove the gauges of processes that have ended; their counters stay."""
    for file in folder.glob("gauge_live*_*.db"):
        if not _alive(int(file.stem.rpartition("_")[2])):
            file.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


class _Stderr(io.FileIO):
    """Standard error that never raises: on a full disk or a closed terminal a line is lost, and nothing else fails."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(data)


def configure_logging(settings: Settings) -> None:
    """Send our log lines, and the libraries', to standard error: one JSON object or one readable line each."""
    global _stderr
    stderr = io.BufferedWriter(_Stderr(2, "wb", closefd=False))
    _stderr = stderr if settings.log_format == "json" and settings.log_level in ("debug", "info") else None
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderers: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_json)]
        if settings.log_format == "json"
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                exception_formatter=structlog.dev.plain_traceback,  # A rich traceback shows variables: tokens, bodies.
            )
        ]
    )
    # Our own lines do not pass through `logging`, which would cost three times as much.
    direct: list[Any] = [structlog.processors.JSONRenderer(serializer=orjson.dumps)]
    structlog.configure(
        processors=[*shared, *(direct if settings.log_format == "json" else renderers)],
        logger_factory=structlog.BytesLoggerFactory(stderr)
        if settings.log_format == "json"
        else structlog.PrintLoggerFactory(io.TextIOWrapper(stderr, "utf-8", errors="backslashreplace")),
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    for noisy in ("connexion", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # The pool logs each attempt to connect; outages.py logs each outage once.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    for sentence in unknown():
        log.warning("unknown setting", reason=sentence)


def _json(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()
