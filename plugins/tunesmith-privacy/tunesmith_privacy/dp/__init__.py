# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Training with differential privacy (DP-SGD, Abadi et al. 2016, arXiv:1607.00133).

Each step draws its rows at random, bounds what each of them adds to the gradient, and adds noise to the sum. What an
observer of the weights can learn of any one row is then bounded by epsilon and delta.
"""
