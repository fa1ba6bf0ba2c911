# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Many clients at once over HTTP, ours beside ``transformers serve`` and llama.cpp's ``llama-server``.

    python benchmarks/serve_load.py --shape llama-16m --clients 16 64 [--answers 4] [--peer-python PATH]
        [--llama-server PATH]

Every contender is a server in a process of its own on this machine, asked by the same light client
(``load_client.py``): ``POST /v1/completions``, streamed, greedy, prompts of ``--prompt`` letters that have little in
common, answers of ``--tokens`` tokens; each client asks for its next answer when it has the last, ``--answers`` times.
Random weights, with a vocabulary in which every token is a text and none is the end.

Tokens a second are those of whole answers, over all the time from the first request to the last answer. Times are the
client's: to the first piece of an answer, and between its pieces; pieces that come together have no time between them.
``transformers serve`` needs its extra in the peers' environment; ``--llama-server`` names the program; its models are
written by our exporter.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from contest import Column, bf16_pays, contest, left_out, options_parser
from serve_decode import SHAPES, make_model

Measure = Callable[[argparse.Namespace, Path], dict[str, float]]


def make_talker(shape: str, folder: Path, *, bf16: bool = False) -> Path:
    """A model folder whose every token is letters, and none ends an answer."""
    import torch
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    make_model(shape, folder)
    if bf16:
        transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).save_pretrained(folder)
    size = SHAPES[shape][1]["vocab_size"]
    words = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges: list[tuple[str, str]] = []
    letters = [chr(ord("a") + number) for number in range(26)]
    for word in (heads := list(letters)):  # grows while it is read: pairs, then threes, then fours
        for letter in letters:
            if len(words) < size:
                merges.append((word, letter))
                words.append(word + letter)
                heads.append(word + letter)
        if len(words) >= size:
            break
    inner = Tokenizer(models.BPE({word: number for number, word in enumerate(words)}, merges))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    transformers.PreTrainedTokenizerFast(tokenizer_object=inner).save_pretrained(folder)
    return folder


class Server:
    """A server's process, from its start to its end."""

    def __init__(self, command: Sequence[str], port: int, ready: str, log: Path, seconds: float = 300) -> None:
        self.port = port
        self._log = log
        environment = os.environ | {"HF_HUB_OFFLINE": "1"}
        with log.open("wb") as out:
            self._process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment)
        until = time.monotonic() + seconds
        while not self._answers(ready):
            if self._process.poll() is not None or time.monotonic() > until:
                self.end()
                raise RuntimeError(f"{command[:4]} does not answer:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)

    def _answers(self, ready: str) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{ready}", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def figures(self) -> dict[str, float]:
        """Processor seconds and peak memory so far, where the system tells (Linux)."""
        folder = Path("/proc") / str(self._process.pid)
        if not folder.is_dir():
            return {}
        spent = (folder / "stat").read_text().rpartition(")")[2].split()
        peak = next(line for line in (folder / "status").read_text().splitlines() if line.startswith("VmHWM"))
        ticks = int(spent[11]) + int(spent[12])
        return {"cpu_seconds": ticks / os.sysconf("SC_CLK_TCK"), "server_mb": int(peak.split()[1]) / 1024}

    def end(self) -> None:
        """Ask it to end, and see that it does."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def load(options: argparse.Namespace, server: Server, model: str, extra: dict[str, Any]) -> dict[str, float]:
    """Figures of every number of clients, one after the other, on one server."""
    draw = random.Random(options.seed)
    prompts = ["".join(draw.choice("abcdefghijklmnop") for _ in range(options.prompt)) for _ in range(256)]
    body = {"model": model, "max_tokens": options.tokens, "temperature": 0, "stream": True, **extra}
    asked: dict[str, Any] = {"port": server.port, "path": "/v1/completions", "body": body, "prompts": prompts}

    def ask(clients: int, answers: int) -> dict[str, float]:
        client = [sys.executable, str(Path(__file__).with_name("load_client.py"))]
        given = json.dumps(asked | {"clients": clients, "answers": answers, "seconds": options.seconds})
        done = subprocess.run(client, input=given, stdout=subprocess.PIPE, text=True, check=True)
        found: dict[str, float] = json.loads(done.stdout)
        return found

    ask(2, 2)  # what is loaded, compiled or filled at the first request
    figures: dict[str, float] = {}
    for clients in options.clients:
        before = server.figures()
        found = ask(clients, clients * options.answers)
        found["tokens_per_second"] = found["whole"] * options.tokens / found["seconds"]
        if before:
            found["server_cpu_seconds"] = server.figures()["cpu_seconds"] - before["cpu_seconds"]
        figures |= {f"{key}_{clients}": value for key, value in found.items()}
    return figures | {key: value for key, value in server.figures().items() if key == "server_mb"}


def answered(
    options: argparse.Namespace, folder: Path, command: Sequence[str], ready: str, model: str, **extra: Any
) -> dict[str, float]:
    """Start a server (``PORT`` in its command is a free one), ask it, end it."""
    port = free_port()
    server = Server([part.replace("PORT", str(port)) for part in command], port, ready, folder / "log")
    try:
        return load(options, server, model, extra)
    finally:
        server.end()


def tunesmith(weights: str) -> Measure:
    def measure(options: argparse.Namespace, folder: Path) -> dict[str, float]:
        model = make_talker(options.shape, folder / "model")
        command = [sys.executable, "-m", "tunesmith_cli", "serve", str(model), "--port", "PORT", "--weights", weights]
        command += ["--slots", str(options.slots), "--context", str(options.context), "--quiet"]
        return answered(options, folder, command, "/health/ready", "model")

    return measure


def transformers_serve(*more: str) -> Measure:
    def measure(options: argparse.Namespace, folder: Path) -> dict[str, float]:
        model = str(make_talker(options.shape, folder / "model"))
        command = [sys.executable, "-m", "transformers.cli.transformers", "serve", model, "--port", "PORT"]
        command += ["--host", "127.0.0.1", "--log-level", "error", "--dtype", "bfloat16" if bf16_pays() else "float32"]
        return answered(options, folder, [*command, *more], "/health", model)

    return measure


def llama_server(quantize: str | None) -> Measure:
    def measure(options: argparse.Namespace, folder: Path) -> dict[str, float]:
        from tunesmith.export import export_model

        model = make_talker(options.shape, folder / "model", bf16=quantize is None)
        export_model(model, to="gguf", quantize=quantize, out=folder / "gguf", check=False)
        file = next((folder / "gguf").glob("*.gguf"))
        command = [options.llama_server, "-m", str(file), "--host", "127.0.0.1", "--port", "PORT"]
        command += ["-np", str(options.slots), "-c", str(options.slots * options.context)]
        command += ["-t", str(os.cpu_count()), "-tb", str(os.cpu_count())]
        return answered(options, folder, command, "/health", "model", ignore_eos=True)

    return measure


def columns_of(clients: int) -> list[Column]:
    def column(key: str, heading: str, form: str, better: bool | None = None) -> Column:
        return Column(f"{key}_{clients}", f"{clients} clients: {heading}", form, greater_is_better=better)

    return [
        column("tokens_per_second", "tokens/s", "{:,.0f}", True),
        column("first_p50_ms", "first, p50 ms", "{:,.0f}"),
        column("first_p99_ms", "p99", "{:,.0f}"),
        column("between_p50_ms", "between, p50 ms", "{:,.1f}"),
        column("between_p99_ms", "p99", "{:,.1f}"),
        column("failed", "failures", "{:,.0f}"),
        column("refused", "429s", "{:,.0f}"),
    ]


def main() -> None:
    parser = options_parser(__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="llama-16m")
    parser.add_argument("--clients", type=int, nargs="+", default=[16, 64], help="at once")
    parser.add_argument("--answers", type=int, default=4, help="that each client asks for")
    parser.add_argument("--tokens", type=int, default=200, help="of each answer")
    parser.add_argument("--prompt", type=int, default=64, help="letters of each prompt")
    parser.add_argument(
        "--context", type=int, default=512, help="tokens of prompt and answer that servers have room for"
    )
    parser.add_argument("--slots", type=int, help="answers at once in ours and llama-server. Default: all clients")
    parser.add_argument("--seconds", type=float, default=600, help="that each number of clients may take")
    parser.add_argument("--llama-server", help="llama.cpp's server")
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.slots = options.slots or max(options.clients)
    options.answers = options.max_steps or options.answers
    contenders: dict[str, Measure] = {
        "tunesmith": tunesmith("auto"),
        "tunesmith, 8 bits": tunesmith("int8"),
        "transformers serve": transformers_serve(),
        "transformers serve, batching": transformers_serve("--continuous-batching"),
        "llama-server, bf16": llama_server(None),
        "llama-server, 8 bits": llama_server("int8"),
    }
    llamas = [name for name in contenders if name.startswith("llama-server")]
    if not options.llama_server:
        left_out(options, "llama-server", "--llama-server names no program")
        for name in llamas:
            del contenders[name]
    columns = [column for clients in options.clients for column in columns_of(clients)]
    columns.append(Column("server_mb", "peak memory, MB", "{:,.0f}"))
    facts = {name: getattr(options, name) for name in ("shape", "clients", "answers", "tokens", "prompt", "slots")}
    contest(options, contenders, columns, facts=facts, here=llamas)


if __name__ == "__main__":
    main()
