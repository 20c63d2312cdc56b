"""Imports: what people wrote elsewhere, brought here with its history.

`github.py` reads one source and says what is wrong with it; `loading.py` writes what any source gave; `cli.py` is
`ticketing import`.
"""
