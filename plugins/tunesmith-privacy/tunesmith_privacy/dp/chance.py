# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Everything random that privacy rests on: a function of a key and the step, so that a resumed job draws the same."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from tunesmith.errors import RecipeError

__all__ = ["FEWEST_BYTES", "Chance"]

FEWEST_BYTES = 16


class Chance:
    """Generators, each for one purpose and one step; NumPy's Philox, a counter in the place of a state.

    Args:
        root: what all of it follows from. Whoever knows it can take the noise away again.
        secret: whether others do not.
    """

    def __init__(self, root: bytes, *, secret: bool) -> None:
        self.secret = secret
        self._keys = {
            purpose: int.from_bytes(hashlib.blake2b(root, digest_size=16, person=purpose.encode()).digest(), "little")
            for purpose in ("sampling", "noise")
        }

    @classmethod
    def of(cls, seed: int, secret_file: str | None) -> Chance:
        """Of ``train.seed`` and, where there is one, a secret.

        Raises:
            RecipeError: the file cannot be read, or is too short to be a secret.
        """
        salt = seed.to_bytes(8, "little")
        if secret_file is None:
            return cls(salt, secret=False)
        try:
            held = Path(secret_file).expanduser().read_bytes()
        except OSError as error:
            raise RecipeError(
                "the secret of private training cannot be read",
                given=f"plugins.privacy.secret_file: {secret_file}: {error.strerror}",
                expected=f"a file of at least {FEWEST_BYTES} random bytes",
                fix=f"make one: head -c 32 /dev/urandom > {secret_file}",
            ) from error
        if len(held) < FEWEST_BYTES:
            raise RecipeError(
                "the secret of private training is too short to be one",
                given=f"plugins.privacy.secret_file: {secret_file}, {len(held)} bytes",
                expected=f"at least {FEWEST_BYTES} random bytes",
                fix=f"make one: head -c 32 /dev/urandom > {secret_file}",
            )
        return cls(hashlib.blake2b(held).digest() + salt, secret=True)

    def sampling(self, step: int) -> np.random.Generator:
        """For the rows of the 0-based step."""
        return self._generator("sampling", step)

    def noise(self, step: int) -> np.random.Generator:
        """For the noise of the 0-based step."""
        return self._generator("noise", step)

    def _generator(self, purpose: str, step: int) -> np.random.Generator:
        # The step is the counter's highest word: the numbers of a step never reach those of the next.
        return np.random.Generator(np.random.Philox(key=self._keys[purpose], counter=step << 192))
