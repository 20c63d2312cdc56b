"""The product, a noun a file. Read it as the table of contents."""
