# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""How much noise a budget takes, and how much of it a job spends: by the accountants of Opacus."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Literal

from tunesmith.errors import RecipeError

__all__ = ["Budget", "noise_for", "spent"]

Accountant = Literal["rdp", "prv"]


@dataclass(frozen=True, slots=True)
class Budget:
    """What a job spends.

    Attributes:
        epsilon: at ``delta``, over all steps.
        noise_multiplier: standard deviation of the noise, in units of the norm that rows are clipped to.
        rate: chance of each row to be in a step.
    """

    epsilon: float
    delta: float
    noise_multiplier: float
    rate: float
    steps: int
    accountant: Accountant

    def sentence(self, clip: float) -> str:
        """For report and model card."""
        name = {"rdp": "RDP", "prv": "PRV"}[self.accountant]
        return (
            f"differentially private training: epsilon {_rounded_up(self.epsilon)} at delta {self.delta:g} "
            f"({name} accountant of Opacus {version('opacus')}), noise multiplier {self.noise_multiplier:.4g}, "
            f"per-row clipping at {clip:g}, Poisson sampling at rate {self.rate:.4g} over {self.steps:,} "
            f"{'step' if self.steps == 1 else 'steps'}; one row is the unit"
        )


def spent(*, noise_multiplier: float, rate: float, steps: int, delta: float, accountant: Accountant) -> float:
    """Epsilon at ``delta`` of so many steps of the Gaussian mechanism over Poisson samples."""
    from opacus.accountants import create_accountant

    account = create_accountant(mechanism=accountant)
    account.history = [(noise_multiplier, rate, steps)]
    with _quiet():
        return float(account.get_epsilon(delta=delta))


@cache
def noise_for(*, epsilon: float, rate: float, steps: int, delta: float, accountant: Accountant) -> float:
    """The least noise multiplier that keeps to the budget.

    What it spends is less than epsilon by at most 0.01, or by a hundredth of epsilon where that is less. It takes about
    a second to find, and is kept for as long as the process runs: jobs of a search ask for the same.

    Raises:
        RecipeError: no noise is enough.
    """
    from opacus.accountants.utils import get_noise_multiplier

    try:
        with _quiet():
            found = get_noise_multiplier(
                target_epsilon=epsilon,
                target_delta=delta,
                sample_rate=rate,
                steps=steps,
                accountant=accountant,
                epsilon_tolerance=min(0.01, epsilon / 100),
            )
    except ValueError as error:
        if "budget is too low" not in str(error):
            raise RecipeError(
                "this accountant cannot say what noise the budget takes",
                given=f"plugins.privacy.accountant: {accountant}; {error}",
                expected="an accountant that copes with this rate, these steps and this budget",
                fix="--set plugins.privacy.accountant=rdp",
            ) from error
        raise RecipeError(
            "no amount of noise keeps to this budget",
            given=f"plugins.privacy.epsilon: {epsilon:g} at delta {delta:g}, over {steps:,} steps at rate {rate:.4g}",
            expected="a budget that the steps can be paid from",
            fix="raise epsilon or delta, or take fewer steps: --set train.epochs=1",
        ) from error
    return float(found)


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        # "Optimal order is the largest alpha": the bound is not as tight as it could be, and holds.
        warnings.simplefilter("ignore", UserWarning)
        # At a rate of 1 a logarithm of 0 is taken, and meant.
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def _rounded_up(epsilon: float) -> str:
    # A bound may be told as more than it is, never as less.
    digits = 2 if epsilon >= 1 else 4
    return f"{math.ceil(epsilon * 10**digits) / 10**digits:.{digits}f}"
