# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A decoder's step as machine code: compiled by Numba when it is first used, run by a few threads without Python in it.

From the ground up: ``native`` (what Numba is given to know of pointers and threads), ``team`` (how threads share a
step), ``products``, ``attention``, ``low_rank``, and ``step``, which is all of them in the order of a decoder's layers.
"""
