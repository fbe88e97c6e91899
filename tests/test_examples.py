import html
import json
import re
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from ruamel.yaml import YAML

from kometa_ai.cli.main import run
from kometa_ai.core.item import KINDS, Kind
from kometa_ai.demo import Stage
from kometa_ai.kometa.checking.examination import examine_folder, read_folder
from kometa_ai.settings.variables import variables
from kometa_ai.standins.claude_answers import Judgement
from kometa_ai.standins.films import films
from kometa_ai.standins.shows import shows
from kometa_ai.web.pages.samples import SAMPLES
from tests.example_trial import Tried, agreement, labels, titles, tried
from tests.test_docs import CONTAINER
from tests.written_docs import ROOT

EXAMPLES = ROOT / "docs" / "examples"
EVERYTHING = sorted(EXAMPLES.glob("*.yml"))
SHOWS = [file for file in EVERYTHING if "shows" in file.stem]
FILES = [file for file in EVERYTHING if file not in SHOWS]
"""Those about movies."""
STARTERS = [file for file in EVERYTHING if file.stem.startswith("starter-")]
SERVICES = """
radarr: {url: "%s", token: abc, root_folder_path: /movies, quality_profile: Any}
sonarr: {url: "%s", token: abc, root_folder_path: /tv, quality_profile: Any}
"""
PINNED = {
    ("Christmas", "Die Hard (1988)"),
    ("Christmas", "Home Alone (1990)"),
    ("Christmas", "The Apartment (1960)"),
    ("Samurai", "Ghost Dog: The Way of the Samurai (1999)"),
}
"""What the examples pin among the labels, either way."""


def _alone(files: list[Path], folder: Path) -> Path:
    """A Kometa folder with these files."""
    folder.mkdir()
    for file in files:
        shutil.copy(file, folder)
    return folder


def _set(folder: Path, config: Path) -> dict[str, str]:
    return {
        "RADARR_URL": "http://radarr:7878",
        "RADARR_API_KEY": "a-key",
        "CLAUDE_API_KEY": "a-key",
        "CONFIG_DIR": str(config),
        "STATE_DIR": str(folder / "state"),
        "LOG_DIR": str(folder / "logs"),
    }


@pytest.mark.parametrize(
    "files", [*([file] for file in FILES), FILES], ids=[*(file.stem for file in FILES), "together"]
)
def test_examples_are_in_order(files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each file, and all of them in one folder, is read without a problem or a warning; the services are not there."""
    config = _alone(files, tmp_path / "kometa")

    code = run(["--check-config", "--output", "json"], _set(tmp_path, config))

    found = json.loads(capsys.readouterr().out)
    assert (code, found["problems"], found["warnings"]) == (1, [], [])
    assert {looked["status"] for looked in found["services"]} == {"silent"}
    assert len(found["collections"]) > 4 * len(files)


def test_examples_of_shows_are_in_order(tmp_path: Path) -> None:
    """They are read beside those of movies without a problem or a warning, and each is about shows.

    The one hint is that there is no config.yml.
    """
    folder = examine_folder(_alone(EVERYTHING, tmp_path / "kometa"), services=frozenset(KINDS))
    alone = examine_folder(_alone(SHOWS, tmp_path / "shows"), services=frozenset(KINDS))

    assert (folder.problems, folder.warnings) == ((), ())
    assert [hint.source for hint in folder.hints] == ["CONFIG_DIR"]
    assert [each.kind for each in alone.collections] == ["show"] * len(alone.collections)
    assert len(alone.collections) >= 8
    assert len(folder.collections) > 4 * len(EVERYTHING)


@pytest.mark.no_cover
def test_examples_can_be_carried_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run of all examples over the bundled library brings a verdict on every movie, and members for the classics.

    The judge is keyword matching: this says nothing of how well the prompts do with Claude.
    """
    stage = Stage(tmp_path, {})
    config = _alone(FILES, tmp_path / "examples")

    with stage.open() as environ:
        code = run(["--dry-run", "--output", "json"], {**environ, "CONFIG_DIR": str(config)}, is_watched=False)

    report = json.loads(capsys.readouterr().out)
    added = {collection["name"]: len(collection["added"]) for collection in report["collections"]}
    assert (code, report["problems"], report["warnings"]) == (0, [], [])
    assert [each["name"] for each in report["collections"] if each["pending"]] == []
    assert stage.radarr.editor_calls == []
    assert all(added[name] > 0 for name in ("Film Noir", "Heist Films", "Courtroom Drama", "Christmas", "Samurai"))


@pytest.fixture(scope="module")
def by_keywords(tmp_path_factory: pytest.TempPathFactory) -> Tried:
    """All examples, carried out with the demo's judge."""
    return tried(tmp_path_factory.mktemp("keywords"), {})


def test_every_collection_has_labels_of_titles_that_there_are() -> None:
    """The 21 collections of movies and the 10 of shows have members and others labelled, and none is labelled twice."""
    known = {(kind, title) for (kind, _), title in titles().items()}
    kinds = Counter(kind for kind, _ in labels())

    assert kinds == {"movie": 21, "show": 10}
    for (kind, name), label in labels().items():
        assert {(kind, title) for title in label.members | label.others} <= known, name
        assert not label.members & label.others, name
        assert len(label.others) >= 3, name
    assert [name for (_, name), label in labels().items() if not label.members] == ["Found Footage", "Christmas"]


@pytest.mark.no_cover
def test_a_judge_who_reads_them_as_meant_fills_them_as_meant(tmp_path: Path) -> None:
    """Where verdicts are the labels, Kometa finds under each tag line these very titles.

    Pins win, since here the judge says the opposite of each; a tag of Radarr's lets in and keeps out; a collection
    that builds on others has theirs, too.
    """
    wanted = labels()

    def as_labelled(collection: str, item: Mapping[str, Any]) -> Judgement:
        kind: Kind = "show" if "show_id" in item else "movie"
        found = re.search("<name>(.*?)</name>", collection)
        assert found
        name, title = html.unescape(found[1]), f"{item['title']} ({item['year']})"
        belongs = (title in wanted[kind, name].members) is not ((name, title) in PINNED)
        return Judgement(belongs, 0.95 if belongs else 0.0, "as labelled")

    outcome = tried(tmp_path, {}, as_labelled)

    found = dict(outcome.members)
    builds_on = found["movie", "Samurai"] | found["movie", "Swashbucklers"]
    by_tag = {("movie", "Comfort Films"): {"The Princess Bride (1987)"}, ("movie", "Blades"): builds_on}
    assert outcome.code == 0
    assert found.pop(("movie", "Big Screen")) == frozenset()
    assert found == {key: label.members | by_tag.get(key, set()) for key, label in wanted.items()}


@pytest.mark.no_cover
def test_keywords_alone_find_what_words_can_say(by_keywords: Tried) -> None:
    """With the demo's judge, collections that are named by their words have most of those labelled, and no other.

    It proves no prompt: what has to be understood (slow cinema, one room, a true story) keywords do not find.
    """
    sayable = ("Film Noir", "Heist Films", "Mind-Bending", "Feel-Good", "Christmas", "Samurai")
    wanted = {key: label for key, label in labels().items() if key[0] == "movie"}

    for name in sayable:
        label, members = wanted["movie", name], by_keywords.members["movie", name]
        assert len(label.members & members) * 2 >= len(label.members), name
    assert {key: label.others & by_keywords.members[key] for key, label in wanted.items()} == dict.fromkeys(
        wanted, frozenset()
    )


@pytest.mark.no_cover
def test_the_page_says_how_they_were_tried(by_keywords: Tried) -> None:
    """The numbers in docs/examples.md: titles, labels either way, and those that the keyword judge agrees with."""
    page = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8").rpartition("## How they were tried")[2]
    members, others = (sum(len(label[side]) for label in labels().values()) for side in (0, 1))

    assert [int(number) for number in re.findall(r"[0-9]+", page)] == [
        *(len(films()), len(shows()), members, others),
        *(agreement(by_keywords), members + others),
    ]


@pytest.mark.parametrize("samples", [False, True], ids=["alone", "beside the page's samples"])
def test_the_starter_pack_is_copied_whole(*, samples: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both files, named in config.yml as their own first lines say, are in order to the last hint.

    So they are beside the samples that the page offers.
    """
    stage = Stage(tmp_path, {})
    config = _alone(STARTERS, tmp_path / "copied")
    entries = [YAML(typ="safe").load(_instructions(file))["libraries"] for file in STARTERS]
    assert [next(iter(entry.values()))["collection_files"] for entry in entries] == [
        [{"file": f"config/{file.name}"}] for file in STARTERS
    ]
    if samples:
        for (kind, text), entry in zip(SAMPLES.items(), entries, strict=True):
            (config / f"sample-{kind}.yml").write_text(text, encoding="utf-8")
            next(iter(entry.values()))["collection_files"].append({"file": f"config/sample-{kind}.yml"})
    libraries = {name: body for entry in entries for name, body in entry.items()}

    with stage.open() as environ:
        services = SERVICES % (environ["RADARR_URL"], environ["SONARR_URL"])
        (config / "config.yml").write_text(f"libraries: {json.dumps(libraries)}{services}", encoding="utf-8")
        code = run(["--check-config", "--output", "json"], {**environ, "CONFIG_DIR": str(config)})

    found = json.loads(capsys.readouterr().out)
    assert (code, found["problems"], found["warnings"], found["hints"]) == (0, [], [], [])
    assert len(found["collections"]) == 13 + 2 * samples


def test_the_starter_pack_pins_nothing_and_needs_no_tag() -> None:
    """A pin of a title that a library has not is a warning, in every run: what is copied unread has none."""
    sources = {file.name for file in STARTERS}
    copied = [each for each in read_folder(EXAMPLES, services=frozenset(KINDS)).collections if each.source in sources]

    assert len(copied) == 13
    for each in copied:
        assert not each.include_movies + each.exclude_movies + each.include_shows + each.exclude_shows, each.name
        assert not each.include_tags | each.exclude_tags, each.name


def _instructions(file: Path) -> str:
    """The lines for config.yml that stand in the comment at the top of a file."""
    top = file.read_text(encoding="utf-8").partition("\ncollections:")[0].splitlines()
    return "\n".join(line.removeprefix("#   ") for line in top if line.startswith("#   "))


def test_each_prompt_says_what_is_in_and_what_is_out() -> None:
    """An example worth copying has criteria, inclusions and exclusions; there are at least a dozen."""
    collections = read_folder(EXAMPLES, services=frozenset(KINDS)).collections
    parts = ("Must have:", "Count in:", "Leave out:")

    assert len(collections) >= 20
    assert [each.name for each in collections if not all(part in each.prompt for part in parts)] == []


def test_each_collection_can_be_copied_alone() -> None:
    """An example brings the three lines that Kometa needs, and no template that stands somewhere else."""
    for file in EVERYTHING:
        taglist = "sonarr_taglist" if file in SHOWS else "radarr_taglist"
        for name, body in YAML(typ="safe").load(file.read_text(encoding="utf-8"))["collections"].items():
            assert body[taglist].startswith("kai-"), name
            assert (body["sync_mode"], body["show_missing"]) == ("sync", False), name
            assert "template" not in body, name


def test_the_template_for_unraid_fits_the_program() -> None:
    """It sets settings that there are, asks for those that are required, and hides what is secret."""
    template = ET.parse(ROOT / "unraid" / "kometa-ai.xml").getroot()  # noqa: S314 - our own file
    configs = {config.attrib["Target"]: config for config in template.iter("Config")}
    settings = {name for name, config in configs.items() if config.attrib["Type"] == "Variable"} - CONTAINER
    known = variables()

    assert settings <= known.keys()
    for name in settings:
        config = configs[name].attrib
        assert (config["Required"] == "true") is (known[name].default == "required"), name
        assert (config["Mask"] == "true") is known[name].secret, name
        assert config["Default"] in ("", known[name].default.strip("`")), name
    assert {name for name, variable in known.items() if variable.default == "required"} <= settings
    folders = {known[name].default.strip("`") for name in ("CONFIG_DIR", "STATE_DIR", "LOG_DIR")}
    assert {name for name, config in configs.items() if config.attrib["Type"] == "Path"} == folders
    assert configs["/app/kometa-config"].attrib["Mode"] == "ro"
    assert configs[known["HTTP_PORT"].default.strip("`")].attrib["Type"] == "Port"


def test_the_compose_file_fits_the_program() -> None:
    """It sets settings that there are, gives those that are required, and mounts Kometa's folder for reading only."""
    service = YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]["kometa-ai"]
    known = variables()

    assert service["environment"].keys() - CONTAINER <= known.keys()
    assert {name for name, setting in known.items() if setting.default == "required"} <= service["environment"].keys()
    assert next(mount for mount in service["volumes"] if ":/app/kometa-config" in mount).endswith(":ro")
