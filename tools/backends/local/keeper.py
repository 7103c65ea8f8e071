"""The chain of processes between a supervisor and a program, such that nothing outlives either.

    supervisor ── keeper ── first ── program       first is PID 1 of a PID namespace: when it ends, all below it do
    supervisor ── keeper ── program                without namespaces: the keeper adopts and ends every descendant

Each link dies with the one before it. It decides how a program is contained, never for how long.
Everything after a fork stays in this module and ends in `os._exit`. Standard library only.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal, NamedTuple, NoReturn

from tools.backends.local import linux, sandbox
from tools.backends.local.launch import Launch
from tools.backends.local.process import PROC, Process, family, process, tell

Mode = Literal["sandbox", "namespace", "group"]
"""A new root and PID namespace; a PID namespace alone; neither."""

TERMINATE = b"T"


class Kept(NamedTuple):
    """A program on its way."""

    pid: int
    """The keeper's."""
    line: socket.socket
    """Closing it ends everything; it says `ready`, `exit STATUS` or `fail REASON`."""


class Program(NamedTuple):
    """What is started at the end of the chain."""

    argv: Sequence[str]
    folder: str
    environment: Mapping[str, str]
    output: int
    """File descriptor for stdout and stderr."""
    shell: Mapping[str, str]
    """The environment the user started from: where programs lie."""
    largest: int
    """Bytes that one file may have."""


def start(program: Program, launch: Launch, *, mode: Mode, root: str) -> Kept:
    """Fork the chain. It says `fail REASON`, and nothing has run, when the kernel does not allow this mode."""
    ours, theirs = socket.socketpair()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _guarded(theirs, lambda: _keep(program, launch, mode, root, theirs, parent))
    theirs.close()
    return Kept(pid, ours)


def said(line: socket.socket) -> str:
    """The next thing the keeper says, without its newline; empty once it has ended."""
    text = b""
    while (byte := line.recv(1)) not in (b"", b"\n"):
        text += byte
    return text.decode(errors="replace")


def _keep(program: Program, launch: Launch, mode: Mode, root: str, line: socket.socket, parent: int) -> NoReturn:
    _own_descriptors(program.output, line.fileno())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    if mode == "group":
        _die_with(parent, signal.SIGTERM)
        linux.adopt_orphans()
        _attend(program, line, linux.die_with_parent, _everything_below)
    _namespaces(launch, mode)
    _die_with(parent, signal.SIGKILL)
    if first := os.fork():
        line.close()
        os.waitpid(first, 0)
        os._exit(0)
    _guarded(line, lambda: _first(program, launch, mode, root, line))


def _first(program: Program, launch: Launch, mode: Mode, root: str, line: socket.socket) -> NoReturn:
    """PID 1 of the namespace."""
    linux.die_with_parent(signal.SIGKILL)
    if mode == "sandbox":
        sandbox.build(launch, root, program.shell)
    else:
        linux.private_mounts()
        linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)

    def before(number: int) -> None:
        if mode == "sandbox":
            _lock_in()
        linux.die_with_parent(number)

    _attend(program, line, before, _everyone_else)


def _namespaces(launch: Launch, mode: Mode) -> None:
    uid, gid = os.geteuid(), os.getegid()
    own = linux.CLONE_NEWPID | linux.CLONE_NEWNS
    if mode == "namespace" and uid == 0:
        linux.unshare(own)
        return
    extra = linux.CLONE_NEWIPC | (0 if launch.network else linux.CLONE_NEWNET)
    linux.unshare(linux.CLONE_NEWUSER | own | (extra if mode == "sandbox" else 0))
    linux.map_self(uid, gid)


def _lock_in() -> None:
    """A user namespace below the one that made the mounts: they cannot be undone from here, by anybody."""
    uid, gid = os.geteuid(), os.getegid()
    linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNS)
    linux.map_self(uid, gid)
    linux.renounce()


def _attend(
    program: Program, line: socket.socket, before: Callable[[int], None], end: Callable[[int], None]
) -> NoReturn:
    """Start the program, reap whatever ends, pass on the wish to terminate; end all when it or the supervisor ends."""
    awake, waker = os.pipe()
    for each in (awake, waker):
        os.set_blocking(each, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: _abandon(end))
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    go, started = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(go)
        _guarded(line, lambda: _become(program, before))
    os.close(started)
    if not PROC.joinpath("self").exists():
        end = partial(_its_group, pid)
    os.read(go, 1)  # ends when the program is started or has said why not
    os.close(go)
    linux.close_memory()
    _tell(line, b"ready")
    while (status := _reaped(pid)) is None:
        readable, _, _ = select.select([line.fileno(), awake], [], [])
        if awake in readable:
            os.read(awake, 4096)
        if line.fileno() in readable and not _obey(line, end):
            _abandon(end)
    end(signal.SIGKILL)
    _tell(line, b"exit %d" % status)
    os._exit(0)


def _become(program: Program, before: Callable[[int], None]) -> NoReturn:
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    before(signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (program.largest, program.largest))
    environment = dict(program.environment)
    try:
        os.chdir(program.folder)
        os.execvpe(program.argv[0], list(program.argv), environment)
    except OSError as error:
        os.write(2, f"{program.argv[0]}: {error.strerror} (in {program.folder})\n".encode())
        os._exit(127)


def _obey(line: socket.socket, end: Callable[[int], None]) -> bool:
    """Do what the supervisor says; False when it is gone."""
    said = line.recv(16)
    if said == TERMINATE:
        end(signal.SIGTERM)
    return bool(said)


def _reaped(pid: int) -> int | None:
    """Reap all that have ended; the program's wait status once it is among them."""
    while True:
        try:
            ended, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        if ended == 0:
            return None
        if ended == pid:
            return status


def _everyone_else(number: int) -> None:
    """In a PID namespace: everybody but its first process. After SIGKILL none is left."""
    try:
        os.kill(-1, number)
    except ProcessLookupError:
        return
    while number == signal.SIGKILL:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _everything_below(number: int) -> None:
    """Without one: every descendant, whoever its parent was; this process has adopted the orphans."""
    for _ in range(200):
        members = family(process(os.getpid()))
        for member in members:
            tell(member, number)
        if number != signal.SIGKILL or not members:
            return
        _reap_all(members)


def _its_group(program: int, number: int) -> None:
    """Where there is no list of processes: whoever has stayed in the program's own session."""
    try:
        os.killpg(program, number)
    except (ProcessLookupError, PermissionError):
        return


def _reap_all(members: Sequence[Process]) -> None:
    for member in members:
        try:
            os.waitpid(member.pid, 0)
        except ChildProcessError:
            continue  # not ours yet: its parent's end makes it so, and the next look finds it


def _abandon(end: Callable[[int], None]) -> NoReturn:
    """Nobody waits for the answer any more."""
    end(signal.SIGKILL)
    os._exit(0)


def _die_with(parent: int, number: int) -> None:
    linux.die_with_parent(number)
    if os.getppid() != parent:
        os._exit(1)


def _own_descriptors(output: int, line: int) -> None:
    """Keep stdin from nowhere, stdout and stderr to the log, and the line; nothing else is inherited."""
    nowhere = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nowhere, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.closerange(3, line)
    os.closerange(line + 1, os.sysconf("SC_OPEN_MAX"))


def _guarded(line: socket.socket, work: Callable[[], NoReturn]) -> NoReturn:
    """A forked process never returns into its parent's code."""
    try:
        work()
    except Exception as error:  # noqa: BLE001 - whatever it is, the supervisor is told and nothing runs on
        _tell(line, f"fail {error}".encode()[:500])
    finally:
        sys.stderr.flush()
        os._exit(1)


def _tell(line: socket.socket, text: bytes) -> None:
    try:
        line.sendall(text.replace(b"\n", b" ") + b"\n")
    except OSError:
        os._exit(1)  # the supervisor is gone; the next link of the chain ends the rest
