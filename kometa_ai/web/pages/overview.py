"""The overview: what runs, what needs somebody, every collection, and the last runs."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from kometa_ai.web.pages.rendering import page

router = APIRouter(include_in_schema=False)


@router.get("/")
async def read(request: Request) -> Response:
    """The overview."""
    return await page(request, "overview.jinja")
