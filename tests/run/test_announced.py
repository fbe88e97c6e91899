"""What models that size their context hear before the first question of a run."""

from __future__ import annotations

from typing import Any

from kometa_ai.core.fingerprint import fingerprint
from kometa_ai.judging.planning import Subject
from kometa_ai.providers.claude.client import Claude
from kometa_ai.providers.traits import Traits
from kometa_ai.run.questioning import announce
from tests.asking.support import KEY, collection, movies


class Listening(Claude):
    """A provider of which one model sizes its context; it notes what it hears."""

    def __init__(self) -> None:
        super().__init__(KEY)
        self.heard: dict[str, tuple[int, int]] = {}

    def traits(self, model: str) -> Traits:
        """Those that begin with `local` size theirs."""
        return Traits(title="L", model=model, sizes_context=model.startswith("local"), collections=1)

    def expect(self, model: str, *, prompt_tokens: int, answer_tokens: int) -> None:
        """See Provider."""
        self.heard[model] = (prompt_tokens, answer_tokens)


def heard(models: tuple[str, ...], **options: Any) -> dict[str, tuple[int, int]]:
    """What these models hear of a run about sixty movies."""
    provider = Listening()
    subjects = [Subject(each, fingerprint(each)) for each in movies(60)]
    announce(provider, models, subjects, [collection(name) for name in ("Heists", "Noir")], **options)
    return provider.heard


def test_only_models_that_size_their_context_hear_of_it() -> None:
    """Each of them; larger pages and more collections need more room."""
    assert heard(("hosted",), page_size=10) == {}
    told = heard(("local", "hosted", "local-too"), page_size=10)
    assert told.keys() == {"local", "local-too"}
    assert told["local"] == told["local-too"]
    prompt, answer = told["local"]
    assert (prompt > 1000, answer) == (True, 4800)
    assert heard(("local",), page_size=50)["local"][0] > prompt
    assert heard(("local",), page_size=10, per_request=2)["local"] > told["local"]
