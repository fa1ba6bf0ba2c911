# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A warm process that runs commands in forks of itself, for all workers of the tests.

Pages of the documentation, benchmarks and tests call `tunesmith` and Python some three hundred times, and most of each
call's time is importing torch and transformers. Here one process imports them once; a stand-in for a command hands
its arguments, folder, environment and open files to it, and the command runs in a fork: a process of its own, only with
its imports done. That the real command works from its start is shown where it is killed or asked through a pipe
(tests/e2e/test_commands.py, test_search.py, tests/cli/test_start.py).
"""

import contextlib
import fcntl
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

STAND_IN = """#!{python} -SE
import json, os, signal, socket, struct, sys
ENDS = [one for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT) if signal.getsignal(one) != signal.SIG_IGN]
signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
def pass_on(number, frame):
    os.kill(fork, number)
with socket.socket(socket.AF_UNIX) as line:
    line.connect({address!r})
    told = json.dumps(dict(argv=sys.argv, cwd=os.getcwd(), env=dict(os.environ))).encode()
    socket.send_fds(line, [struct.pack("!I", len(told))], [0, 1, 2])
    line.sendall(told)
    (fork,) = struct.unpack("!I", line.recv(4, socket.MSG_WAITALL))
    for number in ENDS:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
    answer = line.recv(4, socket.MSG_WAITALL)
code = struct.unpack("!i", answer)[0] if answer else 70
if code < 0:
    if -code in ENDS:
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
"""


COMMANDS = {one.name: one for one in entry_points(group="console_scripts") if one.name.startswith("tunesmith")}
"""Ours, as far as they are installed."""
PYTHON, ALIAS = "forked-python", "python"
"""Takes ``-c PROGRAM``, ``-m MODULE``, or a file, and arguments; nothing else that Python takes.

The second name is for shells that find the folder on their PATH: what they call ``python`` is a fork too.
"""


class Forge:
    """Uses the warm process of a folder, or starts it; the folder holds ``PYTHON`` and our commands, which use it too.

    Signals that ask one of them to end are passed on to its fork, and it ends as its fork does, by a signal too.
    SIGKILL cannot be passed on: what is to be killed from outside needs the real command, and so does what looks at its
    own process group or terminal.

    Args:
        folder: of all that share the process; it lasts as long as one of them is there. Its path must be short enough
            for a socket's address (about 100 characters).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # others wait, and use what the first one started
            self._stay = stay(folder)
            if self._stay is None:
                self._start(str(folder / "line"))
                self._stay = stay(folder)
        assert self._stay is not None, "the warm process did not come up"

    def _start(self, address: str) -> None:
        for name in (*COMMANDS, PYTHON, ALIAS):
            command = self.folder / name
            command.write_text(STAND_IN.format(python=sys.executable, address=address))
            command.chmod(0o755)
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE}
        process = subprocess.Popen([sys.executable, __file__, str(self.folder)], **pipes)
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        threading.Thread(target=process.wait, daemon=True).start()  # else it would be told of as still running

    def python(self, *arguments: object, **options: Any) -> "subprocess.CompletedProcess[str]":
        """``python ARGUMENTS`` in a fork, to its end; options are those of ``subprocess.run``."""
        command = [str(self.folder / PYTHON), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, **options)

    def tunesmith(self, *arguments: object, **options: Any) -> "subprocess.CompletedProcess[str]":
        """``tunesmith ARGUMENTS`` in a fork, to its end."""
        return self.python("-m", "tunesmith_cli", *arguments, **options)

    def close(self) -> None:
        assert self._stay is not None
        self._stay.close()


def of_all_workers(temporary: Path) -> Iterator[Forge]:
    """The one of a run of pytest, for as long as a worker needs it.

    Args:
        temporary: the worker's base folder for temporary files.
    """
    warm = Forge((temporary.parent if "PYTEST_XDIST_WORKER" in os.environ else temporary) / "forge")
    yield warm
    warm.close()


def stay(folder: Path) -> socket.socket | None:
    """Keeps the folder's process alive as long as this is open; none, where there is no process."""
    line = socket.socket(socket.AF_UNIX)
    with contextlib.suppress(OSError):
        line.connect(str(folder / "stay"))
        if line.recv(1):
            return line
    line.close()
    return None


def serve(folder: Path) -> None:
    """Fork for every line that comes in, until nobody stays."""
    import peft
    import pyarrow as pa
    import sklearn.metrics
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification
    from transformers.conversion_mapping import get_checkpoint_conversion_mapping

    import tunesmith.engine.compiled
    import tunesmith.training
    from tunesmith.evaluate.report.page import page_environment
    from tunesmith.machine.precision import bf16_speedup
    from tunesmith_cli.main import main

    # What a process does once, and half a second each: every fork would do it again.
    get_checkpoint_conversion_mapping("llama")
    bf16_speedup()  # on one thread, as everything before a fork must be
    page_environment().get_template("report.html.j2")
    mains = {name: entry.load() for name, entry in COMMANDS.items()} | dict.fromkeys((PYTHON, ALIAS), main)
    del peft, pa, sklearn, torch, transformers, AutoModelForCausalLM, AutoModelForSequenceClassification, tunesmith
    told, tell = socket.socketpair()  # a byte for every fork that has ended
    tell.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(tell.fileno(), warn_on_full_buffer=False)
    lines: dict[int, socket.socket] = {}
    with socket.socket(socket.AF_UNIX) as door, socket.socket(socket.AF_UNIX) as stays:
        for one, name in ((door, "line"), (stays, "stay")):
            (folder / name).unlink(missing_ok=True)  # of one that is over
            one.bind(str(folder / name))
            one.listen()
        print("ready", flush=True)
        if not select.select([stays], [], [], 10)[0]:
            return  # whoever started this was ended meanwhile
        kept = [stays.accept()[0]]
        kept[0].sendall(b"1")
        while kept:
            heard = select.select([door, stays, told, *kept], [], [])[0]
            if told in heard:
                told.recv(4096)
                say_how_they_ended(lines)
            kept = [one for one in kept if one not in heard]  # they say nothing: one that is heard of has ended
            if stays in heard:
                kept.append(stays.accept()[0])
                kept[-1].sendall(b"1")
            if door not in heard:
                continue
            line, _ = door.accept()
            fork = os.fork()
            if fork == 0:
                signal.set_wakeup_fd(-1)
                for one in (door, stays, told, tell, *kept, *lines.values()):
                    one.close()
                code = 70
                try:
                    code = run(line, mains)
                finally:
                    os._exit(code)
            lines[fork] = line


def say_how_they_ended(lines: dict[int, socket.socket]) -> None:
    """To whoever waits for one of the forks: its exit status, below zero for the signal that ended it."""
    for fork, line in list(lines.items()):
        ended, status = os.waitpid(fork, os.WNOHANG)
        if not ended:
            continue
        with contextlib.suppress(OSError):  # whoever waited was killed
            line.sendall(struct.pack("!i", os.waitstatus_to_exitcode(status)))
        lines.pop(fork).close()


def run(line: socket.socket, mains: Mapping[str, Callable[[], int]]) -> int:
    """One command, as if it had been started: gives its exit status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    import torch

    # A fork must make PyTorch's pool of threads anew, which only one thread can: later there may be several.
    torch.set_num_threads(torch.get_num_threads())
    line.sendall(struct.pack("!I", os.getpid()))
    head, files, _, _ = socket.recv_fds(line, 4, 3)
    (size,) = struct.unpack("!I", head)
    told = b""
    while len(told) < size:
        told += line.recv(size - len(told))
    order = json.loads(told)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    sys.path[:0] = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    command, *arguments = order["argv"]
    python = Path(command).name in (PYTHON, ALIAS)
    code = 0
    try:
        if python and arguments[0] == "-c":
            sys.argv = ["-c", *arguments[2:]]
            sys.path.insert(0, "")
            exec(compile(arguments[1], "<string>", "exec"), {"__name__": "__main__"})
        elif python and arguments[0] != "-m":
            sys.executable = command  # a program that starts Python again gets a fork again
            sys.argv = arguments
            sys.path.insert(0, str(Path(arguments[0]).parent))
            runpy.run_path(arguments[0], run_name="__main__")
        elif python and arguments[1] != "tunesmith_cli":
            sys.argv = arguments[1:]
            sys.path.insert(0, os.getcwd())
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = [command, *arguments[2 if python else 0 :]]
            code = mains[Path(command).name]()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code & 255


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
