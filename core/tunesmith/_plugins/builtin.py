# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The built-ins, as the plugin ``tunesmith``: the same hooks and the same specs as a stranger's plugin."""

from __future__ import annotations

from collections.abc import Iterable

from tunesmith.plugin import DatasetSpec, EngineSpec, ModelSpec, ReaderSpec, StrategySpec, TaskSpec, hookimpl


@hookimpl
def tunesmith_tasks() -> Iterable[TaskSpec]:
    """What can be learned."""
    return [
        TaskSpec(
            name="text-classification",
            summary="Sort texts into classes: one label a row, or several",
            target="tunesmith.tasks.text_classification:TextClassification",
        ),
        TaskSpec(
            name="causal-lm",
            summary="Go on with plain text: pretraining and continued pretraining",
            target="tunesmith.tasks.causal_lm:CausalLM",
        ),
        TaskSpec(
            name="chat",
            summary="Answer in conversations: supervised fine-tuning with loss on the answers only",
            target="tunesmith.tasks.chat:Chat",
        ),
        TaskSpec(
            name="image-classification",
            summary="Sort images into classes",
            target="tunesmith.tasks.image_classification:ImageClassification",
        ),
    ]


@hookimpl
def tunesmith_readers() -> Iterable[ReaderSpec]:
    """File formats; each also gzipped (``.csv.gz``)."""
    readers = "tunesmith.data.readers"
    return [
        ReaderSpec(name="csv", summary="Comma-separated values", target=f"{readers}.csv_file:read", suffixes=(".csv",)),
        ReaderSpec(
            name="tsv", summary="Tab-separated values", target=f"{readers}.csv_file:read_tsv", suffixes=(".tsv",)
        ),
        ReaderSpec(
            name="json", summary="A JSON list of objects", target=f"{readers}.json_file:read", suffixes=(".json",)
        ),
        ReaderSpec(
            name="jsonl",
            summary="One JSON object a line",
            target=f"{readers}.json_file:read_lines",
            suffixes=(".jsonl", ".ndjson"),
        ),
        ReaderSpec(name="parquet", summary="Apache Parquet", target=f"{readers}.parquet:read", suffixes=(".parquet",)),
        ReaderSpec(
            name="text",
            summary="Plain text: a file, paragraph or line is a row",
            target=f"{readers}.text:read",
            suffixes=(".txt", ".text", ".md"),
        ),
        # The names of these files end in "-ubyte", which is no suffix; the data room knows them by that.
        ReaderSpec(name="idx", summary="MNIST-style images and labels (*-ubyte)", target=f"{readers}.idx:read"),
        ReaderSpec(
            name="images",
            summary="A folder of images per class, or an image",
            target=f"{readers}.image_folder:read",
            suffixes=(".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"),
        ),
    ]


@hookimpl
def tunesmith_datasets() -> Iterable[DatasetSpec]:
    """Data that comes with the package."""
    return [
        DatasetSpec(
            name="support",
            summary="Short messages to a shop's customer support, six intents",
            target="tunesmith.data.samples:support",
            license="MIT",
            splits=("train", "test"),
            task="text-classification",
        )
    ]


@hookimpl
def tunesmith_models() -> Iterable[ModelSpec]:
    """Weights that come with the package, and architectures to start from scratch."""
    scratch = "tunesmith.models.scratch"
    images = "tunesmith.models.image_nets"
    return [
        ModelSpec(
            name="tiny",
            summary="A small decoder for English that comes with the package",
            target="tunesmith.models.embedded:tiny",
            weights=True,
            license="MIT",
        ),
        ModelSpec(name="llama", summary="Decoder, Llama architecture", target=f"{scratch}:llama", weights=False),
        ModelSpec(name="gpt2", summary="Decoder, GPT-2 architecture", target=f"{scratch}:gpt2", weights=False),
        ModelSpec(name="bert", summary="Encoder, BERT architecture", target=f"{scratch}:bert", weights=False),
        ModelSpec(name="cnn", summary="Small convolutional net for images", target=f"{images}:cnn", weights=False),
        ModelSpec(name="mlp", summary="Multi-layer perceptron for images", target=f"{images}:mlp", weights=False),
    ]


@hookimpl
def tunesmith_strategies() -> Iterable[StrategySpec]:
    """Where a job runs."""
    return [StrategySpec(name="single", summary="One process, one device", target="tunesmith.training.strategy:Single")]


@hookimpl
def tunesmith_engines() -> Iterable[EngineSpec]:
    """What answers requests."""
    return [
        EngineSpec(name="native", summary="This package's own engine", target="tunesmith.engine.native:NativeEngine")
    ]
