"""Validation of values by a schema of the document, whichever way they came in."""

from __future__ import annotations

from typing import Any

from ticketing.contract.document import Document, at
from ticketing.contract.forms import Flaws, Forms, shaping
from ticketing.contract.problems import ValidationFailed
from ticketing.contract.schemas import MOST_FAULTS, Schemas


class Judge:
    """One schema, by its JSON Pointer in the document: normalises values, and refuses invalid ones."""

    def __init__(self, document: Document, pointer: str, forms: Forms, schemas: Schemas | None = None) -> None:
        self._schema = (schemas or Schemas(document))[pointer]
        self._shape = shaping(document, at(document, pointer), forms)

    def __call__(self, value: Any) -> Any:
        """The normalised value. Raises ValidationFailed, which names each fault."""
        flaws: Flaws = {}
        if self._shape is not None:
            value = self._shape(value, (), flaws)
        if not flaws and self._schema.is_valid(value):
            return value
        found = [fault for fault in self._schema.faults(value) if fault.pointer not in flaws]
        found = [*flaws.values(), *found][:MOST_FAULTS]
        if len(found) == 1:
            raise ValidationFailed(f"The body is not valid at {found[0].pointer}. {found[0].detail}", errors=found)
        raise ValidationFailed(f"The body is not valid in {len(found)} places.", errors=found)
