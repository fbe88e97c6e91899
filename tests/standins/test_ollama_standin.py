"""The Ollama stand-in: it behaves as Ollama does where clients go wrong. Asked over HTTP, without our client."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from kometa_ai.standins import claude_faults, ollama
from kometa_ai.standins.claude_answers import Judgement, Style
from kometa_ai.standins.ollama import OllamaStandIn
from kometa_ai.standins.ollama_prompt import MODELS, cut, named
from kometa_ai.standins.serving import serve
from tests.tls import PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = "qwen3:14b"
SCHEMA = {
    "type": "object",
    "properties": {
        "decisions": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["movie_id", "include"],
                "properties": {"movie_id": {"type": "integer"}, "include": {"type": "boolean"}},
            },
        },
        "excluded": {"type": "array", "items": {"type": "integer"}},
    },
}


def judge(_collection: str, movie: dict[str, Any]) -> Judgement:
    """The first movie belongs."""
    return Judgement(movie["movie_id"] == 1, 0.9 if movie["movie_id"] == 1 else 0.0, "it is the first")


def body(count: int = 3, *, characters: int = 100, collection: str = "Heists", **fields: Any) -> dict[str, Any]:
    """A question about so many movies, each of so many characters."""
    movies = "\n".join(json.dumps({"movie_id": number, "plot": "x" * characters}) for number in range(1, count + 1))
    messages = [
        {"role": "system", "content": "Judge."},
        {"role": "user", "content": f"{movies}\n\n<name>{collection}</name>"},
    ]
    return {"model": MODEL, "messages": messages, "stream": False, "think": False, "format": SCHEMA, **fields}


class Client:
    """A client of a stand-in."""

    def __init__(self, server: OllamaStandIn, http: httpx2.Client) -> None:
        self.server = server
        self.http = http

    def ask(self, asked: dict[str, Any] | None = None, **fields: Any) -> httpx2.Response:
        """Ask a question."""
        return self.http.post("/api/chat", json=asked or body(**fields))

    def answer(self, asked: dict[str, Any] | None = None, **fields: Any) -> Any:
        """What an answer says."""
        return json.loads(self.ask(asked, **fields).json()["message"]["content"])


@contextlib.contextmanager
def client_of(server: OllamaStandIn) -> Iterator[Client]:
    """A client of this stand-in."""
    with serve(server.app) as url, httpx2.Client(verify=PLAIN, base_url=url, timeout=30) as http:
        yield Client(server, http)


@pytest.fixture
def client() -> Iterator[Client]:
    """A client of a stand-in as it is."""
    with client_of(OllamaStandIn(judge=judge)) as client:
        yield client


@pytest.fixture
def old() -> Iterator[Client]:
    """A client of an old one."""
    with client_of(OllamaStandIn.old(judge=judge)) as client:
        yield client


def test_it_answers_in_the_form_asked_for(client: Client) -> None:
    """With the counts and durations of the real one, in nanoseconds."""
    whole = client.ask().json()

    assert json.loads(whole["message"]["content"]) == {
        "decisions": [{"movie_id": 1, "include": True}],
        "excluded": [2, 3],
    }
    assert (whole["done"], whole["done_reason"], whole["model"]) == (True, "stop", MODEL)
    assert whole["prompt_eval_count"] > 100
    assert whole["eval_count"] > 10
    assert whole["load_duration"] > whole["total_duration"] / 2
    assert "thinking" not in whole["message"]


def test_it_streams_unless_told_not_to(client: Client) -> None:
    """Lines of JSON, the last of which says how it ended."""
    asked = body()
    del asked["stream"]
    response = client.ask(asked)

    lines = [json.loads(line) for line in response.text.splitlines()]
    assert response.headers["content-type"] == "application/x-ndjson"
    assert [line["done"] for line in lines] == [False, True]
    assert lines[-1]["done_reason"] == "stop"


def test_the_context_is_short_unless_it_is_asked_for(client: Client) -> None:
    """4,096 tokens, and never longer than the model's."""
    for num_ctx in (None, 8192, 10**6):
        client.ask(options={} if num_ctx is None else {"num_ctx": num_ctx})

    assert [request.context for request in client.server.requests] == [4096, 8192, 40_960]


def test_another_context_loads_the_model_anew(client: Client) -> None:
    """So does another `shift`; the same one does not."""
    fields: list[dict[str, Any]] = [
        {"options": {"num_ctx": 8192}},
        {"options": {"num_ctx": 8192}},
        {"options": {"num_ctx": 4096}},
        {"options": {"num_ctx": 4096}, "shift": False},
        {"options": {"num_ctx": 4096}, "shift": False},
    ]
    loads = [client.ask(**each).json()["load_duration"] > 10**9 for each in fields]

    assert loads == [True, False, True, True, False]
    assert client.server.loads == [(MODEL, 8192), (MODEL, 4096), (MODEL, 4096)]
    (loaded,) = client.http.get("/api/ps").json()["models"]
    assert (loaded["name"], loaded["context_length"]) == (MODEL, 4096)


def test_a_prompt_that_is_too_long_is_cut_without_a_word(client: Client) -> None:
    """Half the context is read, status 200, and what was never read is judged all the same."""
    response = client.ask(count=100, characters=300)

    assert response.status_code == 200
    assert response.json()["prompt_eval_count"] == 2048 + 4
    answer = json.loads(response.json()["message"]["content"])
    assert sorted([*(each["movie_id"] for each in answer["decisions"]), *answer["excluded"]]) == list(range(1, 101))
    assert client.server.requests[0].is_cut


def test_an_old_one_fills_the_context_when_it_cuts(old: Client) -> None:
    """And is not kept from it."""
    response = old.ask(count=100, characters=300, truncate=False, shift=False)

    assert (response.status_code, response.json()["prompt_eval_count"]) == (200, 4096)
    assert old.server.requests[0].is_cut


def test_it_can_be_told_to_refuse(client: Client) -> None:
    """With 400 and a sentence."""
    response = client.ask(count=100, characters=300, truncate=False, shift=False)

    assert response.status_code == 400
    assert "longer than the context length currently available" in response.json()["error"]
    assert not client.server.requests[0].judged


def test_of_several_messages_the_first_are_dropped(client: Client) -> None:
    """The system prompt stays, the movies go, the collection stays: HTTP 200, all invented."""
    asked = body(100, characters=300)
    movies, collection = asked["messages"][1]["content"].split("\n\n")
    asked["messages"][1:] = [{"role": "user", "content": movies}, {"role": "user", "content": collection}]
    response = client.ask(asked)

    assert response.status_code == 200
    assert response.json()["prompt_eval_count"] < 100
    assert client.server.requests[0].is_cut
    assert json.loads(response.json()["message"]["content"])["excluded"] != []


def test_the_beginning_in_common_is_known(client: Client) -> None:
    """The next question about the same movies is read in less time."""
    first = client.ask().json()
    second = client.ask(collection="Noir").json()

    assert second["prompt_eval_count"] == pytest.approx(first["prompt_eval_count"], abs=2)
    assert second["prompt_eval_duration"] < first["prompt_eval_duration"] / 2


def test_an_answer_ends_at_its_length(client: Client) -> None:
    """`num_predict`, or where the context is full and may not shift."""
    cut_short = client.ask(options={"num_predict": 5}).json()
    full = client.ask(truncate=False, shift=False).json()
    context = full["prompt_eval_count"] + 7
    crammed = client.ask(options={"num_ctx": context}, truncate=False, shift=False).json()

    assert (cut_short["done_reason"], cut_short["eval_count"]) == ("length", 5)
    assert full["done_reason"] == "stop"
    assert (crammed["done_reason"], crammed["eval_count"]) == ("length", 7)


def test_thinking_is_as_the_model_takes_it(client: Client) -> None:
    """It thinks unless told not to; gpt-oss only less or more; others refuse to be asked for it."""
    ask = client.ask
    thinking = {name: "thinking" in ask(model=name, think=False).json()["message"] for name in (MODEL, "gpt-oss:20b")}
    asked = body()
    del asked["think"]

    assert thinking == {MODEL: False, "gpt-oss:20b": True}
    assert "thinking" in ask(asked).json()["message"]
    low, high = (ask(model="gpt-oss:20b", think=level).json()["eval_count"] for level in ("low", "high"))
    assert low < high
    assert ask(model="gemma4", think=True).status_code == 400
    assert ask(model="gemma4", think=False).status_code == 200


def test_the_cloud_does_not_enforce_the_form(client: Client) -> None:
    """It answers in a form of its own."""
    answer = client.answer(model="qwen3:480b-cloud")

    assert "collection_name" in answer


def test_a_very_old_one_knows_no_schema(client: Client) -> None:
    """It wants a word there."""
    client.server.version = "0.4.7"

    assert client.ask().status_code == 400
    assert "ChatRequest.format" in client.ask().json()["error"]


@pytest.mark.parametrize(
    ("path", "content", "status", "error"),
    [
        ("/api/chat", b"{", 400, "invalid character"),
        ("/api/chat", b"{}", 400, "model is required"),
        ("/api/chat", b'{"model": "no"}', 404, "model 'no' not found"),
        ("/api/show", b'{"model": "no"}', 404, "model 'no' not found"),
        ("/api/chat", b'{"model": "nomic-embed-text"}', 400, "does not support chat"),
    ],
)
def test_errors_are_a_sentence(client: Client, path: str, content: bytes, status: int, error: str) -> None:
    """In an object with nothing else."""
    response = client.http.post(path, content=content)

    assert response.status_code == status
    assert error in response.json()["error"]


def test_it_tells_what_it_has(client: Client) -> None:
    """Its version, its models, and the longest context of each; a name without a tag is the latest."""
    get, post = client.http.get, client.http.post
    shown = post("/api/show", json={"model": "gemma4"}).json()

    assert get("/").text == "Ollama is running"
    assert get("/api/version").json() == {"version": "0.33.0"}
    assert [each["name"] for each in get("/api/tags").json()["models"]] == [model.name for model in MODELS]
    assert shown["model_info"][f"{shown['model_info']['general.architecture']}.context_length"] == 131_072
    assert shown["capabilities"] == ["completion", "tools"]
    assert get("/api/ps").json() == {"models": []}
    assert get("/v1/models").status_code == 404
    assert (named("gemma4"), named("hf.co/a/b"), named("a:1b")) == ("gemma4:latest", "hf.co/a/b:latest", "a:1b")


def test_a_key_may_be_wanted() -> None:
    """As at ollama.com."""
    with client_of(OllamaStandIn(api_key="secret")) as client:
        assert client.ask().status_code == 401
        assert client.http.get("/api/tags", headers={"authorization": "Bearer secret"}).status_code == 200


@pytest.mark.parametrize(
    ("fault", "status"),
    [(ollama.BUSY, 503), (ollama.NO_MEMORY, 500), (ollama.CRASHED, 500), (ollama.UNAUTHORIZED, 401)],
)
def test_faults_strike_once(client: Client, fault: ollama.Fault, status: int) -> None:
    """In Ollama's own words."""
    client.server.faults.add(fault)

    struck = client.ask()

    assert (struck.status_code, struck.json()) == (status, {"error": fault.message})
    assert client.ask().status_code == 200


def test_faults_may_be_for_some_questions(client: Client) -> None:
    """Or end the connection."""
    client.server.faults.add(claude_faults.DROPPED, contains="Noir")

    assert client.ask().status_code == 200
    with pytest.raises(httpx2.TransportError):
        client.ask(collection="Noir")


def test_who_hangs_up_frees_the_slot(client: Client) -> None:
    """The next question is answered at once."""
    client.server.latency = 20
    with pytest.raises(httpx2.ReadTimeout):
        client.http.post("/api/chat", json=body(), timeout=0.2)
    client.server.latency = 0

    assert client.ask().status_code == 200
    assert client.server.abandoned == 1


def test_styles_are_those_of_any_model(client: Client) -> None:
    """Prose around it, an end too early, a refusal."""
    client.server.queue_style(Style(wrap="prose"))
    client.server.queue_style(Style(truncated_at=4))
    client.server.queue_style(Style(refused=True))

    prose, short, refused = (client.ask().json() for _ in range(3))

    assert prose["message"]["content"].startswith("Here is")
    assert (short["done_reason"], short["eval_count"]) == ("length", 4)
    assert "can't help" in refused["message"]["content"]


@pytest.mark.parametrize(("how", "left"), [("exact", 100), ("half", 54)])
def test_a_cut_keeps_the_end(how: Any, left: int) -> None:
    """And four tokens of the beginning."""
    prompt = cut("abcd" + "x" * 500 + "end", 100, 1.0, how)

    assert prompt.is_cut
    assert (prompt.tokens, len(prompt.text)) == (left, left)
    assert prompt.text.startswith("abcdx")
    assert prompt.text.endswith("end")
