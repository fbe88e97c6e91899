"""The numbers that README and docs tell, held against the code, the measurements or the tables that they come from."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from benchmarks import models
from kometa_ai.cli.main import run
from kometa_ai.core.choice import ANSWERS_KEPT
from kometa_ai.core.decision import TRIES
from kometa_ai.core.movie import ACTORS_HASHED
from kometa_ai.daemon import blocks, change_notifier, heartbeat, hints, pinning, redelivery, runs, watch
from kometa_ai.demo import Stage
from kometa_ai.jobs import audit, stopping, supervision, trial
from kometa_ai.judging import examples, looks, policy, records, review, sampling
from kometa_ai.kometa import document
from kometa_ai.kometa.files import Limits
from kometa_ai.notification import after_changes, dispatch, email, outbox, push
from kometa_ai.observe import log_end, logs
from kometa_ai.providers.ollama import client as ollama
from kometa_ai.providers.ollama import context
from kometa_ai.run import batches, reading
from kometa_ai.settings.environment import load_settings
from kometa_ai.state import files, schema
from kometa_ai.tags import plan
from kometa_ai.web import connections, guard, session, waits
from kometa_ai.web.api import events, routing
from kometa_ai.web.pages import review as review_page
from kometa_ai.web.pages import run_shown
from tests.test_examples import EVERYTHING
from tests.written_docs import DOCS, ROOT, rows

if TYPE_CHECKING:
    from pathlib import Path

WORDS = dict(
    enumerate(
        [
            *("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
            *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
        ]
    )
) | {30: "thirty", 32: "thirty-two"}
SETTINGS = load_settings({}, required=()).settings
DAY = timedelta(days=1)


def said(number: float) -> str:
    """A whole number as it is written within a sentence."""
    assert number == int(number)
    return WORDS[int(number)]


def of(page: str) -> str:
    """A page in one line, without marks of emphasis."""
    path = ROOT / "README.md" if page == "README" else DOCS / f"{page}.md"
    return " ".join(path.read_text(encoding="utf-8").replace("**", "").split())


FROM_THE_CODE = (
    ("api", f"at most {routing.LARGEST_PAGE}) gives"),
    ("api", f"only these movies and shows, at most {routing.MOST_ITEMS}"),
    ("api", f"a list of at most {routing.MOST_ITEMS} answers"),
    ("api", "the last thousand are known" if ANSWERS_KEPT == 1000 else "?"),
    ("api", f"After {events.KEEP_ALIVE:.0f} seconds of silence"),
    ("api", f"{events.WATCHERS} may watch at once"),
    ("api", f"arrive within {said(stopping.GRACE)} seconds"),
    ("api", f"the last {log_end._MOST >> 20} MB"),
    ("api", f"verdicts within {looks.NEAR} of the threshold"),
    ("api", f"| connections | {connections.MOST}, three quarters"),
    ("api", f"| a request's head, also after an answer | {connections._LIMITS['head']:.0f} seconds |"),
    ("api", f"nothing is read | {connections._LIMITS['body']:.0f} seconds |"),
    ("api", f"| {guard._WRONG_KEYS} wrong keys in a minute" if guard._WITHIN == 60 else "?"),
    ("api", "takes half a second" if guard._DELAY == 0.5 else "?"),
    ("api", "Two minutes after the last event (15 after" if (hints.QUIET, hints.LONGEST) == (120, 900) else "?"),
    ("api", f"waits {said(change_notifier.APART / 60)} minutes between two calls"),
    ("api", "It may take an hour" if after_changes.COMMAND_TIMEOUT == 3600 else "?"),
    ("backup", f"the last {schema.CHANGES_KEPT} tag changes"),
    ("backup", f"the reports of the last {schema.RUNS_KEPT} runs"),
    ("backup", f"`*.bak1` … `*.bak{files.BACKUPS}`"),
    ("safety", f"newest good of {said(files.BACKUPS)} backups"),
    ("safety", f"Any of the last {schema.RUNS_KEPT} runs"),
    ("safety", "a quarter of a collection's members" if SETTINGS.removal_limit == 25 else "?"),
    ("safety", f"or off {said(plan.FEW_REMOVALS)} movies if that is more"),
    ("safety", "double a collection that has members" if SETTINGS.addition_limit == 100 else "?"),
    ("safety", f"or add {said(plan.FEW_ADDITIONS)} movies if that is more"),
    ("prompts", f"the plot (the first {records.PLOT_LENGTH:,} characters)"),
    ("prompts", f"the first {said(ACTORS_HASHED)} actors, up to {records.KEYWORDS} keywords"),
    ("prompts", f"The last {schema.PROMPTS_KEPT} prompts"),
    ("prompts", f"up to {reading._LONGEST_PROMPT >> 10} KB each"),
    ("choices", f"up to {said(examples.MOST)} others on each side"),
    ("trying", f"About {trial.SAMPLE} movies or shows"),
    ("trying", f"{trial.QUOTAS['member']} members, {trial.QUOTAS['near']} that are not in but near"),
    ("trying", f"(within {sampling.WIDE}), and {trial.QUOTAS['other']} others"),
    ("trying", f"at most {looks.SECOND_LOOK_SIZE} in a request"),
    ("trying", "a hundred decisions" if sum(audit.QUOTAS.values()) == 100 else "?"),
    ("trying", f"{audit.QUOTAS['near']} within {sampling.WIDE} of the threshold, {audit.QUOTAS['member']} other"),
    ("trying", f"The newest {audit.AUDITS.most} are kept"),
    ("review", f"in the last {review.RECENTLY // DAY} days of what was in for {review.FOR_LONG // DAY} days"),
    ("review", f"`REVIEW_DAYS` ({SETTINGS.review_days})"),
    ("deciding", f"within {looks.NEAR} of the threshold"),
    ("deciding", f"only if the new confidence is {policy._MARGIN} or more beyond"),
    ("deciding", f"at most {said(looks.SECOND_LOOK_SIZE)} movies in a request"),
    ("deciding", f"no verdict in {said(TRIES)} runs"),
    ("page", f"signed in for {session.LIFETIME // session.DAY} days"),
    ("limits", f"good for {session.LIFETIME // session.DAY} days"),
    ("page", f"After {said(waits.PER_ADDRESS.free)} wrong ones"),
    ("page", "grows up to a minute" if waits.PER_ADDRESS.longest == 60 else "?"),
    ("page", f"or {review_page.TILES} at once"),
    ("limits", f"The last {said(pinning._REMEMBERED)} choices"),
    ("limits", "forty in all and at least two of each" if (run_shown._IN_ALL, run_shown._LEAST) == (40, 2) else "?"),
    ("limits", f"more than {blocks.MOST_KEPT:,} characters of YAML"),
    ("limits", f"{events.WATCHERS} may watch events at once"),
    ("limits", "six tenths" if context._LEAST_READ == 0.6 else "?"),
    ("models", f"older than {'.'.join(map(str, context.REFUSES_FROM))}"),
    ("models", f"{said(ollama.PAGE)} movies unless `BATCH_SIZE` says otherwise"),
    ("models", "half an hour for each" if ollama.TIMEOUT == 1800 else "?"),
    ("cost", f"forecast is above {batches.WORTH:.0f} USD"),
    ("daemon", f"answers that arrive within {said(stopping.GRACE)} seconds"),
    ("daemon", "within ten seconds" if 9 < stopping.LAST < 10 else "?"),
    ("daemon", "(seven seconds to two minutes)" if (stopping.GRACE, stopping.LONGEST_GRACE) == (7, 120) else "?"),
    ("daemon", f"or after {supervision.LEFT_BEHIND / 60:.0f} minutes without a sign of life"),
    ("daemon", f"After {said(runs._MOST_LEFT)} of them"),
    ("daemon", f"looked at again every {said(watch.AGAIN / 60)} minutes"),
    ("monitoring", f"writes every {heartbeat.EVERY:.0f} seconds"),
    ("monitoring", f"({heartbeat.LONGEST:.0f} seconds without a sign)"),
    ("monitoring", f"rotated at {logs._LARGEST_FILE // 10**6} MB, {said(logs._KEPT_FILES)} kept"),
    ("notifications", f"{push._NTFY_BYTES:,} bytes for ntfy"),
    ("notifications", f"for {said(email.ANSWERING / 60)} minutes before it answers"),
    ("notifications", f"A run waits {dispatch.HURRY:.0f} seconds"),
    ("notifications", "after {:.0f}, {:.0f} and {:.0f} minutes".format(*(wait / 60 for wait in redelivery.WAITS))),
    ("notifications", f"Up to {said(outbox.MOST)} reports"),
    ("kometa", f"| a file | {Limits().file // 10**6} MB, {document.MOST_TOKENS:,} keys"),
    ("kometa", f"| {Limits().files:,} YAML files, {Limits().folders:,} folders"),
)
"""A page, and what it says there."""


@pytest.mark.parametrize(("page", "text"), FROM_THE_CODE, ids=[f"{page}: {text}" for page, text in FROM_THE_CODE])
def test_a_limit_is_the_one_of_the_code(page: str, text: str) -> None:
    """Who relies on a number of the docs gets the program's."""
    assert text in of(page)


def test_batches_save_as_much_as_is_said() -> None:
    """A first run through batches is a quarter to almost half cheaper, in each size that was measured."""
    table = rows(DOCS / "cost.md", "## From the benchmark")
    saved = [1 - float(row["in batches"]) / float(row["first run"]) for row in table]

    assert "a first run is a quarter to almost half cheaper" in of("cost")
    assert 0.25 <= min(saved) < 0.34
    assert 0.40 < max(saved) <= 0.5


def test_another_layout_costs_as_much_more_as_is_said() -> None:
    """One request for each collection costs, by the benchmark's table of targets, what docs/cost.md says."""
    line = r"^\| first \| cost / specification's layout \| ([0-9.]+) \| .+ \| 10,000 movies \| 20 \|$"
    found = re.search(line, (DOCS / "benchmarks.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert found
    assert f"about {said(round(1 / float(found[1])))} times as much for 20 collections" in of("cost")


def test_a_cheap_first_look_costs_the_share_that_is_said() -> None:
    """The comment in the sample for Claude is computed from the tables of docs/compare.md."""
    table = {
        (row["first look"], row["second look"]): row["as many close calls as measured"]
        for row in rows(DOCS / "compare.md", "## Cheap first, strong second")
    }
    both = float(table["`claude-haiku-5-5`", "`claude-sonnet-5-5`"])
    share = both / float(table["`claude-sonnet-5-5`", "the same"])

    assert "about a sixth of the price of Sonnet alone" in of("models")
    assert share == pytest.approx(1 / 6, rel=0.15)


def test_what_the_page_misses_is_what_was_measured() -> None:
    """The figures of docs/limits.md about pages are the benchmark's."""
    late = re.findall(
        r"^\| \w+ \| index, event loop late, ms \| ([0-9.]+) \|",
        (DOCS / "benchmarks.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    table = rows(DOCS / "benchmarks.md", "### The daemon's pages after a first run")
    pages = [row for row in table if row["ms"]]  # the others are no pages: a first visit, a daemon at rest
    slow: dict[str, set[str]] = {}
    for row in pages:
        if float(row["ms"]) > 50:
            slow.setdefault(row["library"], set()).add(row["page"])

    assert f"may come {max(map(float, late)) / 1000:.2f} s later" in of("limits")
    assert slow == {"20,000 movies": {"search", "its threshold", "one run"}}
    assert f"have up to {math.ceil(max(float(row['KB']) for row in pages))} KB of HTML" in of("limits")


def test_the_local_model_is_the_one_of_the_table() -> None:
    """What docs/compare.md says of its third table is what the table is computed with."""
    assert f"; {models._MOVIE} tokens a movie, {models._QUESTION} a collection" in of("compare")
    assert f"of {models._ANSWER} tokens and {models._ANSWER_A_MOVIE} for each movie" in of("compare")


def test_the_collections_to_borrow_are_counted() -> None:
    """The page says how many there are in each file and in all."""
    marker = re.compile(r"^  # === KOMETA-AI ===$", re.MULTILINE)
    counts = {file.name: len(marker.findall(file.read_text(encoding="utf-8"))) for file in EVERYTHING}
    page = (DOCS / "examples.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| \[([a-z-]+\.yml)\]\(.+?\) \| (.+) \|$", page, re.MULTILINE))

    assert of("examples").startswith(f"# Collections to borrow {said(sum(counts.values())).capitalize()} collections")
    assert told.keys() == counts.keys()
    assert [name for name, text in told.items() if not re.search(rf"\b{said(counts[name])}\b", text)] == []
    assert f"has {said(counts['shows.yml'] + counts['starter-shows.yml'])} for shows" in of("shows")


def test_the_real_claude_costs_half_a_dollar_in_the_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The forecast for all of the demo's collections is about what README says that they cost with a key."""
    with Stage(tmp_path, {}).open() as environ:
        assert run(["--estimate"], environ, is_watched=False) == 0
    found = re.search(r"about \$(\d+\.\d+)", capsys.readouterr().out)

    assert "for about half a dollar" in of("README")
    assert found
    assert 0.25 < float(found[1]) < 0.75


def test_pythons_are_those_of_the_makefile() -> None:
    """Each page that names the Pythons names those that make takes."""
    low, high = re.findall(r"\(3, (\d+)\)", (ROOT / "Makefile").read_text(encoding="utf-8"))[:2]
    named = {found for page in ("README", "start", "index") for found in re.findall(r"3\.(\d+) to 3\.(\d+)", of(page))}

    assert named == {(low, str(int(high) - 1))}
