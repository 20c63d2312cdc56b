"""Imports: what people wrote elsewhere, brought here with its history.

`files.py` finds the entries of a file; `github.py` reads them and says what is wrong with them; `loading.py` writes
what any source gave; `cli.py` is `ticketing import`.
"""
