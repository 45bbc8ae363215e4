"""Guards one engine: it ends when the process that asked for it ends, however that ends.

Run as a script by `gateway.embedded.process`, in a session of its own so that a Ctrl-C meant for the program does not
reach the engine. It needs nothing but the standard library and stays single-threaded: the parent-death signal that
covers the guard's own violent end is tied to a thread. Linux only.

argv[1] is a JSON object: `gateway.embedded.process.Command` without the engine's environment, which is the guard's own,
since anybody may read a command line. Standard output: the engine's pid on a line, then one empty line per command
obeyed. Standard input: commands `engine SIGNUM` or `tree SIGNUM`; its end, or the end of the asking process, ends the
engine. The guard exits when nothing of the engine is left.
"""

from __future__ import annotations

import ctypes
import json  # noqa: TID251 - started without site-packages
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522

# As in `gateway.embedded.process`.
_FIRST_FOLDER = 100

# How long an engine may take over its stop signal before everything is killed.
_STOP_SECONDS = 5.0

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _prctl(option: int, *arguments: int) -> None:
    _checked(_libc.prctl(option, *(ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4])))


def _drop_capabilities() -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    _checked(_libc.capset(header, (ctypes.c_uint32 * 6)()))


def _prepare(guard: int, user: list[int] | None) -> None:
    """Runs in the engine's process just before its program: drop rights permanently, then tie its life to the guard's.

    In this order, because a change of user clears the parent-death signal.
    """
    if user is not None:
        os.setgroups([])
        os.setresgid(user[1], user[1], user[1])
        os.setresuid(user[0], user[0], user[0])
    _drop_capabilities()
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != guard:
        os._exit(1)


def _opened(folders: list[str]) -> list[int]:
    """Open directories under the numbers that the engine's command knows them by."""
    numbers = list(range(_FIRST_FOLDER, _FIRST_FOLDER + len(folders)))
    for number, folder in zip(numbers, folders, strict=True):
        descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        os.dup2(descriptor, number)
        os.close(descriptor)
    return numbers


def _launch(command: dict[str, Any]) -> subprocess.Popen[bytes]:
    guard = os.getpid()
    with Path(command["input"]).open("rb") as source:
        return subprocess.Popen(  # noqa: S603 - the command is the program's own
            command["argv"],
            cwd=command["directory"],
            stdin=source,
            stdout=sys.stderr,
            stderr=sys.stderr,
            pass_fds=_opened(command["folders"]),
            preexec_fn=lambda: _prepare(guard, command["user"]),  # noqa: PLW1509 - one thread
        )


def _parents() -> Iterator[tuple[int, int]]:
    """(pid, parent's pid) of every process there is."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            yield int(stat.parent.name), int(stat.read_bytes().rpartition(b")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked


def _tree() -> list[int]:
    """Everything below the guard, parents before children; as a subreaper it also inherits what the engine orphans."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents():
        children.setdefault(parent, []).append(pid)
    found = [os.getpid()]
    for pid in found:
        found.extend(children.get(pid, ()))
    return found[1:]


def _send(pids: list[int], signum: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, signum)
        except ProcessLookupError:
            continue


def _reply(line: str) -> None:
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


def _handle_commands(engine: int, commands: str) -> None:
    for line in commands.splitlines():
        scope, signum = line.split()
        _send([engine], int(signum))
        if scope == "tree":  # the engine's first process came first, so that the rest is not replenished meanwhile
            _send(_tree(), int(signum))
        _reply("")


def _guard_engine(engine: int, asker: int) -> bool:
    """Wait for an end. True: of the engine. False: of the asking process, or of its interest."""
    ended = os.pidfd_open(engine)
    poll = select.poll()
    for descriptor in (ended, asker, sys.stdin.fileno()):
        poll.register(descriptor, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in poll.poll()}
        if ended in ready:
            return True
        if asker in ready:
            return False
        commands = os.read(sys.stdin.fileno(), 4096)
        if not commands:
            return False
        _handle_commands(engine, commands.decode())


def _stop_engine(engine: subprocess.Popen[bytes], signum: int) -> None:
    """Let the engine go in its own way (PostgreSQL then leaves no shared memory behind), but not for long."""
    _send(_tree(), signal.SIGCONT)
    _send([engine.pid], signum)
    try:
        engine.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        engine.kill()


def _sweep() -> None:
    """Kill and reap until nothing is left below the guard."""
    while True:
        _send(_tree(), signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def main(command: dict[str, Any]) -> int:
    """Run the engine to its end and return its exit status."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, lambda *_: None)  # a handler, unlike SIG_IGN, is not inherited by the engine
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    asker = os.pidfd_open(command["asker"])
    if os.getppid() != command["asker"]:
        return 1  # it ended before we began, and the pid may be someone else's by now
    engine = _launch(command)
    _reply(str(engine.pid))
    if not _guard_engine(engine.pid, asker):
        _stop_engine(engine, command["stop_signal"])
    status = engine.wait()
    _sweep()
    return abs(status)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
