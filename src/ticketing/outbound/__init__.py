"""The only way to send to addresses that users choose: one POST to a receiver, guarded against SSRF.

`Destination.of(url)` parses a URL strictly. `Guard` resolves its host once, and refuses it if any of its addresses is
not public. `post` connects to a checked address, and verifies the host's name. It neither follows redirects nor uses
proxies of the environment: either would choose another address behind the guard's back.
"""

from ticketing.outbound.addresses import is_public
from ticketing.outbound.destination import Destination, Refused
from ticketing.outbound.guard import Guard, Unresolved
from ticketing.outbound.posting import Failed, Reply, post

__all__ = ["Destination", "Failed", "Guard", "Refused", "Reply", "Unresolved", "is_public", "post"]
