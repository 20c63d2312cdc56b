"""YAML as other tools read the contract: the 1.2 core schema, text keys, no duplicate keys."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

_TAG = "tag:yaml.org,2002:"
_CORE = {
    # PyYAML reads YAML 1.1, in which `no` is false, `1_000` a number, `010` eight and `2026-11-24` a date.
    "null": (re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    "bool": (re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    "int": (re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"), list("-+0123456789")),
    "float": (
        re.compile(
            r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
        ),
        list("-+.0123456789"),
    ),
}


class _Reader(yaml.SafeLoader):
    pass


class _Writer(yaml.SafeDumper):
    """Quotes whatever YAML 1.1 or 1.2 would not read as text."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def read(path: Path) -> Any:
    """The document in a file. Raises yaml.YAMLError, with the place, if it is not valid as YAML 1.2 and JSON."""
    with path.open(encoding="utf-8") as stream:
        return yaml.load(stream, _Reader)  # noqa: S506 (it is a SafeLoader)


def write(document: Any) -> str:
    """The document as text: deterministic, with keys in their order."""
    text: str = yaml.dump(document, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=120)
    return text


def _mapping(reader: _Reader, node: yaml.MappingNode) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = key_node.value
        if not isinstance(key, str):
            raise yaml.constructor.ConstructorError(None, None, "a key that is no text", key_node.start_mark)
        if key in found:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key!r} stands here twice", key_node.start_mark
            )
        found[key] = reader.construct_object(value_node, deep=True)
    return found


def _int(reader: _Reader, node: yaml.ScalarNode) -> int:
    text = reader.construct_scalar(node)
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


def _float(reader: _Reader, node: yaml.ScalarNode) -> float:
    return float(reader.construct_scalar(node).replace(".inf", "inf").replace(".nan", "nan"))


def _text(writer: _Writer, text: str) -> yaml.ScalarNode:
    return writer.represent_scalar(f"{_TAG}str", text, style="|" if "\n" in text else None)


_Reader.yaml_implicit_resolvers = {}
for _name, (_pattern, _first) in _CORE.items():
    _Reader.add_implicit_resolver(f"{_TAG}{_name}", _pattern, _first)
    _Writer.add_implicit_resolver(f"{_TAG}{_name}", _pattern, _first)
_Reader.add_constructor(f"{_TAG}map", _mapping)
_Reader.add_constructor(f"{_TAG}int", _int)
_Reader.add_constructor(f"{_TAG}float", _float)
_Writer.add_representer(str, _text)
