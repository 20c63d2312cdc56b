"""Who is asking, what they may see, and what they may do."""
