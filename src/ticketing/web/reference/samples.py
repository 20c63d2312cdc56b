"""A request of an example as code: for the shell with curl, and for Python, TypeScript and Go.

The code reads the URL of the API from the variable `API`, such as `https://support.example.org/api/v1`, and the token
from `TOKEN`.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from ticketing.web.reference.document import Request


def curl(request: Request) -> str:
    """The command for a POSIX shell."""
    implied = "POST" if request.body is not None else "GET"
    method = "" if request.method == implied else f" -X {request.method}"
    lines = [f'curl{" -N" if request.streams else ""}{method} "$API{request.target}"']
    if request.authenticated:
        lines.append('-H "Authorization: Bearer $TOKEN"')
    lines += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in request.headers.items()]
    if request.body is not None:
        lines.append(f"-d {shlex.quote(_json(request.body))}")
    return " \\\n  ".join(lines) + "\n"


def python(request: Request) -> str:
    """A program for Python with httpx."""
    url = f'os.environ["API"] + {_json(request.target)}'
    given = [f"headers={_python(dict(request.headers))}"] if request.headers else []
    if request.authenticated:
        headers = _python(dict(request.headers)).removeprefix("{").lstrip("\n").removesuffix("}").rstrip()
        own = '    "Authorization": f"Bearer {os.environ[\'TOKEN\']}",'
        given = ["headers={\n" + own + ("\n" + headers if headers else "") + "\n}"]
    if request.body is not None:
        given.append(f"json={_python(request.body)}")
    if request.streams:
        arguments = _indented([f'"{request.method}"', url, *given, "timeout=None"])
        call = f"with httpx.stream(\n{arguments}) as response:\n"
        call += "    for line in response.iter_lines():\n        print(line)"
    else:
        answer = "response.json()" if request.answered else "response.status_code"
        arguments = _indented([url, *given])
        call = f"response = httpx.{request.method.lower()}(\n{arguments})\nresponse.raise_for_status()\nprint({answer})"
    return f"import os\n\nimport httpx\n\n{call}\n"


def typescript(request: Request) -> str:
    """A module for TypeScript with the fetch of browsers and Node.js."""
    headers = {"Authorization": "Bearer ${process.env.TOKEN}"} if request.authenticated else {}
    lines = [f"    {name}: `{value}`," for name, value in headers.items()]
    lines += [f"    {_json(name)}: {_json(value)}," for name, value in request.headers.items()]
    options = [] if request.method == "GET" else [f'  method: "{request.method}",']
    if lines:
        options.append("  headers: {\n" + "\n".join(lines) + "\n  },")
    if request.body is not None:
        options.append(f"  body: JSON.stringify({_deeper(_json(request.body), '  ')}),")
    given = ", {\n" + "\n".join(options) + "\n}" if options else ""
    if request.streams:
        show = "for await (const chunk of response.body!) process.stdout.write(chunk);"
    else:
        show = f"console.log({'await response.json()' if request.answered else 'response.status'});"
    return (
        f"const response = await fetch(`${{process.env.API}}{request.target}`{given});\n"
        f"if (!response.ok) throw new Error(await response.text());\n{show}\n"
    )


def go(request: Request) -> str:
    """A program for Go with nothing but its standard library."""
    body, packages = "nil", {"fmt", "io", "log", "net/http", "os"}
    if request.body is not None:
        packages |= {"strings"}
        text = _json(request.body)
        body = f"strings.NewReader({f'`{text}`' if '`' not in text else _json(text)})"
    if request.streams:
        packages -= {"fmt"}
    headers = ['\trequest.Header.Set("Authorization", "Bearer "+os.Getenv("TOKEN"))'] if request.authenticated else []
    headers += [f"\trequest.Header.Set({_json(name)}, {_json(value)})" for name, value in request.headers.items()]
    failed = "\tif err != nil {\n\t\tlog.Fatal(err)\n\t}"
    show = (
        ["\tio.Copy(os.Stdout, response.Body)"]
        if request.streams
        else ["\tanswer, err := io.ReadAll(response.Body)", failed, "\tfmt.Println(response.Status, string(answer))"]
    )
    lines = [
        "package main",
        "",
        "import (",
        *(f'\t"{name}"' for name in sorted(packages)),
        ")",
        "",
        "func main() {",
        f'\trequest, err := http.NewRequest("{request.method}", os.Getenv("API")+{_json(request.target)}, {body})',
        failed,
        *headers,
        "\tresponse, err := http.DefaultClient.Do(request)",
        failed,
        "\tdefer response.Body.Close()",
        *show,
        "}",
    ]
    return "\n".join(lines) + "\n"


LANGUAGES: Mapping[str, Callable[[Request], str]] = {
    "curl": curl,
    "Python": python,
    "TypeScript": typescript,
    "Go": go,
}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _python(value: Any, indent: str = "") -> str:
    """A literal of Python, formatted as its formatters do."""
    match value:
        case dict() | list() if value:
            inner = indent + "    "
            items = (
                [f"{_json(name)}: {_python(each, inner)}" for name, each in value.items()]
                if isinstance(value, dict)
                else [_python(each, inner) for each in value]
            )
            opening, closing = "{}" if isinstance(value, dict) else "[]"
            return opening + "".join(f"\n{inner}{item}," for item in items) + f"\n{indent}{closing}"
        case str() | dict() | list():
            return _json(value)
        case _:
            return repr(value)


def _indented(arguments: list[str]) -> str:
    return "".join(f"    {_deeper(argument, '    ')},\n" for argument in arguments)


def _deeper(text: str, indent: str) -> str:
    return text.replace("\n", "\n" + indent)
