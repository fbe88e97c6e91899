"""Show a collection's prompt, as it is and as it was; try another one, and show what such a trial has found."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, NamedTuple

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from kometa_ai.core.text import one_line, readable
from kometa_ai.errors import FixUsage, KometaAIError
from kometa_ai.jobs.trial import LONGEST_PROMPT, QUOTAS, Wanted
from kometa_ai.web.answers import status_of
from kometa_ai.web.pages import trial_words
from kometa_ai.web.pages.collection_head import TheKey, head_of, path_of, unknown
from kometa_ai.web.pages.forms import form_of
from kometa_ai.web.pages.rendering import page, see
from kometa_ai.web.pages.wording import Piece, differences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.daemon.life import Daemon
    from kometa_ai.daemon.prompts import PastPrompt
    from kometa_ai.jobs.trial import Trial
    from kometa_ai.web.pages.forms import Form

SHOWN_TRIALS = 8
_HIGHEST_LIMIT = 1_000_000

router = APIRouter(include_in_schema=False)


class Edit(NamedTuple):
    """A prompt of the history, and how its words differ from those before; none for the first that is known."""

    past: PastPrompt
    pieces: tuple[Piece, ...] = ()


class Typed(NamedTuple):
    """The form as it was filled in, and why it was refused. `limit` is empty before there is a forecast."""

    text: str
    limit: str = ""
    error: KometaAIError | None = None


@router.get("/collections/{key}/prompt")
async def read(request: Request, key: TheKey, trial: Annotated[str, Query(max_length=60)] = "") -> Response:
    """The prompt, its history, and the form; with the text of a `trial`, if one is named."""
    daemon: Daemon = request.app.state.daemon
    tried = await daemon.trials.read(trial) if trial else None
    return await _page(request, key, Typed(tried.prompt) if tried else None)


@router.post("/collections/{key}/prompt")
async def try_prompt(request: Request, key: TheKey) -> Response:
    """Forecast a trial, which is free, or do it; then see it."""
    form = await form_of(request)
    daemon: Daemon = request.app.state.daemon
    text = form.text("prompt").replace("\r\n", "\n")
    try:
        wanted = Wanted(collection=key, text=text, max_cost=_limit(form), batch_size=daemon.page_size)
        trial_id = await daemon.trials.start(wanted)
    except KometaAIError as error:
        return await _page(request, key, Typed(text, form.text("max_cost_usd"), error))
    if trial_id is None:
        raise unknown(key)
    return see(request, f"/trials/{trial_id}")


@router.get("/trials/{trial_id}")
async def read_trial(request: Request, trial_id: Annotated[str, Path(max_length=60)]) -> Response:
    """A trial: under way, its forecast, or its result, which is kept for 30 days."""
    daemon: Daemon = request.app.state.daemon
    trial = await daemon.trials.read(trial_id)
    if trial is None:
        raise HTTPException(404, f"There is no trial {one_line(trial_id, 60)!r}; each is kept for 30 days.")
    return await page(request, "trial.jinja", trial=trial, path=path_of(trial.key), words=trial_words)


def _limit(form: Form) -> float | None:
    """USD that a trial may cost: 0 for a forecast; without a limit it is twice the forecast. Raise FixUsage."""
    if form.text("do") != "try":
        return 0.0
    if not form.text("max_cost_usd"):
        return None
    limit = form.number("max_cost_usd")
    if limit is None or not 0 < limit <= _HIGHEST_LIMIT:
        raise FixUsage("The limit is no amount.", "Write how many USD the trial may cost, such as 0.10.")
    return limit


async def _page(request: Request, key: str, typed: Typed | None) -> Response:
    daemon: Daemon = request.app.state.daemon
    head = await head_of(request, key, "prompt")
    edits, trials = await asyncio.gather(_edits(daemon, head.collection.key), _trials(daemon, head.collection.key))
    newest = edits[0].past.version if edits else None
    unread = bool(head.collection.prompt) and (newest is None or newest.prompt_hash != head.collection.prompt_hash)
    error = typed.error if typed else None
    return await page(
        request,
        "prompt.jinja",
        status=status_of(error) if error else 200,
        head=head,
        edits=edits,
        unread=await _since(edits, head.collection.prompt) if unread else None,
        trials=trials,
        typed=typed or Typed(head.collection.prompt.strip()),
        quotas=QUOTAS,
        longest=LONGEST_PROMPT,
        words=trial_words,
    )


async def _edits(daemon: Daemon, key: CollectionKey) -> list[Edit]:
    """The prompts that runs have read, the newest first."""
    return await run_in_threadpool(_compared, await daemon.prompts_of(key))


def _compared(prompts: Sequence[PastPrompt]) -> list[Edit]:
    texts = [readable(prompt.version.text.strip()) for prompt in prompts]
    pieces = [differences(before, after) for after, before in pairwise(texts)]
    return [Edit(prompt, piece) for prompt, piece in zip(prompts, [*pieces, ()], strict=False)]


async def _since(edits: Sequence[Edit], prompt: str) -> tuple[Piece, ...]:
    """How the present prompt differs from the last one that a run has read."""
    before = edits[0].past.version.text if edits else ""
    return await run_in_threadpool(differences, readable(before.strip()), readable(prompt.strip()))


async def _trials(daemon: Daemon, key: CollectionKey) -> list[Trial]:
    try:
        return (await daemon.trials.of_collection(key))[:SHOWN_TRIALS]
    except KometaAIError:  # the folder does not answer: what was tried is not what this page is for
        return []
