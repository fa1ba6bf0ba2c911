# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""OpenAI's own client at every endpoint that it knows, against a real server."""

import pytest
from server_process import Process
from test_chat import CALL, TOOL

openai = pytest.importorskip("openai", reason="needs the extra test")

MESSAGES = [{"role": "user", "content": "hello there"}]


@pytest.fixture(scope="module")
def client():
    key = "a-key-for-openai"
    process = Process(environment={"TUNESMITH_SERVE_KEY": key})
    with openai.OpenAI(base_url=process.url + "/v1", api_key=key, max_retries=0, timeout=20) as made:
        yield made
    process.end()


def said(text):
    return [{"role": "user", "content": text}]


def test_chat(client):
    answer = client.chat.completions.create(model="echo", messages=MESSAGES, n=2, logprobs=True, top_logprobs=1, seed=1)
    assert [choice.message.content for choice in answer.choices] == ["hello there"] * 2
    assert answer.choices[0].logprobs.content[0].top_logprobs[0].token == "t0"
    assert answer.usage.total_tokens == 15
    assert answer.usage.prompt_tokens_details.cached_tokens == 4


def test_chat_in_pieces(client):
    options = {"include_usage": True}
    pieces = list(client.chat.completions.create(model="echo", messages=MESSAGES, stream=True, stream_options=options))
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices) == "hello there"
    assert pieces[-1].usage.completion_tokens == 2
    with client.chat.completions.stream(model="echo", messages=MESSAGES) as stream:
        for _ in stream:
            pass
        assert stream.get_final_completion().choices[0].message.content == "hello there"


def test_tools(client):
    answer = client.chat.completions.create(model="echo", messages=said(f"/say {CALL}"), tools=[TOOL])
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.choices[0].message.tool_calls[0].function.arguments == '{"a": 1}'
    with client.chat.completions.stream(model="echo", messages=said(f"/say {CALL}"), tools=[TOOL]) as stream:
        for _ in stream:
            pass
        call = stream.get_final_completion().choices[0].message.tool_calls[0]
    assert (call.function.name, call.function.arguments) == ("add", '{"a": 1}')


def test_completions(client):
    answer = client.completions.create(model="echo", prompt=["a b", "c"], logprobs=1)
    assert [choice.text for choice in answer.choices] == ["a b", "c"]
    pieces = client.completions.create(model="echo", prompt="a b", stream=True)
    assert "".join(piece.choices[0].text for piece in pieces) == "a b"


def test_responses(client):
    answer = client.responses.create(model="echo", input="hello there", instructions="be brief", store=False)
    assert answer.output_text == "hello there"
    assert answer.usage.output_tokens == 2
    with client.responses.stream(model="echo", input="hello there") as stream:
        kinds = [event.type for event in stream]
        assert stream.get_final_response().output_text == "hello there"
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    tool = {"type": "function", "name": "add", "parameters": {"type": "object"}, "strict": False}
    answer = client.responses.create(model="echo", input=f"/say {CALL}", tools=[tool])
    assert [(item.type, item.name) for item in answer.output] == [("function_call", "add")]


def test_embeddings(client):
    answer = client.embeddings.create(model="echo", input=["a", "b"])  # the client asks for base64 by itself
    assert answer.data[1].embedding == pytest.approx([0.6, 0.8])
    answer = client.embeddings.create(model="echo", input="a", encoding_format="float")
    assert answer.data[0].embedding == pytest.approx([0.6, -0.8])


def test_models(client):
    assert [model.id for model in client.models.list()] == ["echo"]
    assert client.models.retrieve("echo").owned_by == "tunesmith"


@pytest.mark.parametrize(
    ("text", "model", "kind", "code"),
    [
        ("/busy", "echo", openai.RateLimitError, "busy"),
        ("/fail 0", "echo", openai.InternalServerError, "internal_error"),
        ("/large", "echo", openai.UnprocessableEntityError, "too_large"),
        ("x", "gpt-9", openai.NotFoundError, "model_not_found"),
    ],
)
def test_errors_are_the_clients_own(client, text, model, kind, code):
    with pytest.raises(kind) as caught:
        client.chat.completions.create(model=model, messages=said(text))
    assert caught.value.code == code


def test_an_error_in_the_middle_of_an_answer_is_raised(client):
    with pytest.raises(openai.APIError) as caught:
        list(client.chat.completions.create(model="echo", messages=said("/fail 2"), stream=True))
    assert caught.value.code == "internal_error"


def test_what_is_not_supported_is_named(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="echo", messages=MESSAGES, reasoning_effort="low")
    assert caught.value.param == "reasoning_effort"
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="echo", input="x", previous_response_id="resp_1")
    assert caught.value.param == "previous_response_id"


def test_a_wrong_key_is_said_so(client):
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="another-key-of-mine").models.list()


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_asynchronous_client(client, anyio_backend):
    async with openai.AsyncOpenAI(base_url=client.base_url, api_key=client.api_key, max_retries=0) as made:
        stream = await made.chat.completions.create(model="echo", messages=MESSAGES, stream=True)
        assert "".join([piece.choices[0].delta.content or "" async for piece in stream]) == "hello there"
