"""Forms with files (multipart/form-data, RFC 7578): parsed as they arrive, validated by the schema, files kept on disk.

A property is a file if it is `type: string` with a `contentMediaType` or `format: binary`, or has no type; an array of
these is several files. An object is a JSON part, and everything else is text. `x-max-bytes` limits a file's size, and
the media type's `encoding` limits its Content-Type.
"""

from __future__ import annotations

import asyncio
import logging
import re
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ticketing.contract import strict_json
from ticketing.contract.admission import Overloaded
from ticketing.contract.arrivals import Arrivals, Grow
from ticketing.contract.body import matching
from ticketing.contract.desk import Desk
from ticketing.contract.document import ContractError, Document, at, escape, resolve
from ticketing.contract.exchange import KEY, Exchange
from ticketing.contract.forms import Forms
from ticketing.contract.incoming import Incoming
from ticketing.contract.judging import Judge
from ticketing.contract.parameters import cast, kinds_of
from ticketing.contract.problems import ContentTooLarge, Fault, MalformedRequest, ValidationFailed
from ticketing.contract.schemas import Schemas

MOST_PARTS = 100
MOST_PART_HEADERS = 8
MOST_HEADER_BYTES = 4096
MOST_TEXT_BYTES = 1024 * 1024
"""Most bytes of all parts together that are not files."""
MOST_SPOOLED_BYTES = 1024 * 1024 * 1024
"""Most bytes that a process keeps on disk of incomplete forms."""
IN_MEMORY_BYTES = 64 * 1024
"""A file up to this length stays in memory."""
SLICE_BYTES = 64 * 1024
"""How much is parsed at once before other requests get their turn."""

_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_PLAIN = ("", "7bit", "8bit", "binary")

log = logging.getLogger(__name__)
# The parser also logs each fault of a client, which we answer.
logging.getLogger("python_multipart").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of a form."""

    name: str
    kinds: frozenset[str]
    """The JSON types of its text; none for a file."""
    is_repeated: bool
    cap: int
    media_types: tuple[str, ...]


class Upload:
    """A file of a form, positioned at its beginning. It exists until the request is answered."""

    def __init__(self, filename: str | None, media_type: str) -> None:
        self.filename = filename
        """The file name that the client gave, unchecked."""
        self.media_type = media_type
        """The Content-Type that the client gave, unchecked."""
        self.size = 0
        """Bytes."""
        self.file: Any = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - closed with the form

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.file.seek(0)
        while piece := await asyncio.to_thread(self.file.read, SLICE_BYTES):
            yield piece


class _Part:
    """A part that is being read."""

    def __init__(self) -> None:
        self.headers: dict[str, bytes] = {}
        self.name = b""
        self.value = b""
        self.field: _Field | None = None
        self.upload: Upload | None = None
        self.text = bytearray()
        self.pending: list[bytes] = []
        self.size = 0


class Form:
    """The form of one request, as far as it has arrived."""

    def __init__(self, fields: Mapping[str, _Field], boundary: bytes, incoming: Incoming) -> None:
        self._incoming = incoming
        self._fields = fields
        self._parts: list[_Part] = []
        self.text_bytes = 0
        self._is_ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._read_name,
                "on_header_value": self._read_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._open,
                "on_part_data": self._read,
                "on_end": self._end,
            },
            max_header_count=MOST_PART_HEADERS,
            max_header_size=MOST_HEADER_BYTES,
        )

    @property
    def complete(self) -> bool:
        """Whether all of it is here."""
        return self._incoming.complete

    async def read(self, spool: Grow, hold: Grow) -> None:
        """Read all of it, reporting what is held on disk and in memory. Raises MalformedRequest, ContentTooLarge,
        ValidationFailed, Overloaded, and what reading a body raises.
        """
        async for piece in self._incoming:
            for start in range(0, len(piece), SLICE_BYTES):
                before = len(self._parts)
                try:
                    self._parser.write(piece[start : start + SLICE_BYTES])
                except FormParserError as fault:
                    raise MalformedRequest(f"The form cannot be read. {fault}.") from None
                for part in self._parts[max(0, before - 1) :]:
                    await _keep(part, spool, hold)
                await asyncio.sleep(0)
        if not self._is_ended:
            raise MalformedRequest("The form ends before its last boundary.")

    def value(self) -> dict[str, Any]:
        """Its value as JSON, with an empty text for each file. Raises MalformedRequest, ContentTooLarge."""
        return {field.name: _value(field, parts) for field, parts in self._given()}

    def with_files(self, value: dict[str, Any]) -> dict[str, Any]:
        """The value with its files, each at its beginning."""
        for part in self._parts:
            if part.upload is not None:
                part.upload.file.seek(0)
        files = {
            field.name: [part.upload for part in parts] if field.is_repeated else parts[0].upload
            for field, parts in self._given()
            if not field.kinds
        }
        return value | files

    def close(self) -> None:
        """Close and delete the files."""
        for part in self._parts:
            if part.upload is not None:
                part.upload.file.close()

    def _given(self) -> Iterator[tuple[_Field, list[_Part]]]:
        by_name: dict[str, list[_Part]] = {}
        for part in self._parts:
            assert part.field is not None
            by_name.setdefault(part.field.name, []).append(part)
        return ((self._fields[name], parts) for name, parts in by_name.items())

    # What the parser finds

    def _begin(self) -> None:
        if len(self._parts) >= MOST_PARTS:
            raise ContentTooLarge(f"A form may have at most {MOST_PARTS} parts.")
        self._parts.append(_Part())

    def _read_name(self, data: bytes, start: int, end: int) -> None:
        self._parts[-1].name += data[start:end]

    def _read_value(self, data: bytes, start: int, end: int) -> None:
        self._parts[-1].value += data[start:end]

    def _end_header(self) -> None:
        part = self._parts[-1]
        name = part.name.decode("latin-1").lower()
        if name in part.headers:
            raise MalformedRequest(f"A part of the form has the header {name[:80]!r} twice.")
        part.headers[name] = part.value
        part.name = part.value = b""

    def _open(self) -> None:
        """Find the part's field, once its headers are complete."""
        part = self._parts[-1]
        headers, part.headers = part.headers, {}
        kind, options = parse_options_header(headers.get("content-disposition", b""))
        if kind != b"form-data" or b"name" not in options:
            raise MalformedRequest("Each part of a form needs a Content-Disposition of form-data with a name.")
        if headers.get("content-transfer-encoding", b"").decode("latin-1").strip().lower() not in _PLAIN:
            raise MalformedRequest("The parts of a form must not be encoded (RFC 7578, 4.7).")
        name, filename = _decoded(options[b"name"]), options.get(b"filename")
        field = self._fields.get(name)
        if field is None:
            raise _invalid(name, "unknown_field", "There is no property of this name here.")
        if not field.is_repeated and any(other.field is field for other in self._parts):
            raise _invalid(name, "not_unique", "This is given twice.")
        part.field = field
        media_type, parameters = parse_options_header(headers.get("content-type", b""))
        given = media_type.decode("latin-1")
        if not field.kinds:
            given = given or "application/octet-stream"
            if not matching(given, field.media_types):
                raise _invalid(name, "wrong_format", f"The Content-Type must be {' or '.join(field.media_types)}.")
            part.upload = Upload(None if filename is None else _decoded(filename), given)
        elif filename is not None:
            raise _invalid(name, "wrong_type", "This is not a file.")
        elif parameters.get(b"charset", b"utf-8").lower() not in (b"utf-8", b"utf8"):
            raise _invalid(name, "wrong_format", "The text must be encoded as UTF-8.")

    def _read(self, data: bytes, start: int, end: int) -> None:
        part = self._parts[-1]
        assert part.field is not None
        part.size += end - start
        if part.size > part.field.cap:
            raise ContentTooLarge(f"The part {part.field.name} may have at most {part.field.cap} bytes.")
        if part.upload is None:
            self.text_bytes += end - start
            if self.text_bytes > MOST_TEXT_BYTES:
                raise ContentTooLarge(f"The texts of a form may have at most {MOST_TEXT_BYTES} bytes together.")
        part.pending.append(data[start:end])

    def _end(self) -> None:
        self._is_ended = True


async def _keep(part: _Part, spool: Grow, hold: Grow) -> None:
    """Store the bytes of a part that have arrived."""
    if not part.pending:
        return
    data, part.pending = b"".join(part.pending), []
    upload = part.upload
    if upload is None:
        hold(len(data))
        part.text += data
        return
    before, upload.size = upload.size, upload.size + len(data)
    if upload.size <= IN_MEMORY_BYTES:
        hold(len(data))
        upload.file.write(data)
        return
    if before <= IN_MEMORY_BYTES:
        hold(-before)
        spool(before)
    spool(len(data))
    try:
        await asyncio.to_thread(upload.file.write, data)
    except OSError:
        log.exception("A file of a form cannot be kept in %s", tempfile.gettempdir())
        raise Overloaded("There is no room for this file just now. Try again later.") from None


def _value(field: _Field, parts: list[_Part]) -> Any:
    values = [_one(field, bytes(part.text)) for part in parts]
    return values if field.is_repeated else values[0]


def _one(field: _Field, encoded: bytes) -> Any:
    if not field.kinds:
        return ""
    if field.kinds & {"object", "array"}:
        try:
            return strict_json.loads(encoded)
        except strict_json.Excessive as error:
            raise ContentTooLarge(str(error)) from None
        except (strict_json.Unreadable, strict_json.Unkept) as fault:
            raise MalformedRequest(f"The part {field.name} cannot be read as JSON. {fault}") from None
    text = _decoded(encoded)
    if "\0" in text:
        raise _invalid(field.name, "wrong_format", "This text holds the character NUL.")
    return cast(text, field.kinds)


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise MalformedRequest("The form holds text that is not UTF-8.") from None


def _invalid(name: str, code: str, detail: str) -> ValidationFailed:
    pointer = f"#/{escape(name[:80])}"
    return ValidationFailed(
        f"The body is not valid at {pointer}. {detail}", errors=[Fault(code, detail, pointer=pointer)]
    )


class FormBody:
    """The forms of one operation, as connexion's `validator_map` expects."""

    def __init__(
        self,
        *,
        schema: Mapping[str, Any],
        required: bool,
        document: Document,
        schemas: Schemas,
        forms: Forms,
        arrivals: Arrivals,
        desk: Desk,
        spooled: Arrivals,
        seconds: float | None,
        **_: Any,
    ) -> None:
        self._cap: int = schema["x-max-body-bytes"]
        self._fields = fields(document, schema["x-schema"], self._cap)
        self._judge = Judge(document, schema["x-schema"], forms, schemas)
        self._required = required
        self._arrivals, self._spooled, self._desk = arrivals, spooled, desk
        self._seconds = seconds

    async def wrap_receive(self, receive: Any, *, scope: Any) -> tuple[Any, Any]:
        """Add the form to the exchange, a dict with texts and Uploads. Raises the Problem with it, if there is one."""
        exchange: Exchange = scope[KEY]
        given = exchange.headers.get(b"content-type", b"")
        incoming = Incoming(exchange, receive, given.decode("latin-1"), self._cap, self._seconds)
        exchange.body = incoming
        if await incoming.begin():
            form = exchange.body = Form(self._fields, _boundary(given), incoming)
            await self._spooled.whole(exchange, lambda spool: self._held(exchange, form, spool))
            value = await self._desk.done(exchange, form.text_bytes, lambda: self._judge(form.value()))
            exchange.arguments["body"] = form.with_files(value)
        elif self._required:
            raise MalformedRequest("This request needs a body.")
        return receive, scope

    async def _held(self, exchange: Exchange, form: Form, spool: Grow) -> None:
        await self._arrivals.whole(exchange, partial(form.read, spool))


def _boundary(content_type: bytes) -> bytes:
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if not _BOUNDARY.fullmatch(boundary):
        raise MalformedRequest("The Content-Type needs a boundary of 1 to 70 characters (RFC 2046, 5.1.1).")
    return boundary


def fields(document: Document, pointer: str, cap: int) -> dict[str, _Field]:
    """The fields of a form by name. Raises ContractError for a schema that says too little, or too much."""
    _, schema = resolve(document, at(document, pointer), pointer)
    encoding = at(document, pointer.rpartition("/")[0]).get("encoding", {})
    where = f"The form at {pointer}"
    if not isinstance(schema, Mapping) or schema.get("type") != "object" or not schema.get("properties"):
        raise ContractError(f"{where} is not an object with properties.")
    if schema.get("additionalProperties") is not False:
        raise ContractError(f"{where} allows properties that it does not name.")
    found = {}
    for name, node in schema["properties"].items():
        single = _resolved(document, node)
        is_repeated = single.get("type") == "array"
        if is_repeated:
            single = _resolved(document, single.get("items", {}))
        if is_file(document, single):
            if odd := single.keys() & _NOT_FOR_FILES:
                raise ContractError(f"{where} says {min(odd)} of the file {name}, which is not enforced.")
            kinds: frozenset[str] = frozenset()
            most = min(single.get("x-max-bytes", cap), cap)
        else:
            kinds = frozenset(kinds_of(document, single))
            # Of text that is brought into form, more is taken than is kept (forms.py).
            longest = 16 * single["maxLength"] if "maxLength" in single else IN_MEMORY_BYTES
            most = min(single.get("x-max-bytes", longest), cap)
        media_types = encoding.get(name, {}).get("contentType", "*/*")
        found[name] = _Field(
            name, kinds, is_repeated, most, tuple(kind.strip().lower() for kind in media_types.split(","))
        )
    return found


_NOT_FOR_FILES = {"const", "enum", "maxLength", "minLength", "pattern", "x-form"}


def is_file(document: Document, schema: Mapping[str, Any]) -> bool:
    """Whether a property of a form is a file."""
    kinds = kinds_of(document, schema)
    return not kinds or (kinds == {"string"} and ("contentMediaType" in schema or schema.get("format") == "binary"))


def _resolved(document: Document, node: Any) -> Mapping[str, Any]:
    return {**resolve(document, node, "")[1], **node}
