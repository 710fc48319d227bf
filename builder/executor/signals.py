"""Signals as a freshly started program expects them.

An ignored signal stays ignored through exec. Python ignores SIGPIPE, and whoever started dockyard may ignore
others; a step would inherit that (`yes | head` would never end), and pasta refuses to start.
"""

from __future__ import annotations

import signal


def restore_signals() -> None:
    """Gives every ignored signal its default action and blocks none; for a process about to exec."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
