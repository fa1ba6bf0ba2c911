# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import numpy as np

from tunesmith.tasks.classification_report import excerpt, mistakes, most_confused


def test_a_small_matrix_is_shown_whole():
    matrix = most_confused(["a", "b"], np.array([[3, 1], [0, 2]]))
    assert matrix.counts == [[3, 1], [0, 2]]
    assert matrix.labels == ["a", "b"]


def test_of_many_labels_the_most_confused_are_shown():
    counts = np.diag(np.full(77, 9))
    counts[70, 3] = 8
    counts[5, 60] = 7
    matrix = most_confused([f"l{i}" for i in range(77)], counts)
    assert matrix.labels == ["l3", "l5", "l60", "l70"]
    assert matrix.counts == [[9, 0, 0, 0], [0, 9, 7, 0], [0, 0, 9, 0], [8, 0, 0, 9]]
    assert "The 4 labels with the most frequent confusions, of 77" in matrix.note


def test_at_most_twenty_labels_are_shown():
    counts = np.arange(77 * 77).reshape(77, 77)
    assert len(most_confused([str(i) for i in range(77)], counts).labels) <= 20
    assert len(most_confused([str(i) for i in range(77)], np.eye(77, dtype=int)).labels) == 20


def test_mistakes_are_the_greatest_losses_first():
    assert mistakes([0.1, 3.0, 2.0]) == [1, 2, 0]
    assert len(mistakes([1.0] * 50)) == 20


def test_excerpts_are_cut():
    assert excerpt("short") == "short"
    assert excerpt("x" * 301) == "x" * 300 + "…"
