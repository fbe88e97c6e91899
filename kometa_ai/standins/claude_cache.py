"""Count tokens and keep prompts for the Claude stand-in: its tokenizer and its prompt cache.

The rules are those of Anthropic's API documentation, "Prompt caching": a prefix is written at a breakpoint and read by
requests whose prompt is the same up to there, byte for byte; a read looks back over at most 20 blocks from each
breakpoint; what is shorter than the model's minimum is not cached, silently; an entry can be read once the response
that writes it has begun, and lives for its TTL from the start of the request that last wrote or read it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from kometa_ai.standins.claude_wire import encode

TTL_SECONDS = {"5m": 300, "1h": 3600}
LOOK_BACK_BLOCKS = 20

# Invented, as the API does not publish them: tokens added to every prompt, to each message, and before a schema.
PROMPT_TOKENS = 8
MESSAGE_TOKENS = 4
FORMAT_TOKENS = 100

# The API renders these into the prompt before the text: changing one of them changes the prefix.
_RENDERED = ("model", "thinking", "tool_choice", "speed", "output_config")


def count_tokens(text: str) -> int:
    """The tokens in `text` by the stand-in's tokenizer: one for every 3.5 characters, rounded up."""
    return (2 * len(text) + 6) // 7


def cut_to_tokens(text: str, tokens: int) -> str:
    """The longest beginning of `text` that has at most `tokens` tokens."""
    return text[: tokens * 7 // 2]


class Block(msgspec.Struct, frozen=True):
    """A piece of the prompt. `ttl` is that of the breakpoint at its end, or empty."""

    role: str
    text: str
    tokens: int
    ttl: str


class Layout(msgspec.Struct, frozen=True):
    """A prompt for the cache: for each block the hash of everything up to its end, and the tokens up to there."""

    digests: tuple[int, ...]
    lengths: tuple[int, ...]
    breakpoints: tuple[tuple[int, str], ...]
    tokens: int


class Charge(msgspec.Struct, frozen=True):
    """How a prompt's tokens are billed, and the entries to write once the response begins."""

    uncached: int
    read: int
    written_5m: int
    written_1h: int
    writes: tuple[tuple[int, str], ...]
    at: float

    def usage(self) -> dict[str, Any]:
        """The input half of a message's `usage`; `input_tokens` is the uncached remainder only."""
        return {
            "input_tokens": self.uncached,
            "cache_creation_input_tokens": self.written_5m + self.written_1h,
            "cache_read_input_tokens": self.read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": self.written_5m,
                "ephemeral_1h_input_tokens": self.written_1h,
            },
        }


def prompt_blocks(body: dict[str, Any]) -> list[Block]:
    """The blocks of a request in the order of the prompt: tools, system, messages."""
    blocks = [_block("tool", tool) for tool in body.get("tools") or ()]
    blocks += _content_blocks("system", body.get("system") or [])
    for message in body.get("messages") or ():
        first, *rest = _content_blocks(message["role"], message["content"]) or [Block(message["role"], "", 0, "")]
        blocks.append(msgspec.structs.replace(first, tokens=first.tokens + MESSAGE_TOKENS))
        blocks += rest
    automatic = body.get("cache_control")
    if automatic and blocks and not blocks[-1].ttl:
        blocks[-1] = msgspec.structs.replace(blocks[-1], ttl=automatic.get("ttl") or "5m")
    return blocks


def _content_blocks(role: str, content: str | list[dict[str, Any]]) -> list[Block]:
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    return [_block(role, block) for block in content]


def _block(role: str, block: dict[str, Any]) -> Block:
    control = block.get("cache_control")
    ttl = (control.get("ttl") or "5m") if control else ""
    if block.get("type") == "text":
        text = block["text"]
    else:
        text = encode({key: value for key, value in block.items() if key != "cache_control"}).decode()
    return Block(role, text, count_tokens(text), ttl)


def lay_out(body: dict[str, Any]) -> Layout:
    """Lay out the prompt of a checked request for the cache."""
    config = body.get("output_config") or {}
    tokens = PROMPT_TOKENS
    if config.get("format"):
        tokens += FORMAT_TOKENS + count_tokens(encode(config["format"]).decode())
    # The built-in hash: strings cache theirs, so a long text that was seen before is not read again.
    digest = hash(encode([body.get(name) for name in _RENDERED]))
    digests: list[int] = []
    lengths: list[int] = []
    breakpoints: list[tuple[int, str]] = []
    for position, block in enumerate(prompt_blocks(body)):
        digest = hash((digest, block.role, block.text))
        tokens += block.tokens
        digests.append(digest)
        lengths.append(tokens)
        if block.ttl:
            breakpoints.append((position, block.ttl))
    return Layout(tuple(digests), tuple(lengths), tuple(breakpoints), tokens)


class _Entry(msgspec.Struct):
    ttl: str
    expires_at: float


class PromptCache:
    """The prefixes that can be read, by their hash. Times are seconds of the caller's clock."""

    def __init__(self) -> None:
        self._entries: dict[int, _Entry] = {}

    def charge(self, layout: Layout, *, minimum: int, now: float) -> Charge:
        """Read the cache at `now`, and compute the charge for the rest. Nothing is written before `begin`."""
        hit = self._longest_hit(layout, now)
        read = layout.lengths[hit] if hit >= 0 else 0
        billed = read
        written = dict.fromkeys(TTL_SECONDS, 0)
        writes: list[tuple[int, str]] = []
        for position, ttl in layout.breakpoints:
            if position <= hit:
                self._renew(layout.digests[position], now)
            elif layout.lengths[position] >= minimum:
                written[ttl] += layout.lengths[position] - billed
                billed = layout.lengths[position]
                writes.append((layout.digests[position], ttl))
        return Charge(layout.tokens - billed, read, written["5m"], written["1h"], tuple(writes), now)

    def begin(self, charge: Charge) -> None:
        """Make the entries of a charged request readable, as its response begins."""
        for digest, ttl in charge.writes:
            self._entries[digest] = _Entry(ttl, charge.at + TTL_SECONDS[ttl])

    def clear(self) -> None:
        """Remove every entry."""
        self._entries.clear()

    def _longest_hit(self, layout: Layout, now: float) -> int:
        for breakpoint_at, _ in reversed(layout.breakpoints):
            for position in range(breakpoint_at, max(-1, breakpoint_at - LOOK_BACK_BLOCKS), -1):
                entry = self._entries.get(layout.digests[position])
                if entry is not None and entry.expires_at > now:
                    self._renew(layout.digests[position], now)
                    return position
        return -1

    def _renew(self, digest: int, now: float) -> None:
        entry = self._entries.get(digest)
        if entry is not None and entry.expires_at > now:
            entry.expires_at = now + TTL_SECONDS[entry.ttl]
