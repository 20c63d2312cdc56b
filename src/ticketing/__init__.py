"""A self-hosted ticketing service whose published OpenAPI contract is the product.

One noun runs through five files: `spec/paths/tickets.yaml`, `api/tickets.py` (handlers), `tickets.py` (rules),
`sql/tickets.sql`, `tests/test_tickets.py`; and one word through all of them: the `operationId`.

Start reading at `app.py` (what the process is made of), `api/__init__.py` (every operation, on one page) and
`migrations/0001_initial.sql` (the data model). `contract/` binds the OpenAPI document to the handlers and knows
nothing of tickets.
"""

from importlib.metadata import version

__version__ = version("ticketing-service")
