"""`--check-config`, from outside: what it finds, where, and how to fix it."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from kometa_ai.kometa.checking.examination import examine_folder, read_folder
from kometa_ai.kometa.lines import split_lines
from kometa_ai.standins.faults import answer, bad_gateway, html_page, redirect
from kometa_ai.standins.radarr import AutoTagRule, RadarrStandIn
from kometa_ai.standins.serving import serve
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kometa_ai.core.problem import Correction, Problem
    from tests.cli.conftest import Ended

    Call = Callable[..., Ended]

HEIST = """collections:
  # === KOMETA-AI ===
  # enabled: true
  # prompt: Heists.
  # === END KOMETA-AI ===
  Heist:
    radarr_taglist: kai-heist
    sync_mode: sync
"""
CONFIG = """libraries:
  Movies:
    collection_files:
      - file: config/movies.yml
radarr:
  url: {url}
  token: 0123456789abcdef0123456789abcdef
  root_folder_path: /movies
  quality_profile: Any
"""


class Broken(NamedTuple):
    """A sound file with one piece exchanged; what is told of it, and what that piece is corrected to, if anything."""

    old: str
    new: str
    where: str
    told: str
    remedy: str
    corrected: str | None = None
    file: str = "movies.yml"

    @property
    def text(self) -> str:
        """The broken file."""
        sound = HEIST if self.file == "movies.yml" else CONFIG.replace("{url}", "http://radarr:7878")
        assert sound.count(self.old) == 1
        return sound.replace(self.old, self.new)


BROKEN = {
    "a key that is misspelt": Broken(
        "prompt:", "promt:", "movies.yml:4:5", "`promt` is not a key", "Did you mean `prompt`?", "  # prompt: Heists."
    ),
    "a key that there is not": Broken(
        "prompt:", "colour: red\n  # prompt:", "movies.yml:4:5", "`colour` is not a key", "The keys there are"
    ),
    "no prompt": Broken(
        "  # prompt: Heists.\n",
        "",
        "movies.yml:2",
        "there is no `prompt`",
        "Write `prompt: |`",
    ),
    "an empty prompt": Broken(
        "prompt: Heists.",
        "prompt:",
        "movies.yml:4:5",
        "there is no `prompt`",
        "or switch it off",
    ),
    "neither on nor off": Broken(
        "enabled: true",
        "enabled: treu",
        "movies.yml:3:14",
        "holds 'treu'",
        "`enabled: true`",
    ),
    "a threshold in percent": Broken(
        "prompt: Heists.",
        "prompt: Heists.\n  # confidence_threshold: 75%  # high",
        "movies.yml:5:27",
        "holds '75%', which is not a number from 0.0 to 1.0",
        "0.7",
        "  # confidence_threshold: 0.75  # high",
    ),
    "a threshold above 1": Broken(
        "prompt: Heists.",
        "prompt: Heists.\n  # confidence_threshold: 1.5",
        "movies.yml:5:27",
        "holds '1.5', which is not a number from 0.0 to 1.0",
        "0.7",
    ),
    "a priority in words": Broken(
        "prompt: Heists.",
        "prompt: Heists.\n  # priority: high",
        "movies.yml:5:15",
        "not a whole number",
        "higher comes earlier",
    ),
    "a movie without its year in brackets": Broken(
        "prompt: Heists.",
        "prompt: Heists.\n  # include_movies:\n  #   - Heat 1995",
        "movies.yml:6:9",
        "holds 'Heat 1995', which is not a movie",
        "The Matrix (1999)",
    ),
    "a movie by its page": Broken(
        "prompt: Heists.",
        "prompt: Heists.\n  # exclude_movies: [https://www.themoviedb.org/movie/949-heat]",
        "movies.yml:5:22",
        "which is not a movie",
        "tmdb:603",
    ),
    "a tag that cannot be managed": Broken(
        "prompt: Heists.",
        "prompt: Heists.\n  # tag: Heist",
        "movies.yml:5:10",
        "not a tag that can be managed",
        "Write `kai-`",
        "  # tag: kai-heist",
    ),
    "the collection's own tag": Broken(
        "prompt: Heists.",
        "prompt: Heists.\n  # include_tags: [4k, KAI-Heist, kids]",
        "movies.yml:5:5",
        "names the collection's own tag kai-heist",
        "Remove it",
        "  # include_tags: [4k, kids]",
    ),
    "a colon too many": Broken(
        "prompt: Heists.",
        "prompt: Heists: the best of them",
        "movies.yml:4:5",
        'there is a ": " too many',
        "Put the text in quotes.",
        "  # prompt: |\n  #   Heists: the best of them",
    ),
    "a tab in a block": Broken(
        "# prompt: Heists.", "#\tprompt: Heists.", "movies.yml:4:5", "a tab stands", "spaces", "  # prompt: Heists."
    ),
    "a block without its end": Broken(
        "  # === END KOMETA-AI ===\n",
        "",
        "movies.yml:2:3",
        "the block has no end",
        "# === END KOMETA-AI ===",
        "  # === END KOMETA-AI ===",
    ),
    "a block without its beginning": Broken(
        "  # === KOMETA-AI ===\n",
        "  # A remark.\n",
        "movies.yml:5:3",
        "without its beginning",
        "# === KOMETA-AI ===",
        "  # === KOMETA-AI ===",
    ),
    "a block above everything": Broken(
        HEIST,
        HEIST.replace("collections:\n", "").replace("  Heist", "collections:\n  Heist"),
        "movies.yml:1:3",
        "belongs to no collection",
        "right above the name",
        "collections:\n  # === KOMETA-AI ===\n  # enabled: true\n  # prompt: Heists.\n  # === END KOMETA-AI ===",
    ),
    "a block below the name": Broken(
        HEIST,
        HEIST.replace("  Heist:\n", "").replace("  # === KOMETA", "  Heist:\n  # === KOMETA"),
        "movies.yml:3:3",
        "belongs to no collection",
        "right above the name",
        "  # === KOMETA-AI ===\n  # enabled: true\n  # prompt: Heists.\n  # === END KOMETA-AI ===\n  Heist:",
    ),
    "no taglist": Broken(
        "    radarr_taglist: kai-heist\n",
        "",
        "movies.yml:6:3",
        "`radarr_taglist` is missing",
        "`radarr_taglist: kai-heist`",
        "    radarr_taglist: kai-heist",
    ),
    "an empty taglist": Broken(
        "radarr_taglist: kai-heist",
        "radarr_taglist:",
        "movies.yml:7:5",
        "takes every movie that has no tag",
        "`radarr_taglist: kai-heist`",
        "    radarr_taglist: kai-heist",
    ),
    "another taglist": Broken(
        "radarr_taglist: kai-heist",
        "radarr_taglist:\n      - kai-heists\n      # mine\n      - favourites\n    # end",
        "movies.yml:7:5",
        "is kai-heists, favourites, but its tag is kai-heist",
        "`radarr_taglist: [kai-heist, favourites]`",
        "    radarr_taglist: [kai-heist, favourites]",
    ),
    "no sync": Broken(
        "    sync_mode: sync\n",
        "",
        "movies.yml:6:3",
        "never removes a movie",
        "`sync_mode: sync`",
        "    sync_mode: sync",
    ),
    "another sync": Broken(
        "sync_mode: sync",
        "sync_mode: append  # as ever",
        "movies.yml:8:5",
        "`sync_mode` is append",
        "`sync_mode: sync`",
        "    sync_mode: sync  # as ever",
    ),
    "an empty collection": Broken(
        "    radarr_taglist: kai-heist\n    sync_mode: sync\n",
        "",
        "movies.yml:6:3",
        "nothing below its name",
        "`radarr_taglist: kai-heist` and `sync_mode: sync`",
        "    radarr_taglist: kai-heist\n    sync_mode: sync",
    ),
    "a collection on one line": Broken(
        "  Heist:\n    radarr_taglist: kai-heist\n    sync_mode: sync\n",
        "  Heist: {radarr_taglist: kai-heist, plex_all: true}\n",
        "movies.yml:6:3",
        "never removes a movie",
        "`sync_mode: sync`",
        "  Heist: {sync_mode: sync, radarr_taglist: kai-heist, plex_all: true}",
    ),
    "a template from elsewhere": Broken(
        "    sync_mode: sync\n",
        "    template: {name: Elsewhere}\nexternal_templates: {git: somebody/templates}\n",
        "movies.yml:6:3",
        "its template Elsewhere stands in another file",
        "`sync_mode: sync`",
        "    sync_mode: sync",
    ),
    "a name that is a number": Broken(
        "  Heist:\n    radarr_taglist: kai-heist",
        "  1917:\n    radarr_taglist: kai-1917",
        "movies.yml:6:3",
        "its name is no text",
        '`"1917":`',
        '  "1917":',
    ),
    "tags wiped": Broken(
        "    sync_mode: sync\n",
        "    sync_mode: sync\n    item_radarr_tag.sync: favourites\n",
        "movies.yml:9:5",
        "takes every other tag off",
        "it only adds",
        "    item_radarr_tag: favourites",
    ),
    "a managed tag that another writes": Broken(
        "    sync_mode: sync\n",
        "    sync_mode: sync\n  Other:\n    item_radarr_tag: [new, KAI-heist]\n",
        "movies.yml:10:5",
        "writes the managed tag kai-heist",
        "Take kai-heist out of it.",
        "    item_radarr_tag: [new]",
    ),
    "a tag of no collection": Broken(
        "prompt: Heists.",
        "prompt: Heists.\n  # exclude_tags: [KAI-hiest]\n  # === END KOMETA-AI ===\n"
        "  A: {radarr_taglist: kai-a, sync_mode: sync}\n  # === KOMETA-AI ===\n  # enabled: true\n  # prompt: x",
        "movies.yml:5:20",
        "the tag kai-hiest is that of no collection",
        "Did you mean kai-heist?",
        "  # exclude_tags: [kai-heist]",
    ),
    "a character that cannot be seen": Broken(
        "prompt: Heists.",
        "prompt: Heists\u2028#.",
        "movies.yml:4:19",
        "U+2028",
        "Type the line anew",
        "  # prompt: Heists #.",
    ),
    "a file that is no YAML": Broken(
        "sync_mode: sync",
        "summary: Heists: all\n    sync_mode: sync",
        "movies.yml:8:20",
        'there is a ": " too many',
        "Put the text in quotes.",
        '    summary: "Heists: all"',
    ),
    "a collection without its colon": Broken(
        "  Heist:",
        "  Heist",
        "movies.yml:6:3",
        "a colon is missing at the end of the line",
        "Write one",
        "  Heist:",
    ),
    "a text that is not indented": Broken(
        "prompt: Heists.",
        "prompt: |\n  # Heists, and what comes of them.",
        "movies.yml:5:5",
        "a colon is missing after the key",
        "the text of `prompt`",
        "  #   Heists, and what comes of them.",
    ),
    "a tab in a file": Broken(
        "    sync_mode: sync", "\tsync_mode: sync", "movies.yml:8:1", "a tab stands", "spaces", "    sync_mode: sync"
    ),
    "a key twice": Broken(
        "sync_mode: sync",
        "sync_mode: sync\n    sync_mode: append",
        "movies.yml:9:5",
        "the same key stands twice",
        "remove one of them",
    ),
    "two documents": Broken(
        "    sync_mode: sync\n",
        "    sync_mode: sync\n---\n",
        "movies.yml:9:1",
        "a second document begins here",
        "remove the `---`",
        "",
    ),
    "a file that no library loads": Broken(
        "file: config/movies.yml",
        "file: config/other.yml",
        "config.yml:3:5",
        "no library loads movies.yml, so Kometa never builds Heist",
        "`- file: config/movies.yml`",
        file="config.yml",
    ),
    "a library that loads nothing": Broken(
        "    collection_files:\n      - file: config/movies.yml\n",
        "",
        "config.yml:2:3",
        "no library loads movies.yml",
        "below `collection_files`",
        file="config.yml",
    ),
    "a file in the wrong list": Broken(
        "collection_files",
        "metadata_files",
        "config.yml:3:5",
        "listed below `metadata_files`",
        "below `collection_files`",
        file="config.yml",
    ),
    "no Radarr": Broken(
        CONFIG.partition("radarr:")[2].replace("{url}", "http://radarr:7878"),
        "\n  root_folder_path: /movies\n  quality_profile: Any\n",
        "config.yml:5:1",
        "no `url` and no `token`",
        "Radarr's address",
        file="config.yml",
    ),
    "movies deleted by a managed tag": Broken(
        "    collection_files:",
        "    operations:\n      radarr_remove_by_tag: kai-heist, old\n    collection_files:",
        "config.yml:4:7",
        "deletes from Radarr the movies with the managed tag kai-heist",
        "Take the line away",
        file="config.yml",
    ),
}


@pytest.fixture
def home(world: World) -> World:
    """A world whose Kometa folder has nothing wrong with it."""
    (world.kometa / "movies.yml").write_text(HEIST)
    (world.kometa / "config.yml").write_text(CONFIG.replace("{url}", world.environ["RADARR_URL"]))
    return world


def put_right(path: Path, correction: Correction) -> None:
    """Do what a correction says."""
    lines = list(split_lines(path.read_text()))
    lines[correction.first - 1 : correction.last] = correction.lines
    path.write_text("\n".join(lines))


def findings(folder: Path) -> list[Problem]:
    """Everything that is wrong in a folder."""
    found = examine_folder(folder)
    return [*found.problems, *found.warnings]


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_each_broken_configuration_is_answered(home: World, call: Call, broken: Broken) -> None:
    """File, line, column, the line itself with a caret, remedy and correction, in words and as data."""
    (home.kometa / broken.file).write_text(broken.text)

    shown = call("--check-config")
    ended = call("--check-config", "--output", "json")

    found: list[dict[str, Any]] = [*ended.data["problems"], *ended.data["warnings"]]
    (problem,) = found
    assert ended.code == shown.code == (2 if problem["severity"] == "error" else 1)
    assert ended.data["exit_code"] == ended.code
    places = [problem["source"], problem["line"], problem.get("column")]
    assert ":".join(str(part) for part in places if part) == broken.where
    assert broken.told in problem["what"]
    assert broken.remedy in problem["remedy"]
    line = split_lines(broken.text)[problem["line"] - 1]
    if broken.file == "config.yml":
        line = line.partition(":")[0] + (": ********" if line.partition(":")[2] else ":")
    if line.strip() == "Movies:":  # what is no word of Kometa's own may be a secret in the wrong place
        assert "excerpt" not in problem
        return
    assert problem["excerpt"] == line
    correction = problem.get("correction")
    assert (None if correction is None else "\n".join(correction["lines"])) == broken.corrected
    printed = [text.rstrip() for text in shown.out.splitlines()]
    assert any(re.match(f"(Problem|Warning) {problem['source']}:{problem['line']}: ", text) for text in printed)
    visible = "".join(character if character.isprintable() else " " for character in line)
    at = printed.index(f"  {problem['line']} | {visible}".rstrip())
    if "column" in problem:
        assert printed[at + 1].endswith("| " + " " * (problem["column"] - 1) + "^")
    assert all("    " + text in printed for text in (broken.corrected or "").splitlines())


@pytest.mark.parametrize("name", [name for name, broken in BROKEN.items() if broken.corrected is not None])
def test_each_correction_puts_it_right(home: World, name: str) -> None:
    """Whoever pastes what is offered is rid of the problem, and has no new one."""
    broken = BROKEN[name]
    path = home.kometa / broken.file
    path.write_text(broken.text)
    (problem,) = findings(home.kometa)
    assert problem.correction is not None

    put_right(path, problem.correction)

    assert findings(home.kometa) == []
    assert read_folder(home.kometa).collections
    assert read_folder(home.kometa).skipped == ()


def test_there_are_enough_broken_configurations() -> None:
    """Twenty and more, most with a correction."""
    assert len(BROKEN) >= 20
    assert sum(broken.corrected is not None for broken in BROKEN.values()) >= 20


# Services


def told(ended: Ended) -> dict[str, str]:
    """How each service was found."""
    return {looked["service"]: looked["status"] for looked in ended.data["services"]}


def test_all_in_order(home: World, call: Call) -> None:
    """0, with Radarr's version and Claude's model; nothing is asked, and nothing written."""
    ended = call("--check-config", "--output", "json")

    assert ended.code == 0
    assert told(ended) == {"Radarr": "ok", "Claude": "ok"}
    assert "claude-sonnet-5-5" in ended.out
    assert ended.data["collections"] == ["Heist"]
    assert ended.data["problems"] == ended.data["warnings"] == ended.data["hints"] == []
    assert home.claude.requests == []
    assert home.radarr.writes == []
    assert home.radarr.list_reads == []
    assert "All in order." in call("--check-config").out


def test_an_empty_folder_is_not_in_order(world: World, call: Call) -> None:
    """A mistyped mount gives an empty folder: the check and a run warn of it, as of a folder without a block."""
    check, run = call("--check-config"), call("--run-now")

    for ended in (check, run):
        assert ended.code == (1 if ended is check else 0)
        assert "CONFIG_DIR: Kometa's folder holds no YAML file at all." in ended.out
        assert "a mistyped path on the left of the mount gives an empty folder" in " ".join(ended.out.split())
    assert "All in order" not in check.out
    assert world.radarr.writes == []


def test_nothing_takes_part(world: World, call: Call) -> None:
    """Where every collection is switched off, the check does not say that all is in order."""
    (world.kometa / "movies.yml").write_text(HEIST.replace("enabled: true", "enabled: false"))
    ended = call("--check-config")

    assert ended.code == 0
    assert "In order, but no collection takes part." in ended.out
    assert "All in order" not in ended.out


@pytest.mark.usefixtures("home")
def test_services_that_do_not_answer(call: Call) -> None:
    """What does not answer is named; nothing is said against the configuration, but it is not all in order."""
    ended = call(
        "--check-config", "--output", "json", RADARR_URL="http://127.0.0.1:9", CLAUDE_BASE_URL="http://127.0.0.1:9"
    )

    assert ended.code == 1
    assert told(ended) == {"Radarr": "silent", "Claude": "silent"}
    assert "the connection was refused" in ended.out
    shown = call("--check-config", RADARR_URL="http://127.0.0.1:9").out
    assert "All in order" not in shown
    assert "In order as far as it could be looked at; Radarr does not answer now. Is the address right?" in shown


@pytest.mark.parametrize("effect", [bad_gateway(), answer(403), answer(503)])
def test_a_proxy_in_front_of_radarr(home: World, call: Call, effect: Any) -> None:
    """What a proxy says is no word of Radarr's."""
    home.radarr.faults.inject(effect, path="*", times=None)

    ended = call("--check-config", "--output", "json")

    assert (ended.code, told(ended)["Radarr"]) == (1, "silent")


@pytest.mark.parametrize("effect", [html_page(), redirect("/login"), answer(404)])
def test_something_else_than_radarr(home: World, call: Call, effect: Any) -> None:
    """A page in its place is a wrong address: a warning that says what to do."""
    home.radarr.faults.inject(effect, path="*", times=None)

    ended = call("--check-config", "--output", "json")

    assert (ended.code, told(ended)["Radarr"]) == (1, "unusable")
    assert [warning["source"] for warning in ended.data["warnings"]] == ["Radarr"]
    assert "RADARR_URL" in ended.data["warnings"][0]["remedy"]


@pytest.mark.usefixtures("home")
def test_keys_that_are_refused(call: Call) -> None:
    """Both are warnings, and neither key is shown."""
    keys = {"RADARR_API_KEY": "f" * 32, "CLAUDE_API_KEY": "sk-ant-nobody-has-this"}

    ended = call("--check-config", **keys)
    data = call("--check-config", "--output", "json", **keys).data

    assert ended.code == 1
    assert "It works" not in ended.out
    assert "It does not work like this: Radarr and Claude cannot be used." in ended.out
    assert [warning["source"] for warning in data["warnings"]] == ["Radarr", "Claude"]
    assert not any(key in ended.out + ended.err + json.dumps(data) for key in keys.values())


@pytest.mark.usefixtures("home")
def test_a_model_that_there_is_not(call: Call) -> None:
    """Claude says which there are; the second look's model counts, too."""
    ended = call("--check-config", "--output", "json", CLAUDE_REVIEW_MODEL="claude-unheard-of")

    assert (ended.code, told(ended)["Claude"]) == (1, "unusable")
    assert "claude-unheard-of" in ended.data["warnings"][0]["what"]


@pytest.mark.usefixtures("home")
def test_a_rule_of_radarrs_own_on_a_managed_tag(call: Call) -> None:
    """It would undo our changes; a rule on another tag is ignored."""
    rules = [AutoTagRule("Old ones", ("kai-heist", "old")), AutoTagRule("For kids", ("kids",))]
    with serve(RadarrStandIn(movies(3), rules=rules).app) as url:
        ended = call("--check-config", "--output", "json", RADARR_URL=url)

    assert ended.code == 1
    (warning,) = ended.data["warnings"]
    assert warning["what"] == "Heist: the auto-tagging rule Old ones puts the tag kai-heist on and takes it off, too."


def test_wrong_settings_are_told_with_the_files(home: World, call: Call) -> None:
    """One list of everything; services are not looked at with settings that cannot be used."""
    (home.kometa / "movies.yml").write_text(BROKEN["no sync"].text)

    ended = call("--check-config", "--output", "json", BATCH_SIZE="0", TZ="Mars")

    assert ended.code == 2
    assert {problem["source"] for problem in ended.data["problems"]} == {"BATCH_SIZE", "TZ"}
    assert [warning["source"] for warning in ended.data["warnings"]] == ["movies.yml"]
    assert ended.data["services"] == []
    assert home.radarr.requests == []


@pytest.mark.parametrize("place", ["a file", "below a file"])
def test_folders_that_cannot_be_written(home: World, call: Call, place: str) -> None:
    """No run could keep what it has paid for: told here, not by the first run. A log is worth a warning."""
    taken = home.folder / "taken"
    taken.write_text("")
    folder = taken if place == "a file" else taken / "state"

    ended = call("--check-config", "--output", "json", STATE_DIR=str(folder), LOG_DIR=str(taken))

    assert ended.code == 2
    (problem,), (warning,) = ended.data["problems"], ended.data["warnings"]
    assert (problem["source"], warning["source"]) == ("STATE_DIR", "LOG_DIR")
    assert str(folder) in problem["what"]


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("options", "reason", "remedy"), [("size=32k", "No space left", "free some space"), ("ro", "Read-only", "mount it")]
)
def test_a_disk_that_is_full_or_read_only(call: Call, tmp_path: Path, options: str, reason: str, remedy: str) -> None:
    """The check writes a little where runs will write; it tells what is in the way, and what to do about that."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(  # noqa: S603 - our own folder
        ["/bin/mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a file system can be mounted by root alone")
    try:
        ended = call("--check-config", "--output", "json", STATE_DIR=str(disk))
        left = list(disk.iterdir())
    finally:
        subprocess.run(["/bin/umount", str(disk)], check=True)  # noqa: S603 - our own folder

    (problem,) = ended.data["problems"]
    assert (ended.code, problem["source"], left) == (2, "STATE_DIR", [])
    assert reason in problem["what"]
    assert remedy in problem["remedy"]


@pytest.mark.parametrize("name", ["kometa_state.json", "choices.json"])
def test_a_state_that_cannot_be_read(home: World, call: Call, name: str) -> None:
    """Each run would end with that, whatever the rest is like: so the check says it, in the same words."""
    assert call("--run-now").code in (0, 1)
    (home.state_dir / name).unlink(missing_ok=True)
    (home.state_dir / name).symlink_to(home.folder / "nowhere")

    checked, ran = call("--check-config", "--output", "json"), call("--run-now")

    (problem,) = (each for each in checked.data["problems"] if each["source"] == "STATE_DIR")
    assert (checked.code, ran.code) == (2, 5)
    assert str(home.state_dir / name) in problem["what"]
    assert problem["what"] in ran.err


@pytest.mark.parametrize("arguments", [("--runs",), ("--undo", "20260301-030000-00ff")])
def test_kept_runs_that_cannot_be_read(home: World, call: Call, arguments: tuple[str, ...]) -> None:
    """It is not said that there are none."""
    home.state_dir.mkdir(exist_ok=True)
    (home.state_dir / "runs").write_text("")

    ended = call(*arguments)

    assert ended.code == 5
    assert "cannot be read: it is no folder" in ended.err
    assert f"Move {str(home.state_dir / 'runs')!r} out of STATE_DIR" in ended.err


@pytest.mark.usefixtures("home")
def test_a_warning_of_a_setting_is_told_once(call: Call) -> None:
    """In the result, and not in the log above it as well."""
    ended = call("--check-config", SMTP_SERVER="mail.example.org")

    assert ended.code == 1
    assert "Warning SMTP_SERVER: no e-mail is sent without a recipient." in ended.out
    assert "without a recipient" not in ended.err


def test_folders_that_are_not_there_yet(home: World, call: Call) -> None:
    """They are made by the first run, and looking at them makes none."""
    folder = home.folder / "new" / "state"

    ended = call("--check-config", "--output", "json", STATE_DIR=str(folder))

    assert ended.code == 0
    assert not folder.exists()


# Hints and secrets


def test_another_radarr_is_worth_a_hint(home: World, call: Call) -> None:
    """Radarr may have two names, so this changes no exit code; nothing of its address is shown."""
    (home.kometa / "config.yml").write_text(CONFIG.replace("{url}", "http://me:hunter2@radarr:7878"))

    ended = call("--check-config")
    data = call("--check-config", "--output", "json").data

    assert ended.code == 0
    (hint,) = data["hints"]
    assert (hint["source"], hint["line"], hint["severity"]) == ("config.yml", 5, "hint")
    assert "a Radarr at another address than RADARR_URL in Movies" in hint["what"]
    assert "Hint config.yml:5:" in ended.out
    assert "hunter2" not in ended.out + json.dumps(data)


def test_what_kometa_insists_on_is_a_warning(home: World, call: Call) -> None:
    """Kometa connects to no Radarr without a root folder and a profile, though it only reads tags: nothing is built."""
    config = (home.kometa / "config.yml").read_text()
    (home.kometa / "config.yml").write_text(config.replace("  quality_profile: Any\n", ""))

    ended = call("--check-config", "--output", "json")

    assert ended.code == 1
    assert ended.data["hints"] == []
    (warning,) = ended.data["warnings"]
    assert (warning["source"], warning["severity"]) == ("config.yml", "warning")
    assert "`radarr:` has no `quality_profile`" in warning["what"]
    assert "exactly as Radarr spells it" in warning["remedy"]


@pytest.mark.parametrize(
    "line",
    ["  token: abc: hunter2", "  apikey: @hunter2", '  client_secret: "hunter2', "  a: {token: hunter2, b: c: d}"],
)
def test_lines_with_secrets_are_shown_without(home: World, call: Call, line: str) -> None:
    """A broken line of config.yml is shown, what it keeps secret is not, and no correction repeats it."""
    (home.kometa / "config.yml").write_text(f"plex:\n{line}\n")

    ended = call("--check-config")
    data = call("--check-config", "--output", "json").data

    assert ended.code == 2
    assert data["problems"][0]["source"] == "config.yml"
    assert "hunter2" not in ended.out + ended.err + json.dumps(data)


@pytest.mark.parametrize("command", ["--dump-config", "--run-now", "--estimate", "--check-config"])
def test_no_command_shows_what_a_broken_file_keeps_secret(home: World, call: Call, command: str) -> None:
    """What is told of a file holds none of its lines, but in the check, where they are cleared of secrets."""
    (home.kometa / "config.yml").write_text("plex:\n  token: @hunter2\n")

    ended = call(command, "--output", "json")

    assert "config.yml" in ended.out
    kept = "".join(path.read_text() for path in home.state_dir.rglob("*") if path.is_file())
    assert "hunter2" not in ended.out + ended.err + kept


def test_known_secrets_are_hidden_wherever_they_stand(home: World, call: Call) -> None:
    """Radarr's key in a comment block is hidden, too."""
    (home.kometa / "movies.yml").write_text(HEIST.replace("enabled: true", "enabled: true\n  # abc: f00f00f00f00f00f"))

    ended = call("--check-config", RADARR_API_KEY="f00f00f00f00f00f")

    assert ended.code == 2
    assert "f00f00f" not in ended.out


def test_a_long_line_is_cut_around_its_column(home: World, call: Call) -> None:
    """What is wrong stays in sight."""
    movies = ", ".join(f"tmdb:{number}" for number in range(100, 200))
    (home.kometa / "movies.yml").write_text(
        HEIST.replace("enabled: true", f"enabled: true\n  # include_movies: [{movies}, Heat 1995, {movies}]")
    )

    lines = call("--check-config").out.splitlines()

    at = next(number for number, line in enumerate(lines) if line.startswith("  4 | "))
    assert lines[at][lines[at + 1].index("^") :].startswith("Heat 1995")


def test_nothing_moves_the_terminal(home: World, call: Call) -> None:
    """Control characters, changed directions and markup of our own in a file are shown as nothing of that kind."""
    (home.kometa / "movies.yml").write_text(HEIST.replace("true", "tr\u202e[red]ue[/]"))

    ended = call("--check-config")

    assert ended.code == 2
    assert "\u202e" not in ended.out
    assert "[red]" in ended.out


@pytest.mark.usefixtures("home")
def test_the_program_that_runs_after_changes_is_looked_for(call: Call, tmp_path: Path) -> None:
    """A program that is not there, or that may not be run, is a warning; one that is there is none."""
    (tmp_path / "refresh").write_text("#!/bin/sh\n", encoding="ascii")

    found = {
        command: [
            warning["what"]
            for warning in call("--check-config", "--output", "json", AFTER_CHANGES_COMMAND=command).data["warnings"]
            if warning["source"] == "AFTER_CHANGES_COMMAND"
        ]
        for command in ("no-such-program --password geheim", str(tmp_path / "refresh"), "sh -c true")
    }

    assert [len(warnings) for warnings in found.values()] == [1, 1, 0]
    assert "'no-such-program' is not there" in found["no-such-program --password geheim"][0]
    assert "geheim" not in str(found.values())


def test_tags_that_radarr_does_not_have_are_reported(home: World, call: Call) -> None:
    """A label in a block that Radarr does not have is a warning, with the one that is nearly the same."""
    home.collections(block("Heist", include_tags="[favorites]", exclude_tags="[watched, KAI-nothing]"))
    home.radarr.tag_by_hand(1001, "favourites")
    home.radarr.tag_by_hand(1001, "Watched")

    warnings = call("--check-config", "--output", "json").data["warnings"]

    told = [(warning["what"], warning["remedy"]) for warning in warnings if "Radarr has no tag" in warning["what"]]
    assert told == [
        ("Radarr has no tag 'favorites', so this part of `include_tags` does nothing.", "Did you mean 'favourites'?")
    ]


def test_a_tag_that_another_collection_has_left_is_reported(home: World, call: Call) -> None:
    """A collection that takes over the tag of one that is gone is a warning, in the check and in the first run."""
    home.collections(block("Old Heists"))
    home.believe("Old Heists", [1, 2])
    call("--run-now")
    home.collections(block("Heist", tag="KAI-old-heists"))

    checked = call("--check-config", "--output", "json")
    first, second = (call("--run-now", "--output", "json").data["warnings"] for _ in range(2))

    told = [
        [each["what"] for each in found if "'Old Heists'" in each["what"]]
        for found in (checked.data["warnings"], first)
    ]
    assert [len(each) for each in told] == [1, 1]
    assert "kai-old-heists" in told[0][0]
    assert [each for each in second if "'Old Heists'" in each["what"]] == []


# Kometa right after changes, and Kometa's age


def test_what_others_are_not_told_of(home: World, call: Call) -> None:
    """Where something is run after changes: a warning for names that Kometa cannot be given, a hint for schedules."""
    piece = HEIST.partition("\n")[2].replace("kai-heist", "kai-{slug}").replace("  Heist:", "  {name}:")
    pieces = [("Crime | Passion", "crime-passion"), ("1917", "1917"), ("Christmas", "christmas")]
    more = "".join(piece.format(name=name, slug=slug) for name, slug in pieces)
    (home.kometa / "movies.yml").write_text(f"{HEIST}{more}    schedule: range(12/01-12/31)\n")

    without = call("--check-config", "--output", "json")
    told = call("--check-config", "--output", "json", AFTER_CHANGES_URL="http://127.0.0.1:9/x")

    def left_out(data: Any, kind: str) -> dict[str, str]:
        return {one["collection"]: one["what"] for one in data[kind] if "others are not told" in one["what"]}

    assert left_out(without.data, "warnings") == left_out(without.data, "hints") == {}
    assert left_out(told.data, "warnings").keys() == {"Crime | Passion", "1917"}
    assert left_out(told.data, "hints").keys() == {"Christmas"}
    assert "`schedule`" in left_out(told.data, "hints")["Christmas"]


def test_a_kometa_that_is_too_old(home: World, call: Call) -> None:
    """Its version is read from its log, and nothing is told of it where no collection takes part."""
    (home.kometa / "logs").mkdir()
    (home.kometa / "logs" / "meta.log").write_text("[..] [INFO] |     Version: 2.3.1 (Docker: latest)   |\n")

    (warning,) = call("--check-config", "--output", "json").data["warnings"]

    assert warning["source"] == "logs/meta.log"
    assert warning["what"].startswith("Kometa 2.3.1 leaves a collection as it was")
    (home.kometa / "movies.yml").write_text(HEIST.replace("enabled: true", "enabled: false"))
    assert call("--check-config", "--output", "json").data["warnings"] == []
