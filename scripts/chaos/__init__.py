"""Break everything that can break, for a while, and account for every write that was acknowledged meanwhile."""
