"""Many files to one document: what `redocly bundle` makes of them, the same bytes each time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from contract.sample import library

from ticketing import contract
from ticketing.contract import yaml12

ROOT = library.SPEC / "openapi.yaml"


def test_it_is_what_redocly_makes_of_it() -> None:
    expected = json.loads((library.SPEC.parent / "bundled-by-redocly.json").read_text())
    assert contract.bundle(ROOT) == expected


def test_it_holds_the_same_data_in_both_files_and_can_tell_when_they_are_stale(tmp_path: Path) -> None:
    assert contract.drift(ROOT, tmp_path) == [tmp_path / "openapi.yaml", tmp_path / "openapi.json"]
    assert contract.write(ROOT, tmp_path) == [tmp_path / "openapi.yaml", tmp_path / "openapi.json"]
    assert contract.drift(ROOT, tmp_path) == []
    assert contract.write(ROOT, tmp_path) == []
    document = contract.bundle(ROOT)
    assert contract.load(tmp_path / "openapi.yaml") == contract.load(tmp_path / "openapi.json") == document
    (tmp_path / "openapi.yaml").write_text("openapi: 3.1.1\n")
    assert contract.drift(ROOT, tmp_path) == [tmp_path / "openapi.yaml"]


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".yaml").write_text(text)
    return folder / "root.yaml"


def test_a_recursive_schema_ends(tmp_path: Path) -> None:
    root = written(tmp_path, root="a: {$ref: schemas/Tree.yaml}", schemas__Tree="items: {$ref: Tree.yaml}")
    tree = "#/components/schemas/Tree"
    expected = {"a": {"$ref": tree}, "components": {"schemas": {"Tree": {"items": {"$ref": tree}}}}}
    assert contract.bundle(root) == expected


def test_the_mapping_of_a_discriminator_is_followed(tmp_path: Path) -> None:
    root = written(
        tmp_path,
        root="a: {oneOf: [], discriminator: {propertyName: kind, mapping: {x: schemas/X.yaml}}}",
        schemas__X="type: object",
    )
    bundled = contract.bundle(root)
    assert bundled["a"]["discriminator"]["mapping"] == {"x": "#/components/schemas/X"}
    assert bundled["components"]["schemas"]["X"] == {"type": "object"}


def test_a_part_of_a_file_takes_the_place_of_the_reference(tmp_path: Path) -> None:
    root = written(tmp_path, root="a: {x-known: {$ref: 'schemas/A.yaml#/enum'}}", schemas__A="enum: [x, y]")
    assert contract.bundle(root) == {"a": {"x-known": ["x", "y"]}}


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"root": "a: {$ref: 'schemas/A.yaml#/enum'}", "schemas__A": "x: 1"}, "there is no schemas/A.yaml#/enum"),
        ({"root": "a: {$ref: schemas/Missing.yaml}"}, "there is no schemas/Missing.yaml"),
        (
            {"root": "a: {$ref: schemas/A.yaml}", "schemas__A": "b: {$ref: '#/components/schemas/B'}"},
            "refers into the bundle",
        ),
        (
            {
                "root": "a: [{$ref: schemas/A.yaml}, {$ref: other/schemas/A.yaml}]",
                "schemas__A": "x: 1",
                "other__schemas__A": "x: 2",
            },
            "would both be components/schemas/A",
        ),
        (
            {"root": "a: {$ref: schemas/A.yaml}\ncomponents: {schemas: {A: {}}}", "schemas__A": "x: 1"},
            "both define components/schemas/A",
        ),
    ],
)
def test_what_cannot_be_bundled_is_said(tmp_path: Path, files: dict[str, str], complaint: str) -> None:
    with pytest.raises(contract.ContractError, match=complaint):
        contract.bundle(written(tmp_path, **files))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("2026-11-24", "2026-11-24"),
        ("1_000", "1_000"),
        ("010", 10),
        ("0o10", 8),
        ("0x10", 16),
        ("1:30", "1:30"),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", float("-inf")),
        ("~", None),
        ("", None),
        ("{200: x, no: y}", {"200": "x", "no": "y"}),
        ("<<: {a: 1}", {"<<": {"a": 1}}),
        ("'1'", "1"),
    ],
)
def test_yaml_is_read_as_version_1_2(tmp_path: Path, text: str, value: object) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    assert yaml12.read(path) == value


@pytest.mark.parametrize("text", ["{a: 1, a: 2}", "a:\n  '200': 1\n  200: 2", "[1]: 2"])
def test_yaml_that_json_cannot_mean_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(yaml.YAMLError, match=r"a\.yaml"):
        yaml12.read(path)


def test_what_is_written_is_read_alike_by_both_versions_of_yaml(tmp_path: Path) -> None:
    texts = [
        "no",
        "1e3",
        "0o17",
        "1_000",
        "2026-11-24",
        "a\nb\n",
        " x",
        "x ",
        "",
        "~",
        "1:30",
        "é",
        "a: b",
        "#",
        "\t\n",
    ]
    document = {text: [text, {"n": 1, "f": 1.5, "t": True, "z": None}] for text in texts}
    path = tmp_path / "a.yaml"
    path.write_text(yaml12.write(document))
    assert yaml12.read(path) == yaml.safe_load(path.read_text()) == document


def test_a_document_is_a_mapping(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("[]")
    with pytest.raises(contract.ContractError, match="does not hold a mapping"):
        contract.load(path)
