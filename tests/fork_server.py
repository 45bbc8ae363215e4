"""Starts `mallgate` by forking a process that has imported it: the imports are most of what a start costs.

Run with the descriptor of a socket. Each request on it is a JSON object and four descriptors: standard input, output
and error of the program, and the socket that is told its pid, and its exit status once it has ended.
"""

from __future__ import annotations

import contextlib
import gc
import os
import selectors
import signal
import socket
import sys
from dataclasses import dataclass

import orjson

import gateway.cli.run  # noqa: F401 -- what the program imports as well
from gateway.cli import main
from gateway.telemetry import failpoints

LARGEST_REQUEST = 1 << 20


@dataclass
class Request:
    """A program to be started. ends: told how it began and ended."""

    arguments: list[str]
    environment: dict[str, str]
    directory: str
    streams: list[int]
    ends: socket.socket


def received(requests: socket.socket) -> Request | None:
    """The next request, None once nobody can ask any more."""
    message, descriptors, _, _ = socket.recv_fds(requests, LARGEST_REQUEST, 4)
    if not message:
        return None
    return Request(**orjson.loads(message), streams=descriptors[:3], ends=socket.socket(fileno=descriptors[3]))


def serve(requests: socket.socket) -> Request | None:
    """Start what is asked for and report every end; None once nobody can ask any more.

    In a started program it returns the request that it was started for.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(requests)
        selector = stack.enter_context(selectors.DefaultSelector())
        selector.register(requests, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not requests:
                    selector.unregister(key.fileobj)
                    report(key.fd, *key.data)
                elif (request := received(requests)) is None:
                    return None
                elif (pid := os.fork()) == 0:
                    close_all(selector, requests)
                    return request
                else:
                    selector.register(begun(pid, request), selectors.EVENT_READ, (pid, request.ends))


def begun(pid: int, request: Request) -> int:
    """Say that a process has begun; a descriptor that can be read when it has ended."""
    for stream in request.streams:
        os.close(stream)
    request.ends.send(str(pid).encode())
    return os.pidfd_open(pid)


def report(descriptor: int, pid: int, ends: socket.socket) -> None:
    """Say how a process has ended."""
    os.close(descriptor)
    _, status = os.waitpid(pid, 0)
    with ends, contextlib.suppress(BrokenPipeError):
        ends.send(str(os.waitstatus_to_exitcode(status)).encode())


def close_all(selector: selectors.BaseSelector, requests: socket.socket) -> None:
    """Leave other programs to the server."""
    for key in selector.get_map().values():
        if key.fileobj is not requests:
            os.close(key.fd)
            key.data[1].close()


def run(request: Request) -> None:
    """Become the program."""
    request.ends.close()
    for number, stream in enumerate(request.streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request.directory)
    os.environ.clear()
    os.environ.update(request.environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    failpoints._armed = failpoints.read_failpoint(os.environ)  # as it is when the module is imported
    sys.argv = ["mallgate", *request.arguments]
    main()


if __name__ == "__main__":
    gc.freeze()  # so that the pages of what is imported stay shared
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if (request := serve(socket.socket(fileno=int(sys.argv[1])))) is not None:
        run(request)
