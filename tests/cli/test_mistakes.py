"""What a user can mend is said in a line, with status 2, and never as a traceback."""

from __future__ import annotations

import pytest

from oidproxy.cli.main import main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sim", "--name", "x", "--data", "/proc/x"], "oidproxy sim: /proc/x: "),
        (["demo", "--folder", "/dev/null"], "oidproxy demo: /dev/null: "),
    ],
)
def test_a_folder_that_cannot_be_used_is_named(capsys, arguments, said):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    "arguments",
    [
        ["demo", "--image-size", "0"],
        ["demo", "--image-size", "-3"],
        ["demo", "--image-size", "many"],
        ["serve", "--config", "x", "--workers", "0"],
        ["sim", "--name", "x", "--data", "x", "--token-lifetime", "-4"],
        ["sim", "--name", "x", "--data", "x", "--token-cache-time", "nan"],
    ],
)
def test_a_number_that_makes_no_sense_is_refused(capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert arguments[-2] in capsys.readouterr().err
