# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Linear layers that multiply in float8 and leave the weights what they are: torchao's, in the place of the plain ones.

The weight stays in fp32, under its name, and is the same object: optimizer, checkpoints and the saved model do not know
of float8. For each product, inputs, weights and gradients are scaled to what eight bits can hold (Micikevicius et al.
2022, arXiv:2209.05433), and the sums are in higher precision. Evaluation is in bf16, as that of the saved model will
be.

Only layers within the repeated ones are converted. The output layer stays: the error of a logit goes straight into the
loss, and products that are as wide as a vocabulary gain least from it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Final

import torch
from torch import nn

from tunesmith.errors import RecipeError, TrainingError
from tunesmith.recipe import Recipe, plugin_settings
from tunesmith.tasks.lengths import plural
from tunesmith.training.compile_choice import repeated_layers
from tunesmith_enterprise.optimizations.float8.hooks import STRATEGY, is_asked, refuse_without_grant
from tunesmith_enterprise.recipe import EnterpriseSection, Float8Section

__all__ = ["Float8", "Float8Layers", "float8_of"]

_MULTIPLE: Final = 16
"""Of both sizes of a layer, and of the rows of a product: what the units of a GPU take. Rows are padded."""
_NEEDS: Final = (8, 9)
"""CUDA compute capability: Ada and Hopper, the first with such units."""


@dataclass(frozen=True, slots=True)
class Float8Layers:
    """What was converted.

    Attributes:
        converted: how many layers.
        left: how many were not, by the reason.
    """

    recipe: str
    converted: int
    left: dict[str, int]

    def note(self) -> str:
        """For people."""
        left = "".join(f"; {count} in bf16: {reason}" for reason, count in self.left.items())
        return f"{plural(self.converted, 'linear layer')} of the model multiply in float8 ({self.recipe}){left}"


class Float8:
    """Converts the model of a job.

    Args:
        settings: of the recipe.
        emulate: compute on any device what a GPU would, slowly: for tests of the arithmetic.
    """

    def __init__(self, settings: Float8Section, *, emulate: bool = False) -> None:
        self._settings, self._emulate = settings, emulate

    def convert(self, model: nn.Module, device: torch.device) -> Float8Layers:
        """Put layers in the place of layers; weights stay, as the same objects with the same names.

        Args:
            model: whose method was applied. What it computes on, ``device``, is where it will be.

        Raises:
            TrainingError: torchao is not installed.
            RecipeError: the device has no units for it, the model no layer that could be converted, or a pattern of
                ``leave`` names none.
        """
        if not self._emulate:
            _refuse_device(device)
        convert, config = _torchao(self._settings.recipe, emulate=self._emulate)
        chosen, left = self._choose(model)
        before = dict(model.named_parameters())
        convert(model, module_filter_fn=lambda module, _: id(module) in chosen, config=config)
        _plain_in_evaluation(model)
        after = dict(model.named_parameters())
        if before.keys() != after.keys() or any(after[name] is not one for name, one in before.items()):
            raise RecipeError(
                "this torchao does not leave the weights of a model what they are",
                given=f"torchao {_version()}",
                expected="the same parameters with the same names, which every checkpoint relies on",
                fix="pip install 'tunesmith-enterprise[float8]', which asks for one that does",
            )
        return Float8Layers(self._settings.recipe, len(chosen), left)

    def _choose(self, model: nn.Module) -> tuple[set[int], dict[str, int]]:
        repeated = {id(one) for layer in repeated_layers(model) for one in layer.modules()}
        linear = {name: one for name, one in model.named_modules() if isinstance(one, nn.Linear)}
        unused = [one for one in self._settings.leave if not any(fnmatchcase(name, one) for name in linear)]
        if unused:
            raise RecipeError(
                "plugins.enterprise.float8.leave names no linear layer of this model",
                given=", ".join(unused),
                expected=f"patterns over names such as {', '.join(list(linear)[:3]) or '(there is no linear layer)'}",
                fix="correct the pattern, or leave it out",
            )
        chosen: set[int] = set()
        left: Counter[str] = Counter()
        for name, one in linear.items():
            reason = self._reason(name, one, repeats=id(one) in repeated)
            if reason:
                left[reason] += 1
            else:
                chosen.add(id(one))
        if not chosen:
            raise RecipeError(
                "no layer of this model can compute in float8",
                given="; ".join(f"{plural(count, 'linear layer')}: {why}" for why, count in left.items())
                or "no linear layer",
                expected=f"linear layers within repeated ones, whose sizes are multiples of {_MULTIPLE}",
                fix="--set train.strategy=single, without plugins.enterprise.float8",
            )
        return chosen, dict(left)

    def _reason(self, name: str, layer: nn.Linear, *, repeats: bool) -> str:
        """Why a layer stays as it is; empty: it does not."""
        if type(layer) is not nn.Linear:
            return f"{type(layer).__name__} has arithmetic of its own"
        if not repeats:
            return "outside the repeated layers, as the output layer is"
        if any(fnmatchcase(name, one) for one in self._settings.leave):
            return "left as asked"
        if not layer.weight.requires_grad:
            return "they do not train"
        if layer.in_features % _MULTIPLE or layer.out_features % _MULTIPLE:
            return f"their sizes are no multiples of {_MULTIPLE}"
        return ""


def float8_of(recipe: Recipe, *, is_main: bool = True) -> Float8 | None:
    """What converts the model of a job; None: its recipe does not ask for it.

    Args:
        is_main: this process asked the license.

    Raises:
        DeniedError: nobody has asked the license.
        RecipeError: the recipe asks for something that float8 does not go with.
    """
    if not is_asked(recipe.model_dump(include={"train", "plugins"})):
        return None
    refuse_without_grant(is_main=is_main)
    if recipe.train.precision not in ("auto", "bf16"):
        raise _beside(
            f"train.precision: {recipe.train.precision}",
            "train.precision: bf16, in which everything else is computed, over weights in fp32",
            "--set train.precision=bf16",
        )
    if recipe.method.name != "full":
        raise _beside(
            f"method: {recipe.method.name}",
            "method: full; adapters are too narrow for it, and layers that do not train gain little",
            "--set method=full, or leave float8 out",
        )
    return Float8(plugin_settings(recipe, "enterprise", EnterpriseSection).float8 or Float8Section())


def _plain_in_evaluation(model: nn.Module) -> None:
    """Held-out rows are computed as the saved model will compute them. (Nor does torchao take inference mode.)"""
    made: dict[type[nn.Linear], type[nn.Linear]] = {}
    for one in model.modules():
        if isinstance(one, nn.Linear) and type(one).__module__.startswith("torchao."):
            kind: type[nn.Linear] = type(one)
            if kind not in made:
                made[kind] = _trains_as(kind)
            one.__class__ = made[kind]


def _trains_as(kind: type[nn.Linear]) -> type[nn.Linear]:
    class TrainsInFloat8(kind):  # type: ignore[misc, valid-type]
        def forward(self, hidden: torch.Tensor) -> torch.Tensor:
            if not self.training:
                return nn.Linear.forward(self, hidden)
            place = hidden.device.type
            if torch.is_autocast_enabled(place):  # torchao asks for that of a GPU alone
                hidden = hidden.to(torch.get_autocast_dtype(place))
            product: torch.Tensor = super().forward(hidden)
            return product

    return TrainsInFloat8


def _beside(given: str, expected: str, fix: str) -> RecipeError:
    return RecipeError("this job cannot be trained in float8", given=given, expected=expected, fix=fix)


def _refuse_device(device: torch.device) -> None:
    wanted = f"an NVIDIA GPU of compute capability {_NEEDS[0]}.{_NEEDS[1]} or more (Ada, Hopper, Blackwell)"
    fix = f"train it there, or in bf16: another strategy than {STRATEGY}, and no plugins.enterprise.float8"
    if device.type != "cuda":
        raise RecipeError("float8 needs a GPU", given=f"train.device: {device.type}", expected=wanted, fix=fix)
    found = torch.cuda.get_device_capability(device)
    if found < _NEEDS:
        given = f"{torch.cuda.get_device_name(device)}, compute capability {found[0]}.{found[1]}"
        raise RecipeError("this GPU has no units for float8", given=given, expected=wanted, fix=fix)


def _torchao(recipe: str, *, emulate: bool) -> tuple[Any, Any]:
    """Torchao's conversion, and its settings."""
    try:  # here: it takes seconds
        from torchao.float8 import Float8LinearConfig, convert_to_float8_training
    except ImportError as error:
        raise TrainingError(
            "training in float8 needs torchao",
            given=str(error),
            expected="the extra float8 of tunesmith-enterprise",
            fix="pip install 'tunesmith-enterprise[float8]'",
        ) from error
    config = Float8LinearConfig.from_recipe_name(recipe.replace("-", "_"))
    # Batches have any number of rows; the product for the gradient of a weight adds up over them.
    return convert_to_float8_training, replace(config, pad_inner_dim=True, emulate=emulate)


def _version() -> str:
    from importlib.metadata import version

    return version("torchao")
