# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What is minimized: ours bit for bit as their functions, and what is told of one that cannot be used.

Shapes: R rows, K labels.
"""

from __future__ import annotations

import re

import pytest
import torch
from torch.nn import functional

from tunesmith.errors import RecipeError
from tunesmith.recipe import parse_recipe
from tunesmith.recipe.dump import dump_recipe
from tunesmith.recipe.schema import ObjectiveSection
from tunesmith.recipe.yaml_text import read_yaml
from tunesmith.registry import get_registry
from tunesmith.tasks.chat import Chat
from tunesmith.tasks.classification_losses import CrossEntropy, Focal
from tunesmith.tasks.embedding import Embedding
from tunesmith.tasks.embedding_losses import Contrastive, split_loss
from tunesmith.tasks.image_classification import ImageClassification
from tunesmith.tasks.objectives import ChosenObjective
from tunesmith.tasks.preference import Preference
from tunesmith.tasks.preference_losses import Dpo, Ipo, Kto, Orpo, dpo_losses, ipo_losses, kto_losses, orpo_losses
from tunesmith.tasks.retrieval import Search
from tunesmith.tasks.text_classification import TextClassification

R, K = 40, 5


def section(**keys):
    return ObjectiveSection(**keys)


@pytest.fixture
def rows():
    random = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(R, K, generator=random)
    return logits, torch.randint(K, (R,), generator=random), torch.randint(2, (R, K), generator=random).float()


# ---- ours ------------------------------------------------------------------------------------------------------------


def test_cross_entropy_is_the_plain_function(rows):
    logits, labels, several = rows
    found = CrossEntropy().losses({"logits": logits, "labels": labels})
    assert torch.equal(found, functional.cross_entropy(logits, labels, reduction="none"))
    found = CrossEntropy().losses({"logits": logits, "labels": several})
    assert torch.equal(found, functional.binary_cross_entropy_with_logits(logits, several, reduction="none").mean(-1))


def test_smoothed_targets_by_hand(rows):
    logits, labels, several = rows
    wanted = 0.8 * functional.one_hot(labels, K) + 0.2 / K
    found = CrossEntropy(label_smoothing=0.2).losses({"logits": logits, "labels": labels})
    torch.testing.assert_close(found, -(wanted * logits.log_softmax(-1)).sum(-1))
    share = 0.8 * several + 0.1
    found = CrossEntropy(label_smoothing=0.2).losses({"logits": logits, "labels": several})
    expected = -(share * logits.sigmoid().log() + (1 - share) * (1 - logits.sigmoid()).log()).mean(-1)
    torch.testing.assert_close(found, expected)


def test_focal_by_its_formula_and_without_gamma_cross_entropy(rows):
    logits, labels, several = rows
    likely = logits.softmax(-1)[torch.arange(R), labels]
    found = Focal(gamma=1.5).losses({"logits": logits, "labels": labels})
    torch.testing.assert_close(found, -((1 - likely) ** 1.5) * likely.log())
    likely = torch.where(several == 1, logits.sigmoid(), 1 - logits.sigmoid())
    found = Focal().losses({"logits": logits, "labels": several})
    torch.testing.assert_close(found, (-((1 - likely) ** 2) * likely.log()).mean(-1))
    for truth in (labels, several):
        terms = {"logits": logits, "labels": truth}
        torch.testing.assert_close(Focal(gamma=0).losses(terms), CrossEntropy().losses(terms))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_a_certain_row_has_a_finite_focal_gradient(gamma):
    for labels in (torch.tensor([0]), torch.tensor([[1.0, 0.0]])):
        logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
        Focal(gamma=gamma).losses({"logits": logits, "labels": labels}).sum().backward()
        assert torch.isfinite(logits.grad).all()


def test_objectives_of_preferences_are_their_functions():
    random = torch.Generator().manual_seed(0)
    terms = {
        "logprobs": -20 * torch.rand(R, 2, generator=random),
        "reference": -20 * torch.rand(R, 2, generator=random),
        "lengths": torch.randint(1, 9, (R, 2), generator=random).float(),
        "desirable": torch.rand(R, generator=random) < 0.5,
    }
    ratios, lengths = terms["logprobs"] - terms["reference"], terms["lengths"]
    pairs = [
        (Dpo(beta=0.3, label_smoothing=0.1), dpo_losses(ratios, beta=0.3, label_smoothing=0.1)),
        (Ipo(), ipo_losses(ratios, lengths, beta=0.1)),
        (Orpo(), orpo_losses(terms["logprobs"], lengths, beta=0.1)),
        (
            Kto(undesirable_weight=2.0),
            kto_losses(
                ratios[:, 0],
                terms["desirable"],
                ratios[:, 1].mean().clamp(min=0),
                beta=0.1,
                undesirable_weight=2.0,
            ),
        ),
    ]
    for objective, expected in pairs:
        assert torch.equal(objective.losses({name: terms[name] for name in objective.terms}), expected)


def test_contrastive_losses_add_up_to_their_total_and_are_those_of_a_search():
    random = torch.Generator().manual_seed(0)
    anchors, texts = (functional.normalize(torch.randn(9, 8, generator=random), dim=-1) for _ in range(2))
    terms = {"anchors": anchors, "candidates": texts, "positives": torch.arange(9), "excluded": torch.zeros(9, 9) > 0}
    objective = Contrastive(temperature=0.2)
    expected = functional.cross_entropy(anchors @ texts.T / 0.2, torch.arange(9), reduction="sum")
    assert torch.equal(objective.total(terms), expected)
    torch.testing.assert_close(objective.losses(terms).sum(), expected)

    search = Search()
    for row in range(9):  # a query that is a text of the corpus, and one with two answers, among them
        query = "text 3" if row == 4 else f"query {0 if row == 7 else row}"
        search.add(query, anchors[row].numpy(), {f"text {row}": texts[row].numpy()})
    chosen = ChosenObjective(section(name="contrastive"), "tunesmith", objective)
    assert split_loss(search, chosen) == pytest.approx(float(search.rank(0.2).losses.mean()), rel=1e-5)


# ---- choosing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "asked", "resolved"),
    [
        (TextClassification, {}, {"name": "cross-entropy", "label_smoothing": 0.0}),
        (ImageClassification, {"label_smoothing": 0.1}, {"name": "cross-entropy", "label_smoothing": 0.1}),
        (TextClassification, {"name": "focal"}, {"name": "focal", "gamma": 2.0}),
        (TextClassification, {"name": "tunesmith/focal", "gamma": 1}, {"name": "tunesmith/focal", "gamma": 1.0}),
        (Preference, {"beta": 0.2}, {"name": "dpo", "beta": 0.2, "label_smoothing": 0.0}),
        (Embedding, {"name": None, "temperature": None, "beta": None}, {"name": "contrastive", "temperature": 0.05}),
        (Chat, {}, {"name": None}),
    ],
)
def test_every_value_is_written_out(data, kind, asked, resolved):
    assert kind(data()).choose_objective(section(**asked)).model_dump() == resolved


@pytest.mark.parametrize(
    ("kind", "asked", "words"),
    [
        (Chat, {"name": "dpo"}, ["no such objective", "objective.name: dpo", "one loss only", "leave `objective` out"]),
        (Embedding, {"name": "dpo"}, ["'dpo' is for preference, not for this task", "expected: contrastive"]),
        (
            Preference,
            {"name": "dop"},
            ["there is no objective 'dop'", "did you mean 'dpo'?", "dpo or ipo or orpo"],
        ),
        (
            Preference,
            {"betta": 1, "label_smoothing": 0.7},
            [
                "objective: 2 problems",
                "objective.betta: unknown key; did you mean 'beta'?",
                "objective.label_smoothing: expected a number of at least 0 and less than 0.5, given 0.7",
                "dpo takes beta, label_smoothing",
            ],
        ),
        (
            Preference,
            {"desirable_weight": 2.0},
            ["desirable_weight: unknown key; it belongs to kto", "--set objective.name=kto"],
        ),
        (TextClassification, {"temperature": 2.0}, ["unknown key; it belongs to contrastive, of embedding"]),
        (TextClassification, {"name": "focal", "gamma": "2"}, ["objective.gamma: expected a number of at least 0"]),
    ],
)
def test_what_is_wrong_is_told(data, kind, asked, words):
    with pytest.raises(RecipeError) as caught:
        kind(data()).choose_objective(section(**asked))
    for part in words:
        assert part in str(caught.value)


def test_keys_of_objectives_pass_the_recipe_and_are_written_and_read(data):
    job = {"task": "preference", "model": "m", "data": {"train": "a.jsonl"}, "output": "o"}
    recipe = parse_recipe(job, overrides=["objective=kto", "objective.beta=0.2"])
    assert recipe.objective.model_dump() == {"name": "kto", "beta": 0.2}
    again, lines = read_yaml(dump_recipe(recipe), "recipe.yaml")
    assert parse_recipe(again, lines=lines) == recipe
    # As an earlier version wrote it, with the keys of all objectives.
    before = {"name": "dpo", "temperature": None, "beta": 0.1, "desirable_weight": None}
    assert parse_recipe({**job, "objective": before}).objective == section(name="dpo", beta=0.1)
    with pytest.raises(RecipeError, match="objective: expected a name, or a section of name and more, given 5"):
        parse_recipe({**job, "objective": 5})


def test_the_reference_lists_every_term_and_every_objective(root):
    page = (root / "docs" / "reference" / "tasks.md").read_text(encoding="utf-8")
    listed = page.split("\n## Objectives\n", 1)[1].split("\n## ", 1)[0]
    for kind in (TextClassification, Embedding, Preference):
        for term in kind.terms:
            assert f"| `{term}` |" in listed
    for one in get_registry().all("objective"):
        if one.plugin == "tunesmith":
            kind = get_registry().load("objective", one.full_name)
            (line,) = re.findall(rf"^\| `{one.spec.name}` \|.*$", listed, re.MULTILINE)
            for key, field in kind.model_fields.items():
                assert f"`{key}: {field.default:g}`" in line


# ---- saved models ----------------------------------------------------------------------------------------------------


def test_a_default_objective_leaves_nothing_in_a_saved_model_and_another_comes_back(data):
    task = TextClassification(data())
    assert "objective" not in task.state()
    task.choose_objective(section())
    assert "objective" not in task.state()
    task.choose_objective(section(name="focal", gamma=3.0))
    saved = task.state()["objective"]
    assert saved == {"name": "focal", "gamma": 3.0}
    again = TextClassification(data())
    again.restore_objective(saved)
    assert again.chosen == task.chosen
