"""A self-hosted ticketing service whose published OpenAPI contract is the product.

One noun runs through five files: `spec/paths/tickets.yaml`, `api/tickets.py` (handlers), `rules/tickets.py`,
`sql/queries/tickets.sql`, `tests/api/test_tickets.py`; and one word through all of them: the `operationId`.

Start reading at `app.py` (what the process is made of), `api/__init__.py` (every operation, on one page), `rules/`
(what the product does) and `migrations/0001_initial.sql` (the data model).

Folders import downwards only, in this order:

commands/    the command line
processes/   how API and worker processes start, hand over, stay together and answer probes
app          the composition root of the web process
api/ web/    handlers; the protocol on the wire, and pages
reactions/ sources/   what events and clocks trigger; imports from other systems
monitoring/  what operators see of a process
rules/       the product's rules, a file per noun
log/         reading the event log
writing/     idempotency, preconditions, patches, paging
access/      who is asking, and what they may see and do
jobs/ outbound/ sealing   engines that know no noun
db/          PostgreSQL
ground/      settings, errors, metrics, the stored form of texts and timestamps
contract/    binds the OpenAPI document to handlers, and knows nothing of tickets
"""

from importlib.metadata import version

__version__ = version("ticketing-service")
