from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from benchmarks import library, models
from benchmarks.__main__ import DATA, DOCS, IMAGES, MODELS, PAGE, main
from benchmarks.figures import SCENARIOS, Measured, Result, Seen
from benchmarks.plots import PLOTS, drawn
from benchmarks.report import markdown, text, write
from benchmarks.runs import measure
from benchmarks.targets import list_reads, targets, writes

MOVIES, COLLECTIONS, MEMBERS = 60, 3, 0.2


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    """A small measurement: a first run, one with nothing changed, one with ten new movies, one through batches."""
    found = measure(movies=MOVIES, collections=COLLECTIONS, members=MEMBERS, scenarios=SCENARIOS)
    return {result.scenario: result for result in found}


def test_a_first_run_asks_about_every_pair_once_and_tags_what_belongs(results: dict[str, Result]) -> None:
    """Credits are read once a movie, two pages of movies are asked about for all collections, and every tag is set."""
    first = results["first"]
    truth = library.Truth(MEMBERS)
    pairs = [(name, movie.title) for name in library.names(COLLECTIONS) for movie in library.movies(MOVIES)]
    verdicts = [truth.about(*pair) for pair in pairs]

    assert first.seen.radarr["GET /credit"] == MOVIES
    assert first.seen.claude - first.seen.second_looks == 2
    assert first.seen.second_looks > 0
    assert first.seen.excluded == sum(verdict.confidence == 0 for verdict in verdicts)
    assert first.tags_changed == first.seen.tags == sum(verdict.is_member for verdict in verdicts) > 0
    assert first.seen.unlike_truth == 0


def test_batches_end_in_the_same_tags_for_less(results: dict[str, Result]) -> None:
    """As many questions as asked directly, at a lower price; one phase, since one request a page has no readers."""
    first, batches = results["first"].seen, results["batches"].seen

    assert batches.batches == 1
    assert (batches.claude, batches.unlike_truth, batches.tags) == (first.claude, 0, first.tags)
    assert batches.cache_write_1h_tokens == first.cache_write_1h_tokens == 0
    assert batches.usd - batches.second_looks_usd < first.usd - first.second_looks_usd
    assert batches.usd == pytest.approx(results["batches"].reported_usd, abs=1e-5)


def test_a_first_run_is_priced_as_the_program_prices_it(results: dict[str, Result]) -> None:
    """The cost reckoned from the stand-in's usage is the one in the program's report; no page is cached."""
    first = results["first"]

    assert first.seen.usd == pytest.approx(first.reported_usd, abs=1e-5)
    assert 0 < first.seen.second_looks_usd < first.seen.usd
    assert min(first.seen.input_tokens, first.seen.output_tokens) > 0
    assert first.seen.cache_write_tokens < first.seen.input_tokens / 2
    assert 0 < first.seen.plain_tokens < 16 * first.seen.plain


def test_other_layouts_are_in_order_of_their_cost(results: dict[str, Result]) -> None:
    """No run is cheaper than the bound, and the specification's layout is dearer than ours."""
    first = results["first"]
    assert first.layouts is not None
    layouts = first.layouts

    assert layouts.bound_ids < layouts.bound < first.seen.usd < layouts.baseline_compact < layouts.baseline


def test_a_settled_run_asks_and_writes_nothing(results: dict[str, Result]) -> None:
    """Where nothing has changed there is no request to Claude, no credit read, no write, and no cost."""
    settled = results["settled"]

    assert (settled.seen.claude, writes(settled), settled.tags_changed, settled.seen.usd) == (0, 0, 0, 0.0)
    assert "GET /credit" not in settled.seen.radarr
    assert list_reads(settled) > 0
    assert settled.seen.tags == results["first"].seen.tags


def test_ten_new_movies_are_all_that_is_asked_about(results: dict[str, Result]) -> None:
    """Credits of ten movies, one small page for all collections, and a cost below that of the first run."""
    new = results["ten-new"]

    assert new.seen.radarr["GET /credit"] == 10
    assert new.seen.claude - new.seen.second_looks == 1
    assert 0 < new.seen.usd < results["first"].seen.usd / 2
    assert new.seen.unlike_truth == 0


def test_what_the_program_used_is_plausible(results: dict[str, Result]) -> None:
    """Each run took time and memory; a first run more than a settled one, which imports no SDK."""
    first, settled = results["first"].used, results["settled"].used

    for used in (first, settled):
        assert used.exit_code == 0
        assert 0.1 < used.cpu_seconds < 60
        assert 20 < used.peak_mb < 400
        assert used.wall_seconds > 0
    assert settled.cpu_seconds < first.cpu_seconds
    assert settled.peak_mb < first.peak_mb


def test_a_checkpoint_is_measured_in_an_empty_and_in_a_full_state(results: dict[str, Result]) -> None:
    """The figures are there, and the journal was really full."""
    checkpoint = results["first"].checkpoint

    assert checkpoint is not None
    assert min(checkpoint.empty_ms, checkpoint.full_ms, checkpoint.full_cpu_ms, checkpoint.snapshot_ms) > 0
    assert checkpoint.journal_mb > 0.01
    assert results["first"].state_mb > 0.01


def test_the_index_is_measured_after_a_first_run(results: dict[str, Result]) -> None:
    """The figures are there, and its promises are judged up to the size that they were made for."""
    first = results["first"]
    index = first.index

    assert index is not None
    assert min(index.cpu_seconds, index.kept_mb, index.rows_ms, index.search_ms, index.late_ms) > 0
    assert index.peak_mb >= index.kept_mb
    judged = {target.what for target in targets(first) if target.what.startswith("index")}
    assert len(judged) == 4
    assert not judged & {target.what for target in targets(msgspec.structs.replace(first, movies=10_001))}


def test_promises_are_judged_for_the_size_they_were_made_for(results: dict[str, Result]) -> None:
    """Promises on requests and memory apply to a small library too; those on cost ratios only to the large one."""
    first = results["first"]
    large = msgspec.structs.replace(first, movies=10_000, collections=20)
    hungry = msgspec.structs.replace(large, used=msgspec.structs.replace(first.used, peak_mb=401.0))

    judged = {target.what: target for target in targets(first)}

    assert all(judged[what].is_met for what in judged if not what.startswith(("checkpoint", "index", "slowest")))
    assert "peak memory, MB" in judged
    assert "cost / bound" not in judged
    assert "cost / bound" in {target.what for target in targets(large)}
    assert not {target.what: target for target in targets(hungry)}["peak memory, MB"].is_met
    assert {target.what for target in targets(results["settled"])} > {"requests to Claude", "writes to the library"}


@pytest.fixture(scope="module")
def of_shows() -> dict[str, Result]:
    """A small measurement of shows."""
    found = measure(kind="shows", movies=MOVIES, collections=COLLECTIONS, members=MEMBERS, scenarios=SCENARIOS)
    return {result.scenario: result for result in found}


def test_shows_are_measured_like_movies(of_shows: dict[str, Result]) -> None:
    """Every pair is asked about once, no credits are read, and every tag is set; later runs ask about what is new."""
    first, settled, new, batches = (of_shows[scenario] for scenario in SCENARIOS)

    assert first.seen.claude - first.seen.second_looks == 2
    assert first.seen.usd == pytest.approx(first.reported_usd, abs=1e-5)
    assert first.layouts is not None
    assert first.layouts.bound < first.seen.usd < first.layouts.baseline_compact
    assert (settled.seen.claude, writes(settled)) == (0, 0)
    assert new.seen.claude - new.seen.second_looks == 1
    assert batches.seen.batches == 1
    for result in of_shows.values():
        assert result.seen.unlike_truth == 0
        assert not any("/credit" in request or "/movie" in request for request in result.seen.radarr)
        assert all(
            target.is_met
            for target in targets(result)
            if not target.what.startswith(("checkpoint", "index", "slowest"))
        )


def test_shows_have_rows_and_promises_of_their_own(results: dict[str, Result], of_shows: dict[str, Result]) -> None:
    """Beside movies of the same size; promises on cost are made for another size, and plots are about movies."""
    first = of_shows["first"]
    large = msgspec.structs.replace(first, movies=5000, collections=10)
    slow = msgspec.structs.replace(large, used=msgspec.structs.replace(first.used, cpu_seconds=21.0))
    measured = Measured(machine="", results=[])
    for result in (first, results["first"], first):
        measured.put(result)

    page = markdown(measured)

    assert [result.kind for result in measured.results] == ["movies", "shows"]
    assert f"| {MOVIES} movies | {COLLECTIONS} | first |" in page
    assert f"| {MOVIES} shows | {COLLECTIONS} | first |" in page
    assert "cost / bound" in {target.what for target in targets(large)}
    assert "own CPU, s" in {target.what for target in targets(slow) if not target.is_met}
    only = Measured(machine="", results=[results["first"]])
    assert all(drawn(plot, measured) == drawn(plot, only) for plot in PLOTS)


def test_the_report_is_the_same_in_every_form(results: dict[str, Result], tmp_path: Path) -> None:
    """Text and Markdown have a row for each run, and Markdown goes between the two comments of the page."""
    measured = Measured(machine="this.", results=list(results.values()))
    page = tmp_path / "page.md"
    page.write_text((DOCS / PAGE).read_text(encoding="utf-8"), encoding="utf-8")

    write(page, markdown(measured))
    written = page.read_text(encoding="utf-8")

    assert written.count("with this.") == 1
    for scenario in SCENARIOS:
        assert f"| {scenario} |" in written
        assert scenario in text(measured)
    write(page, markdown(measured))
    assert page.read_text(encoding="utf-8") == written


def test_a_missed_target_is_never_left_out_of_the_report(results: dict[str, Result]) -> None:
    """Each target has one row, but what was missed has a row for each size at which it was."""
    first = results["first"]
    hungry = msgspec.structs.replace(first.used, peak_mb=500.0)
    sizes = [msgspec.structs.replace(first, movies=movies, used=hungry) for movies in (2000, 3000)]

    page = markdown(Measured(machine="", results=[first, *sizes]))

    assert page.count("| peak memory, MB | 500 | 400 | **missed** |") == 2
    assert page.count("| peak memory, MB |") == 2
    assert page.count("| reads of credits |") == 1


def test_plots_show_every_size_and_are_the_same_each_time(results: dict[str, Result]) -> None:
    """A line for each scenario and number of collections, no script, nothing from elsewhere."""
    sizes = [
        msgspec.structs.replace(result, movies=movies, collections=collections)
        for result in results.values()
        for movies in (1000, 2000)
        for collections in (5, 20)
    ]
    measured = Measured(machine="", results=sizes)

    for plot in PLOTS:
        picture = drawn(plot, measured)
        assert picture == drawn(plot, measured)
        assert "<script" not in picture
        assert not re.search(r'(href|src)="http', picture)
        for collections in (5, 20):
            assert picture.count(f"{collections} collections<") == len(plot.scenarios)


def test_a_size_that_cannot_be_measured_takes_no_other_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was measured before and after is kept, at once and beside older results; the page and plots are of all."""
    (tmp_path / PAGE).write_text((DOCS / PAGE).read_text(encoding="utf-8"), encoding="utf-8")
    one = ["--collections", "1", "--members", str(MEMBERS), "--scenario", "settled", "--write"]

    assert main(["--movies", "20", *one], tmp_path) in (0, 1)
    assert main(["--movies", "-1", "30", *one], tmp_path) == 1

    kept = msgspec.json.decode((tmp_path / DATA).read_bytes(), type=Measured)
    assert [result.movies for result in kept.results] == [20, 30]
    assert "-1 movies x 1 broke off: " in capsys.readouterr().err
    assert "| 30 movies | 1 | settled |" in (tmp_path / PAGE).read_text(encoding="utf-8")
    pictures = {path.name for path in (tmp_path / IMAGES).iterdir()}
    assert pictures == {f"{plot.name}.svg" for plot in PLOTS}
    assert main(["--plots"], tmp_path) == 0


def test_a_page_without_a_place_for_the_figures_is_refused(tmp_path: Path) -> None:
    """Nothing is overwritten where the comments are missing."""
    page = tmp_path / "page.md"
    page.write_text("Nothing here.\n", encoding="utf-8")

    with pytest.raises(ValueError, match="no place"):
        write(page, "figures")

    assert page.read_text(encoding="utf-8") == "Nothing here.\n"


def test_the_command_measures_and_prints(capsys: pytest.CaptureFixture[str]) -> None:
    """One command, one size, one scenario: the result as JSON, and 1 exactly where a target was missed."""
    sizes = ["--movies", "20", "--collections", "1", "--members", str(MEMBERS)]
    code = main([*sizes, "--scenario", "settled", "--output", "json"])

    (found,) = msgspec.json.decode(capsys.readouterr().out, type=list[Result])
    assert (found.scenario, found.movies, found.collections) == ("settled", 20, 1)
    assert found.layouts is None
    assert code == (0 if all(target.is_met for target in targets(found)) else 1)


def test_the_library_is_realistic_and_always_the_same() -> None:
    """Titles are unique, plots have 300 to 600 characters, five actors each, and a second look gives the same."""
    movies = list(library.movies(3000))

    assert len({movie.title for movie in movies}) == 3000
    assert all(300 <= len(movie.plot) <= 600 and len(movie.credits.actors) == 5 for movie in movies)
    assert all(movie.genres and movie.keywords and movie.year >= 1930 for movie in movies)
    assert list(library.movies(3000)) == movies


def test_shows_are_realistic_and_always_the_same() -> None:
    """Titles are unique, each has a network and a language, and most but not all are over."""
    shows = list(library.shows(1000))

    assert len({show.title for show in shows}) == 1000
    assert all(300 <= len(show.plot) <= 600 and show.network and show.language and show.seasons for show in shows)
    assert 0.5 < sum(show.is_over for show in shows) / 1000 < 0.8
    assert list(library.shows(1000)) == shows


def test_the_truth_has_the_share_of_members_that_was_asked_for() -> None:
    """Five percent of the pairs belong, one percent is near the threshold."""
    truth = library.Truth(0.05)
    verdicts = [truth.about(name, movie.title) for name in library.names(20) for movie in library.movies(1000)]

    assert sum(verdict.is_member for verdict in verdicts) / len(verdicts) == pytest.approx(0.05, rel=0.1)
    assert sum(verdict.is_borderline for verdict in verdicts) / len(verdicts) == pytest.approx(0.01, rel=0.2)


@pytest.fixture(scope="module")
def kept() -> Measured:
    """What docs/benchmarks.json holds."""
    return msgspec.json.decode((DOCS / DATA).read_bytes(), type=Measured)


def _first_run(kept: Measured) -> Seen:
    (found,) = [r for r in kept.results if r.place == ("movies", *models.SIZES[-1], SCENARIOS.index("first"))]
    return found.seen


def test_the_page_of_models_has_what_is_computed_from_the_benchmarks(kept: Measured) -> None:
    """The tables are those of docs/benchmarks.json at the prices that genai-prices has."""
    is_current = models.markdown(kept) in (DOCS / MODELS).read_text(encoding="utf-8")

    assert is_current, "run: python -m benchmarks --models"


def test_the_tables_of_models_stand_between_their_comments(tmp_path: Path) -> None:
    """The command replaces what is between the two comments and nothing else, and a second time changes nothing."""
    (tmp_path / DATA).write_bytes((DOCS / DATA).read_bytes())
    page, text = tmp_path / MODELS, (DOCS / MODELS).read_text(encoding="utf-8")
    before, begin, rest = text.partition("<!-- models: ")
    begin += rest.partition("\n")[0]
    page.write_text(f"{before}{begin}\nold\n<!-- end of models -->\nafter\n", encoding="utf-8")

    assert main(["--models"], tmp_path) == 0
    written = page.read_text(encoding="utf-8")

    assert written.startswith(f"{before}{begin}")
    assert written.endswith("<!-- end of models -->\nafter\n")
    assert "\nold\n" not in written
    assert "| Claude | `claude-sonnet-5-5` |" in written
    assert main(["--models"], tmp_path) == 0
    assert page.read_text(encoding="utf-8") == written


def test_a_page_without_a_place_for_the_models_is_refused(tmp_path: Path) -> None:
    """Nothing is overwritten where the comments are missing."""
    page = tmp_path / "page.md"
    page.write_text("Nothing here.\n", encoding="utf-8")

    with pytest.raises(ValueError, match="no place"):
        models.write(page, "tables")

    assert page.read_text(encoding="utf-8") == "Nothing here.\n"


def test_the_tokens_of_a_run_at_its_own_price_cost_what_it_cost(kept: Measured) -> None:
    """Claude's default model, priced as any other, costs what the run with it has cost, and so do its second looks."""
    for result in kept.results:
        if result.kind == "movies" and result.scenario == "first":
            assert models.usd(result.seen, models.SONNET) == pytest.approx(result.seen.usd, rel=0.001)
            assert models.second_looks_usd(result.seen, models.SONNET) == pytest.approx(
                result.seen.second_looks_usd, rel=0.001
            )


def test_requests_are_priced_one_by_one(kept: Measured) -> None:
    """Twice as many requests cost twice as much: no model is priced as if all tokens were one long prompt."""
    seen = _first_run(kept)
    names = ("claude", "input_tokens", "cache_write_tokens", "cache_read_tokens", "output_tokens")
    twice = msgspec.structs.replace(seen, **{name: 2 * getattr(seen, name) for name in names})

    for offer in models.OFFERS:
        assert models.usd(twice, offer) == pytest.approx(2 * models.usd(seen, offer), rel=0.001), offer.traits.model


def test_a_cache_that_keeps_by_itself_takes_no_fee() -> None:
    """What is written costs as input there, and with a fee where a request asks for it; unread, all is input."""
    seen = Seen(
        claude=4_000,
        input_tokens=1_000_000,
        cache_write_tokens=2_000_000,
        cache_read_tokens=40_000_000,
        output_tokens=500_000,
    )
    told = msgspec.structs.replace(seen, input_tokens=3_000_000, cache_write_tokens=0)

    assert models.usd(seen, models.FLASH_LITE) == models.usd(told, models.FLASH_LITE)
    assert models.usd(seen, models.LUNA) > models.usd(told, models.LUNA)
    for offer in models.OFFERS:
        assert models.usd(seen, offer, is_read=False) > models.usd(seen, offer)


def test_a_price_is_the_one_of_its_moment(kept: Measured) -> None:
    """An offer that is named twice has two prices, and the dearer one says when it holds."""
    seen = _first_run(kept)
    by_name: dict[tuple[str, str], list[models.Offer]] = {}
    for offer in models.OFFERS:
        by_name.setdefault((offer.traits.title, offer.traits.model), []).append(offer)

    twice = [offers for offers in by_name.values() if len(offers) > 1]
    assert len(twice) == 2
    for usual, dearer in twice:
        assert models.usd(seen, dearer) > 1.5 * models.usd(seen, usual)
        assert dearer.remark != usual.remark


def test_what_runs_by_night_pay_is_told_where_it_is_less(kept: Measured) -> None:
    """Claude's default model as measured in batches, OpenAI's at half the price, nothing for others."""
    lines = [line.split(" | ") for line in models.markdown(kept).splitlines() if line.startswith("| ")]
    first = lines[: len(models.OFFERS) + 1]
    (at,) = (place for place, name in enumerate(first[0]) if "by night" in name)
    nights = {row[1].strip("`"): row[at - 1 : at + 1] for row in first[1:] if len(row) > at}

    (in_batches,) = [result.seen.usd for result in kept.results if result.place == ("movies", *models.SIZES[-1], 3)]
    assert nights["claude-sonnet-5-5"][1] == f"{in_batches:.2f}"
    day, night = map(float, nights["gpt-6.1-terra"])
    assert night == pytest.approx(day / 2, abs=0.01)
    assert nights["mistral-small-latest"][1].strip() == ""


def test_a_model_without_a_price_is_not_in_the_tables(kept: Measured) -> None:
    """Nothing is made up for a model that genai-prices does not know, or from a run that has not been measured."""
    unknown = models.SONNET._replace(traits=msgspec.structs.replace(models.SONNET.traits, model="claude-of-tomorrow"))

    with pytest.raises(ValueError, match="claude-of-tomorrow"):
        models.usd(_first_run(kept), unknown)
    with pytest.raises(ValueError, match="no first run of 1,000 movies and 5 collections"):
        models.markdown(Measured(machine="", results=[]))


def test_the_hours_of_a_local_model_follow_from_its_speed() -> None:
    """Ten times the pairs take ten times as long, twice the speed half; to read each prompt anew takes longer."""
    few, many = models.Local.run(1_000, 20), models.Local.run(10_000, 20)
    anew = models.Local.run(1_000, 20, is_reused=False)
    fast = models.Speed(2 * models.GUESSED.reads, 2 * models.GUESSED.writes)

    assert (many.prompt, many.answers) == (10 * few.prompt, 10 * few.answers)
    assert fast.hours(few) == pytest.approx(models.GUESSED.hours(few) / 2)
    assert models.GUESSED.hours(anew) > models.GUESSED.hours(few)
    assert models.Local.run(1_000, 1) == models.Local.run(1_000, 1, is_reused=False)
    assert models.GUESSED.hours(many) == pytest.approx(12, abs=3)
