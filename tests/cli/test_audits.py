"""--audit from outside: flips, agreement with pins, what it costs, and that it decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kometa_ai.core.audit import Audit, Stratum
from kometa_ai.core.choice import Origin, Pin
from kometa_ai.core.item import movie_key
from kometa_ai.core.naming import Slug
from kometa_ai.core.summary import audit_in_words
from kometa_ai.jobs.audit import AUDITS, _rate
from kometa_ai.standins import claude_faults
from kometa_ai.standins.claude_faults import Fault
from kometa_ai.state.choices import ChoicesFile
from kometa_ai.state.lock import StateLock
from tests.cli.samples import MEMBERS, charged, remembered, spent
from tests.cli.samples import world as world  # noqa: PLC0414 - a fixture
from tests.run.world import FOREVER, World, block

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Ended

    Call = Callable[..., Ended]


def _audit(call: Call, *options: str, **changed: str) -> Ended:
    return call("--audit", "--output", "json", *options, **changed)


def test_flips_that_were_planted(world: World, call: Call) -> None:
    """Exactly those are found, each with both confidences and the reason, and weighed into a rate."""
    world.believe("Noir", [1, 2], 0.3)
    world.believe("Noir", [15], 0.75)
    world.believe("Noir", [30], 0.9)

    audit = _audit(call).data

    (noir,) = audit["collections"]
    assert {item["title"] for item in noir["flips"]} == {"Movie 1", "Movie 2", "Movie 15", "Movie 30"}
    (first,) = (item for item in noir["flips"] if item["title"] == "Movie 1")
    assert (first["stands"], first["confidence_before"]) == (True, 0.95)
    assert (first["include"], first["confidence"], first["reason"]) == (False, 0.3, world.reason)
    assert (audit["sampled"], audit["asked"], audit["flips"]) == (60, 60, 4)
    assert {each["group"]: (each["decisions"], each["flips"]) for each in audit["strata"]} == {
        "near": (10, 1),
        "member": (15, 2),
        "other": (35, 1),
    }
    assert audit["flip_rate"] == pytest.approx(4 / 60, abs=1e-5)
    assert noir["mean_change"] == pytest.approx((0.65 + 0.65 + 0.2 + 0.9) / 60, abs=1e-3)


@pytest.mark.usefixtures("world")
def test_no_flips(call: Call) -> None:
    """A model that answers as before flips nothing, and is shown to."""
    ended = call("--audit")

    assert ended.code == 0
    assert "0 of 60 decisions would flip (0 of 10 near the threshold, 0 of 15 other members, 0 of 35" in ended.out
    assert "about 0.0% of all" in ended.out
    assert "Nothing was changed by it." in ended.out


def test_a_confidence_that_moves_without_a_flip(world: World, call: Call) -> None:
    """More than 0.2 on the same side is unstable, too, and told apart from flips."""
    world.believe("Noir", [1], 0.7)
    world.believe("Noir", [2], 0.75)

    (noir,) = _audit(call).data["collections"]

    assert noir["flips"] == []
    assert [item["title"] for item in noir["shifted"]] == ["Movie 1"]
    assert "no flip, but surer or less sure by more than 0.2: Movie 1" in call("--audit").out


def test_pins_are_asked_about_blind(world: World, call: Call) -> None:
    """What the model says of pins is counted against the owner; no request about a pin holds examples."""
    world.collections(block("Noir", include_movies="[tmdb:1001, tmdb:1040]", exclude_movies="[tmdb:1002, tmdb:1041]"))
    call("--run-now")
    world.claude.forget()

    audit = _audit(call).data

    (noir,) = audit["collections"]
    assert (audit["pins"], noir["pins_asked"], audit["pins_agreed"]) == (4, 4, 2)
    assert {(item["title"], item["stands"]) for item in noir["disagreeing"]} == {("Movie 40", True), ("Movie 2", False)}
    assert (audit["asked"], audit["flips"]) == (56, 0)
    for request in world.claude.requests:
        is_about_pins = not {"Movie 1", "Movie 2", "Movie 40", "Movie 41"}.isdisjoint(request.titles)
        assert ("<examples>" in request.collection_text) is not is_about_pins
        assert len(request.titles) == 4 or not is_about_pins
    words = call("--audit").out
    assert "the model agrees with 2 of 4 pins" in words
    assert "pinned against the model: Movie 40 (1990) in → out 0.00" in words


def test_nothing_is_decided_by_an_audit(world: World, call: Call) -> None:
    """Decisions, tags and history are as before; the month's spending has grown by what the model charged."""
    before, paid = remembered(world), spent(world)
    world.believe("Noir", MEMBERS, 0.1)

    audit = _audit(call).data

    assert audit["flips"] == len(MEMBERS)
    assert remembered(world) == before
    assert spent(world) - paid == pytest.approx(charged(world))
    assert audit["cost_usd"] == pytest.approx(charged(world))
    kept = AUDITS.recall(world.state_dir, audit["audit_id"])
    assert kept is not None
    assert kept.flips == len(MEMBERS)
    assert not world.asked()


def test_what_is_to_be_asked_anyway_is_no_decision_that_stands(world: World, call: Call) -> None:
    """After an edit of the prompt all decisions are open questions: there is nothing to audit."""
    world.collections(block("Noir", "Another prompt."))

    ended = _audit(call)

    assert (ended.code, ended.data["sampled"], ended.data["asked"]) == (0, 0, 0)
    assert not world.claude.requests
    assert not AUDITS.ids(world.state_dir, world.now)
    assert "Nothing was answered" in call("--audit").out


def test_a_large_library_is_sampled(world: World, call: Call) -> None:
    """A hundred decisions of all collections, near ones most; each audit draws anew."""
    world.collections(block("Noir"), block("Heist"), block("Fog"))
    call("--run-now")
    world.claude.forget()

    first, second = (_audit(call).data for _ in range(2))

    assert first["sampled"] == first["asked"] == 100
    assert {each["group"]: each["asked"] for each in first["strata"]} == {"near": 10, "member": 15, "other": 75}
    assert sum(each["asked"] for each in first["collections"]) == 100
    assert first["seed"] != second["seed"]
    (noir,) = (each for each in _audit(call, "--collection", "Noir").data["collections"])
    assert noir["asked"] == 60


def test_each_look_has_its_model(world: World, call: Call) -> None:
    """A decision of the second look is asked of the model for that, others of the first."""
    world.change(claude_review_model="claude-haiku-5-5")
    world.believe("Noir", [5, 6], 0.75)
    call("--run-now", "--force-refresh", CLAUDE_REVIEW_MODEL="claude-haiku-5-5")
    world.claude.forget()

    audit = _audit(call).data

    assert audit["models"] == ["claude-sonnet-5-5", "claude-haiku-5-5"]
    of_review = {title for request in world.claude.requests if "haiku" in request.model for title in request.titles}
    assert of_review == {"Movie 5", "Movie 6"}


def test_a_forecast_of_an_audit(world: World, call: Call) -> None:
    """With --max-cost 0 nothing is asked or kept, and a run may be on."""
    with StateLock(world.state_dir):
        ended = _audit(call, "--max-cost", "0", CLAUDE_API_KEY="")
        words = call("--audit", "--max-cost", "0").out

    assert (ended.code, ended.data["outcome"], ended.data["sampled"]) == (0, "forecast", 60)
    assert ended.data["forecast_usd"] > 0
    assert "60 decisions and 0 pins" in words
    assert not world.claude.requests
    assert not AUDITS.ids(world.state_dir, world.now)


def test_while_a_run_is_on_no_audit_is(world: World, call: Call) -> None:
    """Exit code 6."""
    with StateLock(world.state_dir):
        assert _audit(call).code == 6
    assert not world.claude.requests


def test_an_audit_keeps_its_limit(world: World, call: Call) -> None:
    """What the money does not reach has no share in the counts, and no rate is made up for it."""
    ended = _audit(call, "--max-cost", "0.01")

    assert ended.code == 1
    assert 0 < ended.data["asked"] < 60
    assert charged(world) <= 0.01
    assert "may be spent" in ended.data["problems"][0]["what"]


def test_a_refused_key(world: World, call: Call) -> None:
    """Exit code 4, and nothing is kept: an audit that found nothing is none."""
    world.claude.faults.add(claude_faults.BAD_KEY, times=FOREVER)

    assert _audit(call).code == 4
    assert not AUDITS.ids(world.state_dir, world.now)


def test_a_model_without_a_price(world: World, call: Call) -> None:
    """Without a limit it is asked, and the report says that the price is not known; with one it is not."""
    world.change(claude_model="unheard-of")
    world.claude.models = {**world.claude.models, "unheard-of": world.claude.models["claude-sonnet-5-5"]}

    free = _audit(call)
    limited = _audit(call, "--max-cost", "1")

    assert (free.code, free.data["forecast_usd"], free.data["limit_usd"]) == (0, None, None)
    assert free.data["asked"] == 60
    assert free.data["unpriced_requests"] == free.data["requests"]
    assert limited.code == 1
    assert limited.data["asked"] == 0
    assert "price" in limited.data["problems"][0]["what"]


def test_a_service_that_fails(world: World, call: Call) -> None:
    """What could not be judged is told with its collection; the other requests count."""
    world.claude.faults.add(Fault(status=413), times=FOREVER, when=lambda call: "Movie 20" in call.titles)

    ended = _audit(call)

    assert ended.code == 1
    assert ended.data["asked"] == 59
    (problem,) = ended.data["problems"]
    assert (problem["collection"], problem["movies"]) == ("Noir", ["Movie 20 (1970)"])


def test_a_rate_needs_every_stratum() -> None:
    """Each weighs as much as it has decisions; without an answer in one there is no rate."""
    near = Stratum(group="near", decisions=100, asked=10, flips=5)
    rest = Stratum(group="other", decisions=900, asked=30, flips=0)
    none = Stratum(group="member", decisions=0)

    assert _rate([near, rest, none]) == pytest.approx(0.05)
    assert _rate([near, Stratum(group="other", decisions=900)]) is None
    assert _rate([none]) is None


def test_words_for_pins_alone(world: World) -> None:
    """An audit may have found only one of both."""
    audit = Audit(audit_id="1", started=world.now, finished=world.now, seed="", pins_asked=1, pins_agreed=1)

    assert audit_in_words(audit) == "the model agrees with 1 of 1 pin"


def test_choices_are_pins_but_those_of_an_undo(world: World, call: Call) -> None:
    """An undo restores what was; nobody has judged these movies one by one."""

    def pin(number: int, origin: Origin) -> Pin:
        title = f"Movie {number - 1000}"
        return Pin(key=movie_key(number), slug=Slug("noir"), include=True, since=world.now, origin=origin, title=title)

    ChoicesFile(world.state_dir).change(
        lambda choices: choices.with_pins(
            pin(1040, "review"),
            pin(1041, "undo"),
            pin(1042, "undo"),
        )
    )
    world.collections(block("Noir", include_movies="[tmdb:1042]"))

    audit = _audit(call).data

    assert (audit["pins"], audit["sampled"]) == (2, 57)
    (noir,) = audit["collections"]
    assert {item["title"] for item in noir["disagreeing"]} == {"Movie 40", "Movie 42"}
    (about_pins,) = (request for request in world.claude.requests if "Movie 40" in request.titles)
    assert set(about_pins.titles) == {"Movie 40", "Movie 42"}
    assert "<examples>" not in about_pins.collection_text
    others = [request.collection_text for request in world.claude.requests if request is not about_pins]
    assert all("Movie 40" in text for text in others)
