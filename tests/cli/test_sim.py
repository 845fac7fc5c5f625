"""`oidproxy sim`: options of one cloud and of many do not mix, and say what is wrong."""

from __future__ import annotations

import pytest

from oidproxy.cli.main import main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--name", "a", "--data", "d", "--items", "3"], "--items does not go with --name"),
        (["--name", "a", "--data", "d", "--disturbances", "f"], "--disturbances does not go with --name"),
        (["--clouds", "2", "--data", "d", "--address", "127.0.0.9"], "--address does not go with --clouds"),
        (["--clouds", "2", "--data", "d", "--homes", "3"], "--homes: 1 to 2, got 3"),
        (["--clouds", "2", "--data", "d", "--network", "10.1"], "--network: 127.0 to 127.254, got 10.1"),
    ],
)
def test_what_does_not_go_together_is_told(words, said, capsys):
    assert main(["sim", *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--data", "d"], ["--name", "a", "--clouds", "2", "--data", "d"]])
def test_it_is_either_one_cloud_or_many(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["sim", *words])
    assert ended.value.code == 2
    assert "--clouds" in capsys.readouterr().err


def test_a_file_of_disturbances_that_cannot_be_used_ends_it(tmp_path, capsys):
    path = tmp_path / "file.yaml"
    path.write_text("rules: [{fault: flood}]")
    words = ["--clouds", "1", "--data", str(tmp_path / "data"), "--network", "127.239"]
    assert main(["sim", *words, "--disturbances", str(path)]) == 2
    assert "flood" in capsys.readouterr().err
    assert main(["sim", *words, "--disturbances", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml: No such file" in capsys.readouterr().err
