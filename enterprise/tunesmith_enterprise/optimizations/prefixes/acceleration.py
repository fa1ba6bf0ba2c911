# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``enterprise/prefix-store``: what the engine asks for by name."""

from __future__ import annotations

from tunesmith.engine import Acceleration
from tunesmith.engine.acceleration import Opening
from tunesmith.errors import ModelError, SettingsError
from tunesmith_enterprise.optimizations.dates import allowed
from tunesmith_enterprise.optimizations.prefixes.files import Folder, checked_folder
from tunesmith_enterprise.optimizations.prefixes.identity import identity
from tunesmith_enterprise.optimizations.prefixes.keeping import Keeping
from tunesmith_enterprise.settings import enterprise_settings

__all__ = ["PrefixStore"]

_MOST_GB = 10.0


class PrefixStore(Acceleration):
    """Beginnings of prompts in a folder.

    Args:
        argument: the folder.

    Raises:
        LicenseError: it is not licensed here, and not open to all yet.
        ModelError: there is no such folder, or others may write into it.
        SettingsError: ``prefix_store_gb`` is no size.
    """

    def __init__(self, argument: str = "") -> None:
        super().__init__()
        self.grant = allowed("prefix-store")  # before a folder is made
        self._folder = checked_folder(argument)
        self._most_bytes = int(_most_gb() * 1e9)
        self._keeping: Keeping | None = None

    def prefixes(self, opening: Opening) -> Keeping:
        """As :meth:`tunesmith.engine.Acceleration.prefixes`.

        Raises:
            ModelError: the model was opened from an address, as one that is encrypted is: what is kept would lie in
                the open.
        """
        if opening.addressed:
            raise ModelError(
                f"the prefix store keeps nothing for {opening.name}: what it writes is not encrypted",
                given=f"{opening.model}, or a model under it, that was opened into memory from NAME:ADDRESS",
                expected="a model that lies in a folder as it is",
                fix="leave enterprise/prefix-store out for this model",
            )
        folder = Folder(self._folder, identity(opening), most_bytes=self._most_bytes)
        self._keeping = Keeping(folder)
        return self._keeping

    def close(self) -> None:
        """As :meth:`tunesmith.engine.Acceleration.close`."""
        if self._keeping is not None:
            self._keeping.close()


def _most_gb() -> float:
    given = enterprise_settings().get("prefix_store_gb", _MOST_GB)
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given < 1e6:
        raise SettingsError(
            "prefix_store_gb of [plugins.enterprise] is no size",
            given=repr(given),
            expected="a number of gigabytes, more than 0",
            fix="correct it in the tunesmith.toml of the machine or of the person",
        )
    return float(given)
