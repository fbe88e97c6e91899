import ast
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from apprise import Apprise
from ruamel.yaml import YAML

from kometa_ai import errors
from kometa_ai.__version__ import __version__
from kometa_ai.app import session_of
from kometa_ai.cli.main import cli, run
from kometa_ai.core.item import KINDS
from kometa_ai.daemon.life import Daemon
from kometa_ai.demo import Stage
from kometa_ai.errors import KometaAIError
from kometa_ai.kometa.block_keys import BlockModel
from kometa_ai.kometa.checking.examination import read_folder
from kometa_ai.settings.environment import load_settings
from kometa_ai.settings.libraries import places_in
from kometa_ai.settings.values import apprise_urls
from kometa_ai.settings.variables import variables
from kometa_ai.web.app import make_app
from tests.written_docs import DOCS, PACKAGE, ROOT, Part, parts, rows
from tests.written_samples import PAGES, Sample, all_samples, command_lines, our_commands, quoted, samples

LANGUAGES = {"sh", "yaml", "ini", "nginx", "text"}
"""nginx: tests/browser puts it in front of a daemon."""
OPTIONS = {name for parameter in cli.params for name in parameter.opts if name.startswith("--")} | {"--help"}
SETTINGS = variables().keys() | {variable.alias for variable in variables().values() if variable.alias}
CONTAINER = {"PUID", "PGID", "UMASK"}
BOX = 84
"""Characters of a sample that the site shows at once, on a desk."""

FOREIGN_OPTIONS = {
    "--config", "--ignore-ghost", "--no-deps", "--require-hashes", "--run-collections", "--validate",
    "--validate-schema",
}  # fmt: skip
FOREIGN_VARIABLES = {
    "KAI_CHANGED_COLLECTIONS", "NAME_FILE", "X_FILE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "ANTHROPIC_CUSTOM_HEADERS",
    "OPENAI_ORG_ID",
}  # fmt: skip
# What is not run here, since it needs the tool itself, a Docker or a person's own files. The shell checks the form of
# such lines, and the calls of the program in them are run.
FOREIGN_PROGRAMS = {
    "docker",
    "curl",
    "git",
    "pip",
    "python3",
    "tar",
    "cp",
    "mkdir",
    "chmod",
    ".",
    "export",
    "make",
    "ollama",
}
# These do not end by themselves, or use the real services if the tester has a key; other tests run them.
NOT_RUN = {(), ("--wait",), ("--demo",), ("--demo", "--serve")}

_LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


@pytest.mark.parametrize("part", parts(), ids=lambda part: part.name)
def test_what_is_made_from_the_code_is_up_to_date(part: Part) -> None:
    """The tables of settings, options, costs and figures and the map of the modules say what the code says."""
    is_current = part.page.read_text(encoding="utf-8") == part.filled_in()

    assert is_current, "run: make docs"


def test_every_page_shows_what_it_looks_like() -> None:
    """A reader of any page but the lists of changes and of modules sees a picture of it, or what the program prints."""
    pages = [page for page in DOCS.glob("*.md") if page.name not in {"changes.md", "modules.md"}]
    texts = {page.name: page.read_text(encoding="utf-8") for page in pages}

    assert [name for name, text in texts.items() if "![" not in text and "```text" not in text] == []


def test_every_option_and_setting_that_is_named_is_one() -> None:
    """No page names an option or a variable that there is not."""
    ours = [(page, text) for page, text in quoted() if text.startswith(("--", "kometa-ai"))]
    options = [(page, name) for page, text in ours for name in re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)]
    names = [(page, found[1]) for page, text in quoted() if (found := re.match(r"([A-Z]+(?:_[A-Z]+)+)\b(?!…)", text))]
    further = {name for place in places_in(name for _, name in names) for name in place.settings}
    settings = SETTINGS | further
    known = settings | {f"{name}_FILE" for name in settings} | CONTAINER | FOREIGN_VARIABLES

    assert len(options) > 20
    assert len(names) > 50
    assert [pair for pair in options if pair[1] not in OPTIONS | FOREIGN_OPTIONS] == []
    assert [pair for pair in names if pair[1] not in known] == []


def test_every_exit_code_is_on_the_page_of_commands() -> None:
    """The table of exit codes has each that an error can lead to, and those that need no error."""
    raised = {
        found.exit_code
        for found in vars(errors).values()
        if isinstance(found, type) and issubclass(found, KometaAIError)
    }
    codes = [row["code"] for row in rows(DOCS / "commands.md", "## Exit codes")]

    assert {int(code) for row in codes for code in row.split(",")} == raised | {0, 1, 130, 143}


def test_every_key_of_a_block_is_on_its_page() -> None:
    """The table of keys is complete and has no other; the keys that matter have a section."""
    page = (DOCS / "block.md").read_text(encoding="utf-8")
    keys = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)

    assert keys == list(BlockModel.model_fields)
    assert all(f"`{key}`" in page.partition("\n## `enabled`\n")[2] for key in keys[1:])


def test_the_newest_entry_of_the_changelog_is_this_version() -> None:
    """What is released has an entry; what is not is collected under Unreleased."""
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert headings[0] in {"Unreleased", __version__}
    assert [heading for heading in headings if heading != "Unreleased"][:1] in ([], [__version__])


def test_every_sample_is_in_a_language_that_is_tested() -> None:
    """A sample says what it is; output and drawings are `text`."""
    others = [sample.where for sample in all_samples() if sample.language not in LANGUAGES]

    assert others == []
    assert {sample.language for sample in all_samples()} == LANGUAGES


def _is_block(sample: Sample) -> bool:
    return all(line.startswith("#") for line in sample.text.splitlines() if line)


@pytest.mark.parametrize("sample", samples("yaml"), ids=lambda sample: sample.where)
def test_every_sample_of_yaml_can_be_used(sample: Sample, tmp_path: Path) -> None:
    """Every YAML sample is valid; a user who copies a block gets enabled collections, no problem and no warning.

    A part of a block is put into one; it may name collections that are somewhere else.
    """
    text = sample.text
    if _is_block(sample):
        prompt = "" if "# prompt:" in text else "# prompt: any\n"
        text = f"# === KOMETA-AI ===\n# enabled: true\n{prompt}{text}# === END KOMETA-AI ===\n"
        arr = "sonarr" if "shows" in text else "radarr"
        text = f"collections:\n{text}  Any:\n    {arr}_taglist: kai-any\n    sync_mode: sync\n"
    assert YAML(typ="safe").load(text)
    if "KOMETA-AI" not in text:
        return
    (tmp_path / "collections.yml").write_text(text, encoding="utf-8")

    folder = read_folder(tmp_path, services=frozenset(KINDS))

    assert folder.collections
    assert folder.problems == ()
    assert _is_block(sample) or folder.warnings == ()


@pytest.mark.parametrize("sample", samples("yaml"), ids=lambda sample: sample.where)
def test_every_compose_file_sets_what_there_is(sample: Sample) -> None:
    """A variable in a sample of Compose is a setting."""
    services = YAML(typ="safe").load(sample.text) or {}
    environment = services.get("services", {}).get("kometa-ai", {}).get("environment", {})

    known = SETTINGS | {name for place in places_in(environment) for name in place.settings}
    assert environment.keys() <= known | {f"{name}_FILE" for name in known}


@pytest.mark.parametrize("sample", samples("ini"), ids=lambda sample: sample.where)
def test_every_env_file_can_be_read(sample: Sample) -> None:
    """Whoever copies lines of an env file gets settings that are right together."""
    environ = dict(line.split("=", 1) for line in sample.text.splitlines() if line)

    loaded = load_settings(environ, required=())

    assert environ.keys() <= SETTINGS
    assert loaded.warnings == ()


def test_every_address_for_apprise_is_one() -> None:
    """Whoever copies the form of an address gets a service that Apprise knows."""
    addresses = [row["address"].strip("`") for row in rows(DOCS / "notifications.md", "## Everything else")]

    assert len(addresses) > 5
    assert [address for address in addresses if not Apprise.instantiate(address)] == []
    assert len(apprise_urls(", ".join(addresses))) == len(addresses)


def test_every_shell_sample_is_one() -> None:
    """The shell can read each, and each line calls the program, a target of make, or a tool that everybody knows."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for sample in samples("sh"):
        subprocess.run(["bash", "-n"], input=sample.text, text=True, check=True, timeout=10)  # noqa: S607
    for sample, line in command_lines():
        words = shlex.split(line, comments=True)
        known = words[0] in FOREIGN_PROGRAMS | {"kometa-ai", "python"} or re.match(r"[A-Z_]+=|\.venv/bin/", words[0])
        assert known, f"{sample.where}: {line}"
        if words[0] == "make" and words[1:]:
            assert f"\n{words[1]}:" in makefile, sample.where
        if words[0] == "export":
            assert words[1].partition("=")[0] in SETTINGS, sample.where


def a_request(state: Path) -> str:
    """The name of a request that decisions come from."""
    found = re.search(r'"request":"([0-9a-f-]+)"', (state / "kometa_state.json").read_text(encoding="utf-8"))
    return found[1] if found else "REQUEST"


@pytest.mark.no_cover
def test_every_command_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each call of the program on any page is run against the stand-ins, in order of appearance, and succeeds."""
    stage = Stage(tmp_path, {})
    commands = [command for command in our_commands() if command not in NOT_RUN]
    failed = {}
    prompt = tmp_path / "noir.txt"
    prompt.write_text("Crime in the city, at night.", encoding="utf-8")

    with stage.open() as environ:
        assert run(["--run-now"], environ, is_watched=False) == 0
        (first,) = (tmp_path / "state" / "runs").iterdir()
        for command in commands:
            if "REQUEST" in command and a_request(tmp_path / "state") == "REQUEST":
                assert run(["--run-now"], environ, is_watched=False) == 0  # a page before has started over
            named = {
                "RUN_ID": first.name.partition(".")[0],
                "REQUEST": a_request(tmp_path / "state"),
                prompt.name: str(prompt),
            }
            arguments = [named.get(word, word) for word in command]
            code = run(arguments, environ, is_watched=False)
            if code:
                failed[command] = (code, capsys.readouterr().err[-500:])

    assert len(commands) > 15
    assert failed == {}


def test_every_path_of_the_api_that_is_named_is_one(tmp_path: Path) -> None:
    """No page names a path that does not exist or with another method, and the API's page names every one there is."""
    daemon = Daemon(session_of(load_settings({"STATE_DIR": str(tmp_path)}, required=()).settings), {})
    paths = make_app(daemon, api_key="any").openapi()["paths"]
    offered = paths.keys() | {"/api/v1/openapi.json"}
    calls = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    shapes = {re.compile(re.sub(r"\\{[a-z_]+\\}", "[^/]+", re.escape(path))): path for path in sorted(offered)}
    texts = {page.name: page.read_text(encoding="utf-8") for page in PAGES}
    named = [
        (name, path if path in offered else next((shapes[each] for each in shapes if each.fullmatch(path)), path))
        for name, text in texts.items()
        for path in re.findall(r"(?:\$URL|:7880|\b(?:GET|POST|PUT|DELETE) )(/[a-z0-9/_.{}-]+)", text)
    ]
    listed = set(re.findall(r"^\| `([A-Z]+ /[a-z0-9/_.{}-]+)` \|", texts["api.md"], re.MULTILINE))

    assert [pair for pair in named if pair[1] not in offered] == []
    assert listed - calls == set()
    assert {call for call in calls - listed if "/webhooks/" not in call} == set()
    assert offered - {path for _, path in named} <= {"/api/v1/openapi.json"}


def test_the_formula_for_costs_says_what_was_measured() -> None:
    """What the page on costs lets people compute is within a tenth of the benchmark's first runs."""
    page = (DOCS / "cost.md").read_text(encoding="utf-8")
    formula = re.search(r"^> USD ≈ (.+)$", page, re.MULTILINE)
    assert formula
    text = formula[1].translate({ord("\N{MULTIPLICATION SIGN}"): "*", ord("\N{MINUS SIGN}"): "-", ord(","): None})

    def computed(movies: str, collections: str) -> float:
        numbers = {"N": int(movies.replace(",", "")), "C": int(collections)}
        return float(eval(text, {"__builtins__": {}}, numbers))  # noqa: S307 - our own page

    for row in rows(DOCS / "cost.md", "## From the benchmark"):
        assert computed(row["movies"], row["collections"]) == pytest.approx(float(row["first run"]), rel=0.1), row


def _as_of_radarr(part: ast.expr) -> str:
    """A part of an f-string. Texts about a service are written with its name and its kind of items left open."""
    if isinstance(part, ast.Constant):
        return str(part.value)
    named = ast.unparse(part)
    return "movie" if "kind" in named and "SERVICES" not in named else "Radarr"


def test_every_message_that_is_explained_is_one_of_ours() -> None:
    """Each heading and table that names a message of the program quotes what the code says."""
    nodes = [node for path in PACKAGE.rglob("*.py") for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    said = " ".join(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))
    said += " ".join("".join(map(_as_of_radarr, node.values)) for node in nodes if isinstance(node, ast.JoinedStr))
    said += " ".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.jinja"))
    troubles = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    headings = re.findall(r"^##+ `(.+)`$", troubles, re.MULTILINE)
    explained = [row["what it says"].strip("`") for row in rows(DOCS / "block.md", "## What the check says")]
    texts = [text for shown in headings + explained for text in shown.split("` … `")]

    assert len(headings) > 15
    assert [text for text in texts if text.replace("Sonarr", "Radarr") not in said.replace("Sonarr", "Radarr")] == []


def test_every_module_that_the_architecture_page_names_is_there() -> None:
    """Whoever follows a path of docs/architecture.md or of its picture finds a file or a folder."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    paths = re.findall(r"`([a-z_]+/(?:[a-z_]+\.py)?)`", page)
    picture = (ROOT / "docs" / "images" / "architecture.svg").read_text(encoding="utf-8")
    paths += re.findall(r">([a-z_]+/(?:[a-z_]+\.py)?)<", picture)

    assert len(paths) > 20
    assert [path for path in paths if not (PACKAGE / path).exists() and not (ROOT / path).exists()] == []


def test_every_comment_of_a_command_can_be_read() -> None:
    """On the site a line of commands fits its box, comment included: what is longer has to be moved sideways."""
    lines = [
        (sample.where, line)
        for sample in samples("sh")
        if sample.page.startswith("docs/") and sample.page != "docs/benchmarks.md"
        for line in sample.text.splitlines()
    ]

    assert len(lines) > 50
    assert [(where, line) for where, line in lines if " # " in line and len(line) > BOX] == []


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_every_page_can_be_read_on_github(page: Path) -> None:
    """No page has what the site alone can show: tabs, notes, attributes. A file that it shows whole has a link."""
    text = page.read_text(encoding="utf-8")
    shown = [Path(name).name for name in re.findall(r'^--8<-- "(docs/[^"]+)"$', text, re.MULTILINE)]

    assert re.findall(r"^(?:===|!!!|\?\?\?) .*|\){ .*", text, re.MULTILINE) == []
    assert [name for name in shown if not re.search(rf"\]\([^)]*{name}\)", text)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_inside_the_repository_leads_somewhere(page: Path) -> None:
    """No page links to a file that there is not."""
    dead = [
        link for link in _LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link.strip()).exists()
    ]

    assert dead == []


def test_every_decision_record_is_listed_and_whole() -> None:
    """Each is numbered, listed under its title, and says what was rejected; the file that carries it names it."""
    records = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    index = (DOCS / "decisions" / "index.md").read_text(encoding="utf-8")

    for number, record in enumerate(records, start=1):
        text = record.read_text(encoding="utf-8")
        title = text.partition("\n")[0].removeprefix(f"# {number}. ")
        assert record.name.startswith(f"{number:04}-")
        row = next(
            line for line in index.splitlines() if line.startswith(f"| [{number:04}]({record.name}) | {title} |")
        )
        carrier = row.split("`")[-2]
        if carrier.endswith(".py"):
            assert f"Why: docs/decisions/{record.name}" in (PACKAGE / carrier).read_text(encoding="utf-8")
        else:
            assert (ROOT / carrier).exists()
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert headings == ["Why there was something to decide", "Decision", "Instead of", "What it costs us"]


def test_the_sample_of_pins_is_of_the_command_above_it() -> None:
    """docs/choices.md pins a movie out of a collection, and what `--pins` says then names both."""
    page = (DOCS / "choices.md").read_text(encoding="utf-8")
    command = re.search(r'--pin-out "(?P<title>.*?)" --collection "(?P<name>.*?)"', page)
    sample = page.partition("<!-- pins:")[2]

    assert command is not None
    assert re.search(
        rf"^{re.escape(command['title'])} .* is pinned out of {re.escape(command['name'])}, ", sample, re.MULTILINE
    )
