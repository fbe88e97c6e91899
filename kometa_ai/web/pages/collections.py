"""The collections: the list of all, and the movies or shows of one."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from kometa_ai.web.pages.collection_head import TheKey, head_of
from kometa_ai.web.pages.rendering import page

router = APIRouter(prefix="/collections", include_in_schema=False)


@router.get("/{key}")
async def read(request: Request, key: TheKey) -> Response:
    """The movies or shows of a collection."""
    return await page(request, "collection.jinja", head=await head_of(request, key, "movies"))
