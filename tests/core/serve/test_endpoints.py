# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Every endpoint but chat: what it answers, and what it refuses."""

import base64
import json
import struct

import pytest
from conftest import settled
from echo import Echo
from test_chat import CALL, TOOL, error

from tunesmith.serve import AdapterSource, Application, Keys
from tunesmith.serve.completions import CompletionAnswer
from tunesmith.serve.operations import ModelsAnswer
from tunesmith.serve.predictions_schema import ClassifyAnswer, EmbeddingsAnswer, RerankAnswer, ScoreAnswer
from tunesmith.serve.responses_schema import ResponseAnswer

# ---- /v1/completions ---------------------------------------------------------------------------


def complete(**more):
    return {"model": "echo", "prompt": "a b", **more}


def test_a_text_goes_on(ask, engine):
    answer = ask("/v1/completions", complete()).json()
    CompletionAnswer.model_validate(answer)
    assert answer["object"] == "text_completion"
    assert answer["choices"] == [{"index": 0, "text": "a b", "logprobs": None, "finish_reason": "stop"}]
    assert answer["usage"]["total_tokens"] == 13
    assert engine.asked[0].prompt == "a b"
    assert engine.asked[0].max_new_tokens == 16  # as OpenAI's


def test_several_prompts_and_token_ids(ask, engine):
    answer = ask("/v1/completions", complete(prompt=["a", [98, 32, 99]], n=2, seed=5)).json()
    assert [(each["index"], each["text"]) for each in answer["choices"]] == [(0, "a"), (1, "a"), (2, "b c"), (3, "b c")]
    assert answer["usage"]["completion_tokens"] == 6
    assert [asked.prompt for asked in engine.asked] == ["a", (98, 32, 99)]
    assert {asked.sampling.seed for asked in engine.asked} == {5}
    assert ask("/v1/completions", complete(prompt=[97])).json()["choices"][0]["text"] == "a"


def test_log_probabilities_in_the_older_form(ask):
    told = ask("/v1/completions", complete(logprobs=1)).json()["choices"][0]["logprobs"]
    assert told == {
        "tokens": ["a ", "b"],
        "token_logprobs": [-0.5, -0.5],
        "top_logprobs": [{"t0": -1.0}, {"t0": -1.0}],
        "text_offset": [0, 2],
    }


def test_several_texts_in_pieces(ask):
    body = complete(prompt=["a b", "/length"], n=2, stream=True, stream_options={"include_usage": True}, logprobs=0)
    events = ask("/v1/completions", body).text.strip().split("\n\n")
    assert events.pop() == "data: [DONE]"
    told = [json.loads(each[6:]) for each in events]
    assert told.pop()["usage"]["completion_tokens"] == 10
    texts, ends, offsets = {}, {}, {}
    for each in told:
        (choice,) = each["choices"]
        texts[choice["index"]] = texts.get(choice["index"], "") + choice["text"]
        ends[choice["index"]] = choice["finish_reason"]
        offsets.setdefault(choice["index"], []).extend(choice["logprobs"]["text_offset"])
    assert texts == {0: "a b", 1: "a b", 2: "one two three", 3: "one two three"}
    assert ends == {0: "stop", 1: "stop", 2: "length", 3: "length"}
    assert offsets[3] == [0, 4, 8]


def test_one_text_of_several_that_fails_ends_all(ask, engine):
    response = ask("/v1/completions", complete(prompt=["/count 100000 0.001", "/fail 1"], max_tokens=4000, stream=True))
    assert '"code":"internal_error"' in response.text
    assert "[DONE]" not in response.text
    assert settled(engine).cancelled == 1


@pytest.mark.parametrize(
    ("more", "status", "param", "word"),
    [
        ({"prompt": ""}, 400, "prompt", "empty"),
        ({"prompt": []}, 400, "prompt", "at least 1"),
        ({"prompt": [-1]}, 400, "prompt[0]", "greater than or equal"),
        ({"prompt": ["a"] * 9}, 422, "n", "at most 8"),
        ({"prompt": {"a": 1}}, 400, "prompt", ""),
        ({"best_of": 2}, 400, "best_of", "not supported"),
        ({"echo": True}, 400, "echo", "not supported"),
        ({"suffix": "x"}, 400, "suffix", "not supported"),
        ({"logprobs": 21}, 422, "logprobs", "at most 20"),
        ({"max_tokens": 5000}, 422, "max_tokens", "at most 4,096"),
    ],
    ids=str,
)
def test_completions_refuse_by_name(ask, engine, more, status, param, word):
    error(ask("/v1/completions", complete(**more)), status, param, word)
    assert engine.asked == []


def test_the_name_of_a_parameter_is_the_requests_own(ask):
    error(ask("/v1/completions", complete(prompt="x" * 1001)), 400, "prompt", "too long")


# ---- /v1/responses -----------------------------------------------------------------------------


def test_a_response(ask, engine):
    body = {"model": "echo", "input": "a b", "instructions": "be brief", "store": False, "metadata": {"k": "v"}}
    answer = ask("/v1/responses", body).json()
    ResponseAnswer.model_validate(answer)
    assert answer["object"] == "response"
    assert answer["status"] == "completed"
    (item,) = answer["output"]
    assert item["content"] == [{"type": "output_text", "text": "a b", "annotations": [], "logprobs": []}]
    assert answer["usage"]["input_tokens"] == 11
    assert answer["metadata"] == {"k": "v"}
    assert [message["role"] for message in engine.asked[0].prompt] == ["system", "user"]


def test_a_conversation_of_items(ask, engine):
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "add"}]},
        {"type": "function_call", "call_id": "c1", "name": "add", "arguments": "{}"},
        {"type": "function_call", "call_id": "c2", "name": "add", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "1"},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "one", "annotations": []}],
        },
        {"role": "user", "content": "and?"},
    ]
    tool = {"type": "function", "name": "add", "parameters": {"type": "object"}}
    answer = ask("/v1/responses", {"model": "echo", "input": items, "tools": [tool], "tool_choice": "auto"})
    assert answer.status_code == 200, answer.text
    roles = [(message["role"], len(message.get("tool_calls", ()))) for message in engine.asked[0].prompt]
    assert roles == [("user", 0), ("assistant", 2), ("tool", 0), ("assistant", 0), ("user", 0)]
    assert engine.asked[0].tools == (TOOL,)


def test_a_response_cut_short_is_incomplete(ask):
    answer = ask("/v1/responses", {"model": "echo", "input": "/length", "max_output_tokens": 3}).json()
    assert answer["status"] == "incomplete"
    assert answer["incomplete_details"] == {"reason": "max_output_tokens"}


def events_of(response):
    found = []
    for each in response.text.strip().split("\n\n"):
        name, _, data = each.partition("\n")
        value = json.loads(data.removeprefix("data: "))
        assert name == f"event: {value['type']}"
        found.append(value)
    assert [each["sequence_number"] for each in found] == list(range(len(found)))
    return found


def test_a_response_in_events(ask):
    found = events_of(ask("/v1/responses", {"model": "echo", "input": "a b", "stream": True}))
    assert [each["type"].removeprefix("response.") for each in found] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert found[0]["response"]["status"] == "in_progress"
    assert found[0]["response"]["output"] == []
    assert found[2]["item"]["content"] == []
    assert found[3]["part"]["text"] == ""
    ResponseAnswer.model_validate(found[-1]["response"])
    assert found[-1]["response"]["output"][0]["content"][0]["text"] == "a b"
    assert found[-1]["response"]["usage"]["output_tokens"] == 2


def test_a_call_in_events(ask):
    tool = {"type": "function", "name": "add", "parameters": {"type": "object"}}
    body = {"model": "echo", "input": f"/say Wait. {CALL}", "tools": [tool], "stream": True}
    found = events_of(ask("/v1/responses", body))
    assert [item["type"] for item in found[-1]["response"]["output"]] == ["message", "function_call"]
    (done,) = [each for each in found if each["type"] == "response.function_call_arguments.done"]
    assert (done["name"], done["arguments"], done["output_index"]) == ("add", '{"a": 1}', 1)


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "c"}, "conversation"),
        ({"store": True}, "store"),
        ({"background": True}, "background"),
        ({"include": ["reasoning.encrypted_content"]}, "include"),
        ({"truncation": "auto"}, "truncation"),
        ({"reasoning": {"effort": "high"}}, "reasoning"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format.schema"),
        ({"input": []}, "input"),
        ({"n": 2}, "n"),
    ],
)
def test_responses_refuse_by_name(ask, engine, more, param):
    error(ask("/v1/responses", {"model": "echo", "input": "a"} | more), 400, param)
    assert engine.asked == []


# ---- embeddings, labels, scores ----------------------------------------------------------------


def test_embeddings_as_numbers_and_as_bytes(ask):
    answer = ask("/v1/embeddings", {"model": "echo", "input": ["a", "b"], "dimensions": 2}).json()
    EmbeddingsAnswer.model_validate(answer)
    assert answer["data"][1]["embedding"] == pytest.approx([0.6, 0.8])
    assert answer["usage"] == {"prompt_tokens": 5, "total_tokens": 5}
    answer = ask("/v1/embeddings", {"model": "echo", "input": "a", "encoding_format": "base64"}).json()
    assert struct.unpack("<2f", base64.b64decode(answer["data"][0]["embedding"])) == pytest.approx((0.6, -0.8))


def test_token_ids_can_be_embedded(ask, engine):
    assert ask("/v1/embeddings", {"model": "echo", "input": [[1, 2], [3]]}).status_code == 200
    assert engine.asked[0].texts == ((1, 2), (3,))


def test_other_dimensions_are_refused(ask):
    error(ask("/v1/embeddings", {"model": "echo", "input": "a", "dimensions": 3}), 400, "dimensions", "expected: 2")


def test_labels(ask, engine):
    rows = ["good", {"text": "bad", "other": 1}]
    answer = ask("/v1/classify", {"model": "echo", "input": rows}).json()
    ClassifyAnswer.model_validate(answer)
    first = answer["data"][0]
    assert (first["label"], first["probs"], first["num_classes"]) == ("yes", [0.25, 0.75], 2)  # labels: no, yes
    assert first["answer"]["probabilities"] == {"yes": 0.75, "no": 0.25}
    assert engine.asked[0].rows == ("good", {"text": "bad", "other": 1})
    assert ask("/v1/classify", {"model": "echo", "input": {"text": "bad"}}).status_code == 200


def test_images_come_as_data_and_are_not_fetched(ask):
    engine = Echo(kinds=("predict",), task="image-classification", chats=False)
    app = Application({"echo": engine})
    image = "data:image/png;base64," + base64.b64encode(b"PNG").decode()
    assert ask("/v1/classify", {"model": "echo", "input": [image, {"image": image}]}, of=app).status_code == 200
    assert engine.asked[0].rows == (b"PNG", b"PNG")
    for wrong in (
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "data:image/png;base64,***",
        "data:text/html,x",
    ):
        error(ask("/v1/classify", {"model": "echo", "input": [wrong]}, of=app), 400, "input[0]")


def test_scores_of_pairs(ask, engine):
    answer = ask("/v1/score", {"model": "echo", "text_1": "q", "text_2": ["abc", "a"]}).json()
    ScoreAnswer.model_validate(answer)
    assert [each["score"] for each in answer["data"]] == [0.3, 0.1]
    answer = ask("/v1/score", {"model": "echo", "text_1": ["q", "r"], "text_2": ["abc", "a"]}).json()
    assert [each["score"] for each in answer["data"]] == [0.3, 0.1]
    assert [(asked.query, asked.documents) for asked in engine.asked[1:]] == [("q", ("abc",)), ("r", ("a",))]
    error(
        ask("/v1/score", {"model": "echo", "text_1": ["q", "r"], "text_2": ["a", "b", "c"]}), 400, "text_1", "2 and 3"
    )


def test_documents_best_first(ask):
    body = {"model": "echo", "query": "q", "documents": ["a", "abc", "ab"], "top_n": 2, "return_documents": True}
    answer = ask("/v1/rerank", body).json()
    RerankAnswer.model_validate(answer)
    assert answer["results"] == [
        {"index": 1, "relevance_score": 0.3, "document": {"text": "abc"}},
        {"index": 2, "relevance_score": 0.2, "document": {"text": "ab"}},
    ]
    assert "document" not in ask("/v1/rerank", body | {"return_documents": False}).json()["results"][0]


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/embeddings", {"input": ["a"] * 2049}, "input"),
        ("/v1/classify", {"input": ["a"] * 2049}, "input"),
        ("/v1/score", {"text_1": "q", "text_2": ["a"] * 2049}, "text_2"),
        ("/v1/rerank", {"query": "q", "documents": ["a"] * 2049}, "documents"),
        ("/v1/classify", {"input": "x" * 2_000_001}, "input"),
        ("/tokenize", {"prompt": "x" * 2_000_001}, "prompt"),
    ],
)
def test_too_much_at_once_is_422(ask, engine, path, body, param):
    error(ask(path, {"model": "echo"} | body), 422, param, "at most 2,0")
    assert engine.asked == []


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/classify"])
def test_a_model_of_another_kind_says_what_it_does(ask, path):
    app = Application({"echo": Echo(kinds=("generate",))})
    error(ask(path, {"model": "echo", "input": "a"}, of=app), 400, "model", "it answers: generate")


# ---- tokens ------------------------------------------------------------------------------------


def test_tokens_there_and_back(ask):
    answer = ask("/tokenize", {"model": "echo", "prompt": "hé"}).json()
    assert answer == {"tokens": [104, 195, 169], "count": 3, "max_model_len": 1000}
    assert ask("/detokenize", {"model": "echo", "tokens": answer["tokens"]}).json() == {"prompt": "hé"}
    messages = [{"role": "user", "content": "x"}]
    assert ask("/tokenize", {"model": "echo", "messages": messages}).json()["count"] == len("<user>x")
    error(ask("/tokenize", {"model": "echo"}), 400, "prompt", "one of them")
    error(ask("/detokenize", {"model": "echo", "tokens": [256]}), 400, "tokens", "no such token")
    error(ask("/detokenize", {"model": "echo", "tokens": []}), 400, "tokens")


# ---- models and adapters -----------------------------------------------------------------------


@pytest.fixture
def adapted(tmp_path):
    (tmp_path / "polite").mkdir()
    keys = Keys.read(None, {"TUNESMITH_SERVE_KEY": "u" * 16, "TUNESMITH_SERVE_ADMIN_KEY": "a" * 16})
    sources = [AdapterSource("polite", tmp_path / "polite", "one"), AdapterSource("polite", tmp_path / "polite", "two")]
    return Application({"one": Echo("one"), "two": Echo("two")}, adapters=sources, keys=keys)


USE, ADMIN = {"Authorization": f"Bearer {'u' * 16}"}, {"Authorization": f"Bearer {'a' * 16}"}


def test_the_list_of_models(ask, adapted):
    told = ask("/v1/models", of=adapted, headers=USE).json()
    ModelsAnswer.model_validate(told)
    assert [(each["id"], each["parent"]) for each in told["data"]] == [
        ("one", None),
        ("two", None),
        ("one:polite", "one"),
        ("two:polite", "two"),
    ]
    assert ask("/v1/models/one:polite", of=adapted, headers=USE).json()["parent"] == "one"
    error(ask("/v1/models/three", of=adapted, headers=USE), 404, "model", "served here: one, two")


def test_a_name_routes_to_its_adapter(ask, adapted):
    def asked(name):
        body = {"model": name, "messages": [{"role": "user", "content": "x"}]}
        return ask("/v1/chat/completions", body, of=adapted, headers=USE)

    assert asked("two:polite").json()["model"] == "two:polite"
    two = adapted.models.engines["two"]
    assert two.asked[0].adapter == "polite"
    assert two.asked[0].cache_salt == "TUNESMITH_SERVE_KEY"
    asked("two")
    assert two.asked[1].adapter is None
    assert error(asked("polite"), 404, "model", "more than one")["code"] == "ambiguous_model"
    error(asked("two:rude"), 404, "model")
    adapted.models.unload("polite", "one")
    assert asked("polite").status_code == 200
    assert two.asked[2].adapter == "polite"


def test_adapters_come_and_go_by_name_only(ask, adapted, tmp_path):
    listed = ask("/admin/adapters", of=adapted, headers=ADMIN).json()["data"]
    assert listed == [{"name": "polite", "model": model, "loaded": True} for model in ("one", "two")]
    body = {"name": "polite", "model": "one"}
    told = ask("/admin/adapters/unload", body, of=adapted, headers=ADMIN).json()["data"]
    assert [each["loaded"] for each in told] == [False, True]
    assert adapted.models.engines["one"].adapters == {}
    for again in range(2):
        told = ask("/admin/adapters/load", body, of=adapted, headers=ADMIN).json()["data"]
        assert [each["loaded"] for each in told] == [True, True], again
    error(ask("/admin/adapters/load", {"name": "polite"}, of=adapted, headers=ADMIN), 404, "name", "name its model too")
    for wrong in ("../../etc", str(tmp_path), "rude"):
        response = ask("/admin/adapters/load", {"name": wrong}, of=adapted, headers=ADMIN)
        error(response, 404, "name", "no such adapter", "one:polite")
    error(
        ask("/admin/adapters/load", body | {"path": "/x"}, of=adapted, headers=ADMIN), 400, "path", "unknown parameter"
    )


def test_an_adapter_that_does_not_load_says_so_without_paths(ask, adapted, tmp_path):
    ask("/admin/adapters/unload", {"name": "polite", "model": "one"}, of=adapted, headers=ADMIN)
    (tmp_path / "polite").rmdir()
    response = ask("/admin/adapters/load", {"name": "polite", "model": "one"}, of=adapted, headers=ADMIN)
    error(response, 409, "name", "this is no adapter")
    assert str(tmp_path) not in response.text
