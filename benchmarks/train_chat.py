# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Supervised fine-tuning on conversations, ours beside TRL's SFTTrainer at its defaults and at its best.

    python benchmarks/train_chat.py --shape qwen3-34m  [--peer-python PATH] [--repeat 3]
    python benchmarks/train_chat.py --shape smollm2-135m --method lora --max-length 512 [--peer-python PATH]

Questions and worked answers of gsm8k. Random weights of the named shape and a tokenizer learned from the training rows
are made anew for every contender from the same seed; speed does not depend on what the weights are. Same rows, tokens
per step, rate, steps and seed for all. What each leaves is scored here, by one plain forward pass over the same
held-out rows: nats per token of the answers.

The peer at its best is the faster of two: rows packed (best-fit decreasing), and rows grouped by length; in bf16 where
the processor gains from it, and without recomputing activations.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from contest import SHARED, Clock, Column, bf16_pays, contest, options_parser

RATE = 1e-3
TOKENS = 2048  # of a step; a row of gsm8k has about 150
HELD_OUT = 64  # rows
LORA = {"r": 16, "lora_alpha": 32, "target_modules": "all-linear"}
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] }}<|im_end|>{% endgeneration %}"
    "{% else %}{{ message['content'] }}<|im_end|>{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SHAPES: dict[str, tuple[str, dict[str, int]]] = {
    # 12.3 M of 33.9 M are the shared embedding
    "qwen3-34m": (
        "Qwen3",
        {
            "vocab_size": 32_000,
            "hidden_size": 384,
            "intermediate_size": 1024,
            "num_hidden_layers": 12,
            "num_attention_heads": 6,
            "num_key_value_heads": 3,
            "head_dim": 64,
        },
    ),
    "smollm2-135m": (
        "Llama",
        {
            "vocab_size": 49_152,
            "hidden_size": 576,
            "intermediate_size": 1536,
            "num_hidden_layers": 30,
            "num_attention_heads": 9,
            "num_key_value_heads": 3,
        },
    ),
    # for the test of this file
    "tiny": (
        "Qwen3",
        {
            "vocab_size": 400,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "head_dim": 16,
        },
    ),
}


def make_model(options: argparse.Namespace, folder: Path) -> None:
    """Model folder with random weights, and a byte-level BPE tokenizer learned from the training rows."""
    import torch
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    family, shape = SHAPES[options.shape]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    learner = trainers.BpeTrainer(
        vocab_size=shape["vocab_size"], special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    rows = list(read_rows(options, "train"))
    tokenizer.train_from_iterator((row["prompt"] + "\n" + row["completion"] for row in rows), learner)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", model_max_length=2048
    )
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    config = getattr(transformers, f"{family}Config")(
        **shape,
        tie_word_embeddings=True,
        max_position_embeddings=2048,
        bos_token_id=None,
        eos_token_id=fast.eos_token_id,
        pad_token_id=fast.pad_token_id,
    )
    torch.manual_seed(0)
    getattr(transformers, f"{family}ForCausalLM")(config).save_pretrained(folder)


def read_rows(options: argparse.Namespace, split: str) -> list[dict[str, str]]:
    lines = (options.data / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [{"prompt": row["question"], "completion": row["answer"]} for row in rows]


def tunesmith(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    import torch
    import transformers  # before the clock starts, as for the peer

    import tunesmith
    from tunesmith.plugin import RunStarted, StepDone

    del torch, transformers
    make_model(options, folder / "base")
    rows = folder / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in read_rows(options, "train")), encoding="utf-8")
    method = {"name": "lora", "rank": LORA["r"], "alpha": LORA["lora_alpha"]} if options.method == "lora" else "full"
    recipe = {
        "task": "chat",
        "model": str(folder / "base"),
        "method": method,
        "data": {"train": str(rows), "max_length": options.max_length},
        "train": {
            "max_steps": options.max_steps,
            "epochs": 100,
            "learning_rate": RATE,
            "tokens_per_batch": TOKENS,
            "weight_decay": 0.0,
            "precision": options.precision,
            "save_every": 1_000_000,
            "seed": options.seed,
        },
        "evaluate": {"before": False, "samples": 0},
        "output": str(folder / "run"),
    }
    clock = Clock()

    def observe(event: object) -> None:
        if isinstance(event, RunStarted):
            clock.start()
        elif isinstance(event, StepDone):
            clock.tick(event.tokens)

    run = tunesmith.train(tunesmith.parse_recipe(recipe), observers=[observe])
    (folder / "trained").symlink_to(run.model_folder.absolute(), target_is_directory=True)
    return clock.figures()


def sft(options: argparse.Namespace, folder: Path, **settings: Any) -> dict[str, float]:
    import datasets
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    make_model(options, folder / "base")
    tokenizer = AutoTokenizer.from_pretrained(folder / "base")
    model = AutoModelForCausalLM.from_pretrained(folder / "base")
    rows = datasets.Dataset.from_list(
        [
            {
                "prompt": [{"role": "user", "content": row["prompt"]}],
                "completion": [{"role": "assistant", "content": row["completion"]}],
            }
            for row in read_rows(options, "train")
        ]
    )
    clock = Clock()
    waiting: list[int] = []

    class Watch(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, *_: object, **__: object) -> None:
            clock.start()

        def on_step_end(self, *_: object, **__: object) -> None:
            clock.tick(waiting.pop(0))

    limit = {"max_length": options.max_length} if options.max_length else {}
    arguments = SFTConfig(
        output_dir=str(folder / "out"),
        max_steps=options.max_steps,
        learning_rate=RATE,
        warmup_steps=0.05,  # below 1: a share of all steps
        use_cpu=True,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        seed=options.seed,
        **{"bf16": bf16_pays(), "per_device_train_batch_size": TOKENS // 150, **limit, **settings},
    )
    adapter = None
    if options.method == "lora":
        from peft import LoraConfig

        adapter = LoraConfig(**LORA, task_type="CAUSAL_LM")
    job = SFTTrainer(
        model, arguments, train_dataset=rows, processing_class=tokenizer, callbacks=[Watch()], peft_config=adapter
    )
    inner = job.data_collator

    def collate(examples: list[Any]) -> Any:
        batch = inner(examples)
        mask = batch.get("attention_mask")
        waiting.append(int(batch["input_ids"].numel() if mask is None else mask.sum()))
        return batch

    job.data_collator = collate
    job.train()
    trained = job.model.merge_and_unload() if adapter else job.model
    trained.save_pretrained(folder / "trained")
    tokenizer.save_pretrained(folder / "trained")
    return clock.figures()


def sft_default(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    return sft(options, folder)


def sft_packed(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    length = options.max_length or 1024
    rows = max(1, TOKENS // length)
    return sft(options, folder, packing=True, activation_checkpointing=False, per_device_train_batch_size=rows)


def sft_grouped(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    return sft(options, folder, activation_checkpointing=False, train_sampling_strategy="group_by_length")


def held_out_loss(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Nats per token of held-out answers, stop token included, by a plain forward pass."""
    import torch
    from peft import PeftModel
    from torch.nn import functional
    from transformers import AutoModelForCausalLM, AutoTokenizer

    place = folder / "trained"
    tokenizer = AutoTokenizer.from_pretrained(folder / "base")
    adapted = (place / "adapter_config.json").is_file()
    model = AutoModelForCausalLM.from_pretrained(folder / "base" if adapted else place, dtype=torch.float32)
    model = (PeftModel.from_pretrained(model, place) if adapted else model).eval()
    total, count = 0.0, 0
    for row in read_rows(options, "test")[:HELD_OUT]:
        prompt = tokenizer(
            f"<|im_start|>user\n{row['prompt']}<|im_end|>\n<|im_start|>assistant\n", add_special_tokens=False
        )["input_ids"]
        answer = tokenizer(f"{row['completion']}<|im_end|>", add_special_tokens=False)["input_ids"]
        ids = torch.tensor([prompt + answer])
        with torch.inference_mode():
            logits = model(input_ids=ids).logits[0, len(prompt) - 1 : -1]
        total += functional.cross_entropy(logits, ids[0, len(prompt) :], reduction="sum").item()
        count += len(answer)
    return {"held_out": total / count}


def main() -> None:
    parser = options_parser(__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="qwen3-34m")
    parser.add_argument("--method", choices=("full", "lora"), default="full")
    parser.add_argument("--max-length", type=int)
    parser.add_argument("--precision", default="auto", help="ours; see train.precision")
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "gsm8k")
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.set_defaults(max_steps=60)
    options = parser.parse_args()
    contenders = {
        "tunesmith": tunesmith,
        "SFTTrainer, defaults": sft_default,
        "SFTTrainer, packed": sft_packed,
        "SFTTrainer, by length": sft_grouped,
    }
    columns = [
        Column("tokens_per_second", "tokens/s", "{:,.0f}", greater_is_better=True),
        Column("held_out", "held-out, nats", "{:.3f}"),
        Column("peak_mb", "peak memory, MB", "{:,.0f}", greater_is_better=False),
    ]
    started = time.perf_counter()
    facts = {"shape": options.shape, "method": options.method, "tokens_per_step": TOKENS}
    contest(options, contenders, columns, after=held_out_loss, facts=facts)
    if not options.contender:
        print(f"{time.perf_counter() - started:,.0f} s in all")


if __name__ == "__main__":
    main()
