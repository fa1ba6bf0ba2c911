# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Models from the Hugging Face hub: safetensors, JSON and tokenizer files are fetched, nothing else."""

from __future__ import annotations

import logging
from pathlib import Path

from tunesmith.errors import ModelError, OfflineError
from tunesmith.models.quiet import quiet_libraries

__all__ = ["TOKENIZER_FILES", "download"]

_logger = logging.getLogger(__name__)

TOKENIZER_FILES = ("*.json", "*.txt", "*.model", "*.jinja")
MODEL_FILES = ("*.safetensors", *TOKENIZER_FILES)
"""``fnmatch`` patterns. Never ``*.bin`` and ``*.pt``: pickles. ``*.py`` only where remote code is asked for."""
_NOT_FETCHED = ["*/*"]
"""Folders inside a repository hold other formats (ONNX, OpenVINO) and other variants."""


def download(
    repo: str,
    *,
    revision: str | None = None,
    trust_remote_code: bool = False,
    files: tuple[str, ...] = MODEL_FILES,
) -> tuple[Path, str]:
    """Fetch a model, or take it from the hub's cache where the hub cannot be reached.

    Args:
        repo: ``owner/name``.
        revision: branch, tag or commit; default: the main branch.
        trust_remote_code: fetch the model's Python files too.
        files: patterns of what to fetch.

    Returns:
        The folder in the cache, and the commit.

    Raises:
        ModelError: no such model or revision, or access to it is not granted.
        OfflineError: the hub cannot be reached and the cache does not hold the model.
    """
    from huggingface_hub import errors, snapshot_download

    _logger.info("fetching %s from the hub", repo)
    patterns = [*files, *(["*.py"] if trust_remote_code else [])]
    try:
        with quiet_libraries():
            folder = snapshot_download(repo, revision=revision, allow_patterns=patterns, ignore_patterns=_NOT_FETCHED)
    except errors.GatedRepoError as error:
        raise ModelError(
            f"access to {repo} is gated and not granted to you",
            given=repo,
            expected="a hub model you may download",
            fix=(
                f"ask for access at https://huggingface.co/{repo}, then log in: hf auth login",
                "(or set HF_TOKEN to a token that may read it)",
            ),
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ModelError(
            f"{repo} has no such revision",
            given=f"revision: {revision}",
            expected="a branch, tag or commit of that model",
            fix=f"see https://huggingface.co/{repo}/tree/main, or leave `revision` out",
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise ModelError(
            f"the hub has no model {repo}, or it is private",
            given=repo,
            expected="owner/name of a public model, or of a private one you are logged in for",
            fix=("check the spelling", "a private model needs a login: hf auth login, or HF_TOKEN"),
        ) from error
    except errors.HFValidationError as error:
        raise ModelError(f"{repo} is no hub id", given=str(error), expected="owner/name") from error
    except Exception as error:
        # The client raises errors of its own, of its HTTP library and of the operating system; all mean the same here.
        # A mistake of ours must not be dressed up as a network failure.
        if not isinstance(error, (OSError, errors.HfHubHTTPError)) and not _is_transport_error(error):
            raise
        raise _offline(repo, error) from error
    return Path(folder), Path(folder).name


def _is_transport_error(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] in {"httpx", "httpx2", "httpcore", "requests", "urllib3"}


def _offline(repo: str, error: BaseException) -> OfflineError:
    from huggingface_hub import constants

    reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return OfflineError(
        f"{repo} has to come from the Hugging Face hub, and the hub cannot be reached",
        given=f"{type(error).__name__}: {reason}",
        expected=f"network access, or the model in the hub's cache ({constants.HF_HUB_CACHE})",
        fix=(
            "offline, use a model that is here: a local folder (model: path/to/model)",
            "or the model that comes with the package (model: tunesmith/tiny);",
            f"or fetch it where there is a network (hf download {repo}), copy the cache to this machine,",
            "point HF_HUB_CACHE at it and set HF_HUB_OFFLINE=1",
        ),
    )
