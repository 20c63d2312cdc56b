"""The only way from here to addresses that somebody else chose: one POST to a receiver, guarded against SSRF.

`Destination.of(url)` reads a URL strictly, `Guard` resolves its host once and refuses all of it if any address is not
public, and `post` connects to an address that was checked, by the name that was asked for. Redirects are not followed
and proxies of the environment not used: either would choose the address anew, behind the guard's back.
"""

from ticketing.outbound.addresses import is_public
from ticketing.outbound.destination import Destination, Refused
from ticketing.outbound.guard import Guard, Unresolved
from ticketing.outbound.posting import Failed, Reply, post

__all__ = ["Destination", "Failed", "Guard", "Refused", "Reply", "Unresolved", "is_public", "post"]
