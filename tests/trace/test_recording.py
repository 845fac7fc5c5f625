"""Recordings keep to their folder and to their room."""

from __future__ import annotations

import dataclasses
import os
import stat

import pytest

from oidproxy.errors import TraceInvalid
from oidproxy.trace import parts, recording
from oidproxy.trace.parts import Parts
from oidproxy.trace.reading import open_trace, read_header

MIB = 1024 * 1024


def begun(folder, **more):
    return recording.begin(folder, **{"size": 8 * MIB, "part": MIB, "bodies": False, "workers": 1, **more})


def lines(count: int, start: int = 0) -> bytes:
    """That many, of half a KiB each that no compressor can make smaller."""
    text = b'{"at":%d,"method":"GET","path":"/%b","status":200}\n'
    return b"".join(text % (start + number, os.urandom(256).hex().encode()) for number in range(count))


def test_a_recording_has_a_folder_of_its_own_that_is_its_users(tmp_path):
    found = begun(tmp_path / "traces")
    assert found.folder.parent == tmp_path / "traces"
    assert stat.S_IMODE(found.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(found.folder.parent.stat().st_mode) == 0o700
    assert begun(tmp_path / "traces").name != found.name


def test_two_recordings_have_two_keys_that_nobody_is_told(tmp_path):
    one, other = begun(tmp_path / "t"), begun(tmp_path / "t")
    assert one.key != other.key
    assert repr(one.key) not in repr(one)


def test_a_link_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "traces").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotADirectoryError):
        begun(tmp_path / "traces")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_what_is_there_takes_room_from_what_comes(tmp_path):
    first = begun(tmp_path / "t", workers=2)
    assert first.room == 4 * MIB
    (first.folder / "worker-0-00001.jsonl.zst").write_bytes(bytes(5 * MIB))
    assert begun(tmp_path / "t").room == 3 * MIB
    (first.folder / "worker-1-00001.jsonl.zst").write_bytes(bytes(3 * MIB))
    with pytest.raises(TraceInvalid, match=r"raise record\.size"):
        begun(tmp_path / "t")


def test_files_follow_each_other_and_are_read_as_one(tmp_path):
    found = begun(tmp_path / "t", part=64 * 1024).for_worker(3)
    out = Parts(found, ["cloud-1"])
    for number in range(20):
        assert out.write(lines(32, 32 * number))
        out.flush()
    out.close()
    names = sorted(path.name for path in found.folder.iterdir())
    assert names[:2] == ["worker-3-00001.jsonl.zst", "worker-3-00002.jsonl.zst"]
    assert len(names) > 2
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in found.folder.iterdir())
    assert [one.at for one in open_trace(found.folder).lines()] == list(range(640))
    assert open_trace(found.folder).header.clouds == ["cloud-1"]
    assert read_header(found.folder / names[1]).clouds == []


def test_the_room_is_kept_to_and_the_beginning_stays(tmp_path):
    found = begun(tmp_path / "t", size=2 * MIB)
    out, taken = Parts(found, []), 0
    while out.write(lines(64, taken)):
        taken += 64
    assert not out.write(lines(1, taken))
    out.close()
    assert recording.used(tmp_path / "t") <= 2 * MIB
    assert recording.used(tmp_path / "t") > 2 * MIB - parts.SLACK - 2 * MIB // 4
    assert [one.at for one in open_trace(found.folder).lines()] == list(range(taken))


def test_a_worker_that_is_started_again_goes_on_in_another_file(tmp_path):
    found = begun(tmp_path / "t", size=2 * MIB)
    first = Parts(found, [])
    first.write(lines(2000))
    first.close()
    again = Parts(found, [])
    assert again.size >= first.size
    again.write(lines(10, 2000))
    again.close()
    assert len(list(found.folder.iterdir())) == 2
    assert len(list(open_trace(found.folder).lines())) == 2010


def test_a_file_that_is_there_is_not_touched(tmp_path):
    found = begun(tmp_path / "t")
    (found.folder / "worker-0-x.jsonl.zst").symlink_to(tmp_path / "target")
    out = Parts(dataclasses.replace(found), [])
    out.write(lines(1))
    out.close()
    assert not (tmp_path / "target").exists()


def test_what_was_flushed_can_be_read_while_it_is_written(tmp_path):
    found = begun(tmp_path / "t")
    out = Parts(found, [])
    out.write(lines(3))
    out.flush()
    assert [one.at for one in open_trace(found.folder).lines()] == [0, 1, 2]
    out.close()
