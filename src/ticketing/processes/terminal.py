"""The terminal that a command runs at: when it is closed, the command ends."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Sequence
from typing import Any

LOOK_MILLISECONDS = 1000
"""How often a terminal is looked at; most report at once that they are closed."""


def end_with_terminal() -> None:
    """End as by SIGTERM on SIGHUP, and when our terminal is closed without one; not under nohup, which ignores it.

    A shell passes SIGHUP on to what runs at its terminal. If make is the terminal's first process, nobody does.
    """
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return
    ours = [file for file in (0, 1, 2) if os.isatty(file)]

    def end(*_: Any) -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # It may come twice; a second SIGTERM would interrupt the end.
        _leave(ours)
        signal.raise_signal(signal.SIGTERM)

    signal.signal(signal.SIGHUP, end)
    if ours:
        threading.Thread(target=_await_close, args=(os.dup(ours[0]),), daemon=True).start()


def _leave(files: Sequence[int]) -> None:
    """Write nothing to a closed terminal any more: that fails, and would keep us from ending well."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for file in files:
        os.dup2(nowhere, file)


def _await_close(file: int) -> None:
    terminal = select.poll()
    terminal.register(file, 0)
    while not (found := terminal.poll(LOOK_MILLISECONDS)):
        pass
    if found[0][1] & select.POLLHUP:  # Some systems cannot poll terminals, and say that instead.
        os.kill(os.getpid(), signal.SIGHUP)
