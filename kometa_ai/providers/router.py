"""Make one provider of several (`Router`): each request goes to the adapter that its model's name begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.model import ModelName
from kometa_ai.errors import CheckModel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kometa_ai.core.model import ProviderName
    from kometa_ai.core.problem import Problem
    from kometa_ai.providers.port import Adapter, Reply, Request
    from kometa_ai.providers.traits import Traits


class Router:
    """The providers in use, behind one port. It reads names as decisions have them; adapters get a model's own name."""

    def __init__(self, adapters: Mapping[ProviderName, Adapter]) -> None:
        self.adapters = adapters

    def _at(self, model: str) -> tuple[Adapter, str]:
        provider, name = ModelName.of(model)
        adapter = self.adapters.get(provider)
        if adapter is None:
            raise CheckModel(f"The model {model!r} belongs to a provider that is not set up.", "Check LLM_PROVIDER.")
        return adapter, name

    def traits(self, model: str) -> Traits:
        """See Provider."""
        adapter, name = self._at(model)
        return adapter.traits(name)

    def expect(self, model: str, *, prompt_tokens: int, answer_tokens: int) -> None:
        """See Provider."""
        adapter, name = self._at(model)
        adapter.expect(name, prompt_tokens=prompt_tokens, answer_tokens=answer_tokens)

    async def ask(
        self,
        request: Request,
        on_first_token: Callable[[], None] | None = None,
        on_broken: Callable[[Reply], None] | None = None,
    ) -> Reply:
        """See Provider."""
        adapter, name = self._at(request.model)
        return await adapter.ask(msgspec.structs.replace(request, model=name), on_first_token, on_broken)

    async def check(self, model: str) -> Problem | None:
        """See Provider."""
        adapter, name = self._at(model)
        return await adapter.check(name)

    async def count(self, request: Request) -> int | None:
        """See Provider."""
        adapter, name = self._at(request.model)
        return await adapter.count(msgspec.structs.replace(request, model=name))
