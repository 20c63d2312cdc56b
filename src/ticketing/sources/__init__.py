"""Imports: issues from other systems, with their history.

`files.py` finds the entries of a file; `github.py` reads them and says what is wrong with them; `loading.py` writes the
issues of any source. The command is `commands/importing.py`.
"""
