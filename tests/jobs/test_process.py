import os
import subprocess
import sys
import time

from covidct.jobs.process import memory_mb, process_identity


def test_a_process_keeps_its_identity_until_it_ends():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = process_identity(child.pid)
    assert identity == process_identity(child.pid) != process_identity(os.getpid())
    child.kill()
    while process_identity(child.pid):  # a zombie, since nobody has waited for it, is gone
        time.sleep(0.01)
    child.communicate()
    assert process_identity(child.pid) is None


def test_memory_is_that_of_this_process():
    assert 5 < memory_mb() < 1e6
