"""A self-hosted ticketing service whose published OpenAPI contract is the product.

One noun runs through five files: `spec/paths/tickets.yaml`, `api/tickets.py` (handlers), `rules/tickets.py`,
`sql/queries/tickets.sql`, `tests/api/test_tickets.py`; and one word through all of them: the `operationId`.

Start reading at `app.py` (what the process is made of), `api/__init__.py` (every operation, on one page), `rules/`
(what the product does) and `migrations/0001_initial.sql` (the data model).

Folders import downwards only, in this order:

commands/    what a person types
processes/   serving and working: how processes start, hand over, and are looked after
app          what the web process is made of
api/ web/    handlers; the protocol on the wire, and pages
reactions/ sources/   what follows from events and clocks; what comes from elsewhere
monitoring/  what operators see of a process
rules/       the product, a noun a file
log/         the event log as it is read
writing/     retried how, against which version, continued from where
access/      who is asking, what they may see and do
jobs/ outbound/ sealing   engines that know no noun
db/          PostgreSQL
ground/      settings, errors, figures, the form of texts and moments
contract/    binds the OpenAPI document to handlers, and knows nothing of tickets
"""

from importlib.metadata import version

__version__ = version("ticketing-service")
