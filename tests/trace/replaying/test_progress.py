"""The line that says how far a replay is, and says it to a terminal only."""

from __future__ import annotations

import io

from oidproxy.trace.replaying.progress import Bar, text
from oidproxy.trace.replaying.running import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_it_tells_how_far_how_fast_and_what_goes_wrong():
    found = text(Progress(10_000, done=4_000, failed=2, unmatched=30), 12.5)
    assert found == ("[#########---------------]  40 %  4,000 of 10,000  00:12  320/s  2 failed  30 not sent")
    assert text(Progress(0), 0.0).startswith("[########################] 100 %  0 of 0")


def test_a_terminal_is_drawn_on_and_a_file_is_not():
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        bar = Bar(stream)
        bar.show(Progress(10, done=5))
        bar.close()
    assert "5 of 10" in terminal.getvalue()
    assert terminal.getvalue().endswith("\n")
    assert not file.getvalue()


def test_a_sender_that_cannot_keep_up_says_so_once_wherever_it_writes():
    file = io.StringIO()
    bar = Bar(file)
    for _ in range(3):
        bar.show(Progress(10, lag=250_000_000))
    assert file.getvalue().count("sending 250 ms after the intended time: this machine cannot keep up") == 1
