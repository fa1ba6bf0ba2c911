# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Figures, texts and hyper-parameters in TensorBoard's own form (its protocol buffers)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.hparams import metadata
from tensorboard.plugins.hparams.api_pb2 import STATUS_SUCCESS
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo
from tensorboard.plugins.text.plugin_data_pb2 import TextPluginData

__all__ = ["ended", "flat", "hyperparameters", "scalars", "text"]


def scalars(figures: Mapping[str, float]) -> Any:
    """A point of each curve; the part of a name before ``/`` is the group that it is shown in."""
    return Summary(value=[Summary.Value(tag=name, simple_value=float(value)) for name, value in figures.items()])


def text(tag: str, words: str) -> Any:
    """A text, shown as Markdown."""
    plugin = SummaryMetadata.PluginData(plugin_name="text", content=TextPluginData(version=0).SerializeToString())
    tensor = TensorProto(
        dtype=DT_STRING,
        string_val=[words.encode("utf-8", errors="replace")],
        tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)]),
    )
    return Summary(value=[Summary.Value(tag=tag, metadata=SummaryMetadata(plugin_data=plugin), tensor=tensor)])


def hyperparameters(values: Mapping[str, bool | float | str]) -> Any:
    """A run's row of the table "HParams"; its figures are found by TensorBoard itself."""
    info = SessionStartInfo(start_time_secs=time.time())
    for key, value in values.items():
        if isinstance(value, bool):
            info.hparams[key].bool_value = value
        elif isinstance(value, str):
            info.hparams[key].string_value = value
        else:
            info.hparams[key].number_value = value
    return _of_the_table(metadata.SESSION_START_INFO_TAG, HParamsPluginData(session_start_info=info))


def ended() -> Any:
    """The end of the run, for the same table."""
    info = SessionEndInfo(status=STATUS_SUCCESS, end_time_secs=time.time())
    return _of_the_table(metadata.SESSION_END_INFO_TAG, HParamsPluginData(session_end_info=info))


def flat(recipe: Mapping[str, Any], prefix: str = "") -> dict[str, bool | float | str]:
    """A recipe's values by dotted key. What was not given is left out; lists become texts."""
    values: dict[str, bool | float | str] = {}
    for key, value in recipe.items():
        if isinstance(value, Mapping):
            values |= flat(value, f"{prefix}{key}.")
        elif isinstance(value, (list, tuple)):
            values |= {f"{prefix}{key}": ", ".join(map(str, value))} if value else {}
        elif isinstance(value, (bool, int, float, str)):
            values[f"{prefix}{key}"] = value
        elif value is not None:
            values[f"{prefix}{key}"] = str(value)
    return values


def _of_the_table(tag: str, data: Any) -> Any:
    # Not tensorboard.plugins.hparams.summary, which wants TensorFlow.
    about = metadata.create_summary_metadata(data)
    return Summary(value=[Summary.Value(tag=tag, metadata=about, tensor=metadata.NULL_TENSOR)])
