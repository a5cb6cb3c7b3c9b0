"""Runs an emulator in this process until standard input closes.

The parent process holds the other end of standard input. When the parent ends for any reason, the
read below returns, and this process group (the emulator and every function that it started) is killed.
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
    sys.exit("could not start the emulator: it is not the leader of its process group")
threading.Thread(target=end_with_parent, daemon=True).start()
sys.argv = ["ministack"]
