"""Bundles the many small files under spec/ into the one document that is published, served and enforced."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ticketing.contract import yaml12
from ticketing.contract.document import ContractError, at

KINDS = ("schemas", "parameters", "responses", "headers", "examples", "requestBodies", "links", "pathItems")


def bundle(root: Path) -> dict[str, Any]:
    """The document at `root` with every file it refers to, as data: the same as `redocly bundle` makes.

    A file in a folder named like a kind of components becomes that component, under the file's name; any other
    file, such as a path item, takes the place of the reference to it, and so does a part of a file (`A.yaml#/enum`).
    """
    root = root.resolve()
    components: dict[str, dict[str, Any]] = {}
    origins: dict[tuple[str, str], Path] = {}

    def expand(node: Any, file: Path) -> Any:
        if isinstance(node, list):
            return [expand(item, file) for item in node]
        if not isinstance(node, dict):
            return node
        if isinstance(node.get("$ref"), str):
            return refer(node, file)
        expanded = {key: expand(value, file) for key, value in node.items()}
        if isinstance(node.get("discriminator"), dict) and "mapping" in node["discriminator"]:
            expanded["discriminator"]["mapping"] = {
                value: refer({"$ref": target}, file)["$ref"]
                for value, target in node["discriminator"]["mapping"].items()
            }
        return expanded

    def refer(node: dict[str, Any], file: Path) -> Any:
        reference = node["$ref"]
        if reference.startswith("#"):
            if file != root:
                raise ContractError(f"{file}: {reference} refers into the bundle. Refer to a file instead.")
            return node
        name, _, pointer = reference.partition("#")
        target = (file.parent / name).resolve()
        if not target.is_file():
            raise ContractError(f"{file}: there is no {reference}.")
        if pointer:
            try:
                return expand(at(yaml12.read(target), pointer), target)
            except (KeyError, IndexError, ValueError, TypeError):
                raise ContractError(f"{file}: there is no {reference}.") from None
        if target.parent.name not in KINDS:
            return expand(yaml12.read(target), target)
        kind, name = target.parent.name, target.stem
        if origins.setdefault((kind, name), target) != target:
            raise ContractError(f"{target} and {origins[kind, name]} would both be components/{kind}/{name}.")
        if name not in components.setdefault(kind, {}):
            components[kind][name] = None  # Recursion ends here.
            components[kind][name] = expand(yaml12.read(target), target)
        beside = {key: expand(value, file) for key, value in node.items() if key != "$ref"}
        return {"$ref": f"#/components/{kind}/{name}", **beside}

    document: dict[str, Any] = expand(yaml12.read(root), root)
    for kind, found in components.items():
        own = document.setdefault("components", {}).setdefault(kind, {})
        if twice := own.keys() & found.keys():
            raise ContractError(f"{root} and a file both define components/{kind}/{min(twice)}.")
        own |= {name: found[name] for name in sorted(found)}
    return document


def load(path: Path) -> dict[str, Any]:
    """A document in a single file, such as the bundle or the catalogue of problems."""
    document = json.loads(path.read_bytes()) if path.suffix == ".json" else yaml12.read(path)
    if not isinstance(document, dict):
        raise ContractError(f"{path} does not hold a mapping.")
    return document


def files(document: Mapping[str, Any], name: str) -> dict[str, str]:
    """The published files of a bundle, called `name`: the same bytes for the same document."""
    return {
        f"{name}.yaml": yaml12.write(document),
        f"{name}.json": json.dumps(document, indent=2, ensure_ascii=False) + "\n",
    }


def write(root: Path, folder: Path, name: str = "openapi") -> list[Path]:
    """Bundle `root` into `folder`, in files called `name`; return the paths of those that changed."""
    folder.mkdir(parents=True, exist_ok=True)
    published = files(bundle(root), name)
    stale = _stale(published, folder)
    for path in stale:
        path.write_text(published[path.name], encoding="utf-8")
    return stale


def drift(root: Path, folder: Path, name: str = "openapi") -> list[Path]:
    """The files called `name` in `folder` that are missing or differ from the bundle of `root`."""
    return _stale(files(bundle(root), name), folder)


def _stale(published: Mapping[str, str], folder: Path) -> list[Path]:
    return [
        folder / name
        for name, text in published.items()
        if not (folder / name).exists() or (folder / name).read_text(encoding="utf-8") != text
    ]
