# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Speculative decoding: several tokens are guessed, and the engine verifies them in one step (arXiv:2211.17192).

The engine chooses every token by its own sampler, so that answers are the same to the last token, greedy or drawn.
"""
