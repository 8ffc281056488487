import os
import subprocess
import sys

from covidct.jobs.lock import take_lock


def nobody():
    return False


def somebody():
    return True


def test_a_lock_that_was_handed_on_lives_and_dies_with_who_was_handed_it(tmp_path):
    file = tmp_path / "new folder" / "lock"
    lock = take_lock(file, nobody)
    holder = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(lock,)
    )
    os.close(lock)
    assert take_lock(file, somebody) is None
    holder.kill()
    holder.communicate()
    again = take_lock(file, somebody)
    assert again is not None
    os.close(again)


def test_a_lock_is_waited_for_while_its_holder_closes_down(tmp_path):
    lock = take_lock(tmp_path / "lock", nobody)
    ending = subprocess.Popen(["sleep", "0.5"], pass_fds=(lock,))
    os.close(lock)
    again = take_lock(tmp_path / "lock", nobody)
    assert again is not None
    assert ending.wait() == 0
    os.close(again)
