"""Imports: issues from other systems, with their history.

`files.py` finds the entries of a file, and `recognition.py` knows the files of other systems. `github/` makes issues of
the entries, in the form of `issues.py`, and says what is wrong with them. `loading/` writes the issues of any source.
`report.py` says what became of them, and `reversion.py` reverts a run. The command is `commands/importing.py`.
"""
