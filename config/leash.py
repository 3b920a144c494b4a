"""Run a program that ends when its parent ends, however the parent ends. Linux only; elsewhere just runs it.

    python leash.py PARENT_PID SIGNAL USER PROGRAM [ARGUMENT ...]

USER is "-", or the name of the user to become. Run by its path, so that it starts fast and imports nothing of
the project. A program of its own, because between fork and exec a process with threads may not run Python.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, death_signal, user = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    if user != "-":
        entry = pwd.getpwnam(user)
        os.initgroups(user, entry.pw_gid)
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    if sys.platform == "linux":
        # After the change of user, which clears it. It stays in force through exec.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != parent:
            sys.exit(f"{sys.argv[4]} was not started: its parent had already ended.")
    os.execvp(sys.argv[4], sys.argv[4:])


main()
