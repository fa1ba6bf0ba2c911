# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What the environment says: where vLLM is, and how it is started."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tunesmith.errors import ModelError

__all__ = ["ARGUMENTS", "HOME", "SECONDS", "Settings"]

HOME = "TUNESMITH_VLLM"
"""Environment variable: vLLM's environment (a folder with ``bin/vllm``), or its command itself."""
ARGUMENTS = "TUNESMITH_VLLM_ARGUMENTS"
"""Further arguments of ``vllm serve``, as a shell reads them."""
SECONDS = "TUNESMITH_VLLM_SECONDS"
"""How long it may take to be ready."""

_OURS = ("--host", "--port", "--uds", "--api-key", "--served-model-name", "--generation-config", "--root-path")
_DEFAULT_SECONDS = 900.0
"""Large weights from a slow disk, and the compilation of kernels on the first start, take minutes."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How vLLM is started.

    Attributes:
        command: the program.
        arguments: further ones.
        seconds: until it must be ready.
    """

    command: Path
    arguments: tuple[str, ...]
    seconds: float

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """From environment variables.

        Raises:
            ModelError: there is no vLLM, or a variable makes no sense.
        """
        return cls(_command(environment.get(HOME, "")), _arguments(environment), _seconds(environment))


def _command(home: str) -> Path:
    if home:
        path = Path(home).expanduser()
        found = path / "bin" / "vllm" if path.is_dir() else path
        if found.is_file() and os.access(found, os.X_OK):
            return found.absolute()
    else:
        there = shutil.which("vllm")
        if there:
            return Path(there).absolute()
    raise ModelError(
        "the engine vllm needs vLLM, in an environment of its own",
        given=f"{HOME}={home}, where no command vllm is" if home else f"no {HOME}, and no command vllm in PATH",
        expected="a folder with bin/vllm in it, or the command itself",
        fix=("python -m venv ~/vllm && ~/vllm/bin/pip install vllm", f"export {HOME}=~/vllm"),
    )


def _arguments(environment: Mapping[str, str]) -> tuple[str, ...]:
    text = environment.get(ARGUMENTS, "")
    try:
        found = tuple(shlex.split(text))
    except ValueError as error:
        raise ModelError(
            f"{ARGUMENTS} cannot be read", given=f"{text}: {error}", expected="arguments as a shell reads them"
        ) from error
    taken = [one for one in found if one.replace("_", "-").partition("=")[0] in _OURS]
    if taken:
        raise ModelError(
            f"{ARGUMENTS} holds what is not its to say",
            given=taken[0],
            expected=f"none of {', '.join(_OURS)}: nobody but Tunesmith talks to this vLLM",
            fix="leave it out; address, keys and limits are those of tunesmith serve",
        )
    return found


def _seconds(environment: Mapping[str, str]) -> float:
    text = environment.get(SECONDS, "")
    try:
        seconds = float(text) if text else _DEFAULT_SECONDS
        if not 0 < seconds < float("inf"):
            raise ValueError(text)
    except ValueError as error:
        raise ModelError(f"{SECONDS} is no number of seconds", given=text, expected="a number above 0") from error
    return seconds
