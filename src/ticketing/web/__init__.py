"""HTTP around the API: the protocol on the wire, and the pages beside the API."""
