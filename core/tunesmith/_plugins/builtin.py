# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The built-ins, as the plugin ``tunesmith``: the same hooks and the same specs as a stranger's plugin."""

from __future__ import annotations

from collections.abc import Iterable

from tunesmith.plugin import (
    AugmentationSpec,
    DatasetSpec,
    EngineSpec,
    ExporterSpec,
    MetricSpec,
    ModelSpec,
    ObjectiveSpec,
    ReaderSpec,
    StrategySpec,
    TaskSpec,
    hookimpl,
)


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
            name="token-classification",
            summary="Tag the words of a text, and find names and other entities",
            target="tunesmith.tasks.token_classification:TokenClassification",
        ),
        TaskSpec(
            name="question-answering",
            summary="Find the answer to a question in a text",
            target="tunesmith.tasks.question_answering:QuestionAnswering",
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
            name="preference",
            summary="Answer more as people chose, and less as they rejected: DPO, IPO, ORPO, KTO",
            target="tunesmith.tasks.preference:Preference",
        ),
        TaskSpec(
            name="reward",
            summary="Score answers, learned from pairs of a better and a worse one",
            target="tunesmith.tasks.reward:Reward",
        ),
        TaskSpec(
            name="embedding",
            summary="Put texts that belong together near each other: search and similarity",
            target="tunesmith.tasks.embedding:Embedding",
        ),
        TaskSpec(
            name="image-classification",
            summary="Sort images into classes",
            target="tunesmith.tasks.image_classification:ImageClassification",
        ),
        TaskSpec(
            name="tabular-classification",
            summary="Sort rows of a table into classes, from columns of numbers and categories",
            target="tunesmith.tasks.tabular_classification:TabularClassification",
        ),
        TaskSpec(
            name="tabular-regression",
            summary="Predict a number for each row of a table",
            target="tunesmith.tasks.tabular_regression:TabularRegression",
        ),
        TaskSpec(
            name="seq2seq",
            summary="Write the target of a source: translation, summaries, with an encoder-decoder",
            target="tunesmith.tasks.seq2seq:Seq2Seq",
        ),
    ]


@hookimpl
def tunesmith_readers() -> Iterable[ReaderSpec]:
    """File formats; each also gzipped (``.csv.gz``)."""
    readers = "tunesmith.data.readers"
    return [
        ReaderSpec(
            name="csv",
            summary="Comma-separated values",
            target=f"{readers}.csv_file:read",
            suffixes=(".csv",),
        ),
        ReaderSpec(
            name="tsv",
            summary="Tab-separated values",
            target=f"{readers}.csv_file:read_tsv",
            suffixes=(".tsv",),
        ),
        ReaderSpec(
            name="json",
            summary="A JSON list of objects",
            target=f"{readers}.json_file:read",
            suffixes=(".json",),
            parts=True,
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
        ReaderSpec(
            name="conll",
            summary="Words with their tags, one a line (CoNLL, IOB2)",
            target=f"{readers}.conll:read",
            suffixes=(".conll", ".iob", ".iob2", ".bio"),
        ),
        # These files end in ".json", as other JSON does: used by name.
        ReaderSpec(name="squad", summary="Questions and answers in SQuAD's JSON", target=f"{readers}.squad:read"),
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
        ModelSpec(name="t5", summary="Encoder-decoder, T5 architecture", target=f"{scratch}:t5", weights=False),
        ModelSpec(name="cnn", summary="Small convolutional net for images", target=f"{images}:cnn", weights=False),
        ModelSpec(name="mlp", summary="Multi-layer perceptron for images", target=f"{images}:mlp", weights=False),
        ModelSpec(
            name="tabular-mlp",
            summary="Multi-layer perceptron for tables, over embeddings of numbers and categories",
            target="tunesmith.models.table_nets:tabular_mlp",
            weights=False,
        ),
    ]


@hookimpl
def tunesmith_strategies() -> Iterable[StrategySpec]:
    """Where a job runs."""
    return [StrategySpec(name="single", summary="One process, one device", target="tunesmith.training.strategy:Single")]


@hookimpl
def tunesmith_metrics() -> Iterable[MetricSpec]:
    """Figures of generated answers."""
    figures = {
        "exact_match": "share of answers that are their reference",
        "bleu": "BLEU of all answers together, 0 to 100 (sacrebleu)",
        "chrf": "chrF2 of all answers together, 0 to 100 (sacrebleu)",
        "rouge1": "F1 of the words in common, mean over the answers (rouge-score)",
        "rouge2": "F1 of the pairs of words in common, mean over the answers (rouge-score)",
        "rougeL": "F1 of the longest common subsequence, mean over the answers (rouge-score)",
        "number_match": "share of answers whose last number is that of their reference",
    }
    functions = "tunesmith.evaluate.text_metrics"
    return [
        MetricSpec(name=name, summary=summary, target=f"{functions}:{name.replace('L', '_l')}")
        for name, summary in figures.items()
    ]


@hookimpl
def tunesmith_augmentations() -> Iterable[AugmentationSpec]:
    """Transforms of training rows."""
    found = {
        "image": {
            "flip": ("Flip", "Exchange left and right"),
            "shift": ("Shift", "Move by a few pixels"),
            "rotate": ("Rotate", "Turn by a few degrees"),
            "brightness": ("Brightness", "Make lighter or darker"),
            "contrast": ("Contrast", "Make differences larger or smaller"),
            "erase": ("Erase", "Put a rectangle of noise somewhere"),
        },
        "text": {
            "drop-words": ("DropWords", "Leave words out"),
            "swap-words": ("SwapWords", "Exchange words with their neighbours"),
            "typos": ("Typos", "Leave out, double or exchange characters"),
        },
    }
    return [
        AugmentationSpec(
            name=name, summary=summary, target=f"tunesmith.tasks.{changes}_transforms:{target}", changes=changes
        )
        for changes, transforms in found.items()
        for name, (target, summary) in transforms.items()
    ]


@hookimpl
def tunesmith_engines() -> Iterable[EngineSpec]:
    """What answers requests."""
    return [
        EngineSpec(
            name="openai",
            summary="A server with OpenAI's API: openai:http://HOST:PORT/v1#MODEL",
            target="tunesmith.engine.remote:RemoteEngine",
        )
    ]


@hookimpl
def tunesmith_exporters() -> Iterable[ExporterSpec]:
    """Forms in which a model leaves."""
    return [
        ExporterSpec(
            name="merged",
            summary="A folder that transformers and vLLM load as it is; an adapter is merged into its base",
            target="tunesmith.export.folders:Merged",
        ),
        ExporterSpec(
            name="adapter",
            summary="A PEFT folder that names the model under it",
            target="tunesmith.export.folders:Adapter",
        ),
        ExporterSpec(
            name="gguf",
            summary="A file for llama.cpp, and a Modelfile for Ollama",
            target="tunesmith.export.gguf_file:Gguf",
            tasks=("causal-lm", "chat", "preference"),
            quantize=("int8", "int4"),
        ),
        ExporterSpec(
            name="onnx",
            summary="A graph for ONNX Runtime, of classifiers and encoders",
            target="tunesmith.export.onnx_file:Onnx",
            tasks=("text-classification", "token-classification", "embedding", "image-classification"),
            quantize=("int8",),
        ),
    ]


@hookimpl
def tunesmith_objectives() -> Iterable[ObjectiveSpec]:
    """What is minimized."""
    classifying = ("text-classification", "image-classification", "tabular-classification")
    return [
        ObjectiveSpec(
            name="cross-entropy",
            summary="The true label is to be likely; the default",
            target="tunesmith.tasks.classification_losses:CrossEntropy",
            tasks=classifying,
        ),
        ObjectiveSpec(
            name="focal",
            summary="As cross-entropy, with less weight on rows that are sure already",
            target="tunesmith.tasks.classification_losses:Focal",
            tasks=classifying,
        ),
        ObjectiveSpec(
            name="contrastive",
            summary="Find the text that belongs to each among all texts of the step",
            target="tunesmith.tasks.embedding_losses:Contrastive",
            tasks=("embedding",),
        ),
        ObjectiveSpec(
            name="dpo",
            summary="Chosen before rejected, compared with the model before training; the default",
            target="tunesmith.tasks.preference_losses:Dpo",
            tasks=("preference",),
        ),
        ObjectiveSpec(
            name="ipo",
            summary="Chosen before rejected by a fixed distance: for pairs with little noise",
            target="tunesmith.tasks.preference_losses:Ipo",
            tasks=("preference",),
        ),
        ObjectiveSpec(
            name="orpo",
            summary="Learn the chosen answer and avoid the rejected one, without a reference",
            target="tunesmith.tasks.preference_losses:Orpo",
            tasks=("preference",),
        ),
        ObjectiveSpec(
            name="kto",
            summary="Answers that are good or bad by themselves",
            target="tunesmith.tasks.preference_losses:Kto",
            tasks=("preference",),
        ),
    ]
