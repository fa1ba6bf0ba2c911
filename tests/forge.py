# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A warm process that runs commands in forks of itself.

Pages of the documentation, benchmarks and tests call `tunesmith` and Python some three hundred times, and most of each
call's time is importing torch and transformers. Here one process imports them once; a stand-in for the command hands
its arguments, folder, environment and open files to it, and the command runs in a fork: a process of its own, only with
its imports done. That the real command works from its start is shown where it is killed or asked through a pipe
(tests/e2e/test_commands.py, test_search.py, tests/cli/test_start.py).
"""

import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

STAND_IN = """#!{python} -SE
import json, os, socket, struct, sys
with socket.socket(socket.AF_UNIX) as line:
    line.connect({address!r})
    told = json.dumps(dict(argv=sys.argv, cwd=os.getcwd(), env=dict(os.environ))).encode()
    socket.send_fds(line, [struct.pack("!I", len(told))], [0, 1, 2])
    line.sendall(told)
    answer = line.recv(1)
sys.exit(answer[0] if answer else 70)
"""


PYTHON = "forked-python"
"""Takes ``-c PROGRAM``, ``-m tunesmith_cli``, or a file, and arguments; nothing else that Python takes."""


class Forge:
    """Starts the warm process; ``folder`` then holds the commands ``tunesmith`` and ``PYTHON``, which use it.

    Ending one of them from outside does not end its fork: what is to be killed needs the real command.

    Args:
        folder: empty; its path must be short enough for a socket's address (about 100 characters).
    """

    def __init__(self, folder: Path) -> None:
        self.folder, address = folder, str(folder / "line")
        for command in (folder / "tunesmith", folder / PYTHON):
            command.write_text(STAND_IN.format(python=sys.executable, address=address))
            command.chmod(0o755)
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen([sys.executable, __file__, address], **pipes)
        assert self._process.stdout is not None
        ready = self._process.stdout.readline()
        assert ready == b"ready\n", "the warm process did not come up"

    def python(self, *arguments: object, **options: Any) -> "subprocess.CompletedProcess[str]":
        """``python ARGUMENTS`` in a fork, to its end; options are those of ``subprocess.run``."""
        command = [str(self.folder / PYTHON), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, **options)

    def tunesmith(self, *arguments: object, **options: Any) -> "subprocess.CompletedProcess[str]":
        """``tunesmith ARGUMENTS`` in a fork, to its end."""
        return self.python("-m", "tunesmith_cli", *arguments, **options)

    def close(self) -> None:
        self._process.communicate()  # which closes its input


def serve(address: str) -> None:
    """Fork for every line that comes in, until whoever started this closes its input, or is gone."""
    import peft
    import pyarrow as pa
    import sklearn.metrics
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification
    from transformers.conversion_mapping import get_checkpoint_conversion_mapping

    import tunesmith.engine.compiled
    import tunesmith.training
    from tunesmith_cli.main import main

    get_checkpoint_conversion_mapping("llama")  # half a second when it is first asked for anything
    del peft, pa, sklearn, torch, transformers, AutoModelForCausalLM, AutoModelForSequenceClassification, tunesmith
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how the forks ended: they say it themselves
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(address)
        door.listen()
        print("ready", flush=True)
        while True:
            if sys.stdin in select.select([door, sys.stdin], [], [])[0]:
                return
            line, _ = door.accept()
            if os.fork() == 0:
                door.close()
                code = 70
                try:
                    code = run(line, main)
                finally:
                    line.sendall(bytes([code]))
                    os._exit(code)
            line.close()


def run(line: socket.socket, main: Callable[[], int]) -> int:
    """One command, as if it had been started: gives its exit status."""
    head, files, _, _ = socket.recv_fds(line, 4, 3)
    (size,) = struct.unpack("!I", head)
    told = b""
    while len(told) < size:
        told += line.recv(size - len(told))
    order = json.loads(told)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    sys.path[:0] = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    command, *arguments = order["argv"]
    code = 0
    try:
        if Path(command).name == PYTHON and arguments[0] == "-c":
            sys.argv = ["-c", *arguments[2:]]
            sys.path.insert(0, "")
            exec(compile(arguments[1], "<string>", "exec"), {"__name__": "__main__"})
        elif Path(command).name == PYTHON and arguments[0] != "-m":
            sys.executable = command  # a program that starts Python again gets a fork again
            sys.argv = arguments
            sys.path.insert(0, str(Path(arguments[0]).parent))
            runpy.run_path(arguments[0], run_name="__main__")
        else:
            sys.argv = [command, *arguments[2 if Path(command).name == PYTHON else 0 :]]
            code = main()
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
    serve(sys.argv[1])
