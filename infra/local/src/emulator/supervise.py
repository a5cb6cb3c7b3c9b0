"""Runs ministack in this process until standard input closes.

The parent holds the other end of standard input. When the parent is gone, however it went,
the read below ends, and the whole process group (ministack and every function it started) goes with it.
"""

import os
import shutil
import signal
import sys
import threading


def end_with_parent():
    sys.stdin.buffer.read()
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
    os.killpg(os.getpgrp(), signal.SIGKILL)


if os.getpgrp() != os.getpid():
    sys.exit("the emulator must lead a process group of its own")
threading.Thread(target=end_with_parent, daemon=True).start()
sys.argv = ["ministack"]
