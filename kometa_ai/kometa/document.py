"""Load one YAML file as Kometa does, and keep the positions that loading loses.

Kometa loads files with ruamel.yaml's pure Python round-trip loader, and so does this program: both refuse the same
files. Loaded data has no positions of comments (ruamel attaches a comment to the scalar before it), so keys and scalars
are located by the tokens of the scanner.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.scanner import RoundTripScanner, Scanner
from ruamel.yaml.tokens import (
    AliasToken,
    AnchorToken,
    BlockEndToken,
    BlockMappingStartToken,
    BlockSequenceStartToken,
    FlowMappingEndToken,
    FlowMappingStartToken,
    FlowSequenceEndToken,
    FlowSequenceStartToken,
    KeyToken,
    ScalarToken,
    TagToken,
)

from kometa_ai.kometa.lines import line_starts, split_lines
from kometa_ai.kometa.refusals import BrokenYaml, in_plain_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ruamel.yaml.nodes import Node
    from ruamel.yaml.tokens import Token

_OPENING = (BlockMappingStartToken, BlockSequenceStartToken, FlowMappingStartToken, FlowSequenceStartToken)
_CLOSING = (BlockEndToken, FlowMappingEndToken, FlowSequenceEndToken)
_DEPTH_OF_COLLECTIONS = 2  # in the mapping below a key of the top-level mapping

MOST_TOKENS = 200_000
"""Limit of keys, values, items and brackets in one file. YAML in pure Python reads some 40,000 of them in a second."""

_MOST_NESTED = 100
_MOST_IN_A_KEY = 1_000
_MOST_MERGED = 300_000
_LONGEST_NUMBER = 1_000
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")

_HALF = re.compile("[\ud800-\udfff]")

# ruamel's loader lets some of Python's own errors through: for an impossible date, or a key that cannot be hashed.
_REFUSALS = (YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError)


class Key(msgspec.Struct, frozen=True):
    """A key right under `collections:`.

    `name` is what Kometa asks Plex for (`str` of the key: `007` becomes "7"), `value` the key as loaded. Its entry goes
    from offset `start` to `end`, where the next key begins; `line` counts from 1.
    """

    name: str
    value: object
    start: int
    end: int
    line: int

    @property
    def is_text(self) -> bool:
        """Whether YAML reads the name as text, which Kometa's `--run-collections` requires."""
        return isinstance(self.value, str)


class Document(msgspec.Struct, frozen=True):
    """One file: its lines and their start offsets, the lines (from 0) that are comments, its keys and its data.

    `size` is its number of YAML tokens.
    """

    lines: tuple[str, ...]
    starts: tuple[int, ...]
    comments: frozenset[int]
    keys: tuple[Key, ...]
    data: object
    size: int = 0


class _TooMuch(Exception):
    """The text exceeds a limit: which one, what to do about it, and the offset where that happens."""

    def __init__(self, reason: str, remedy: str, index: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.index = index


class _Limited:
    """Adds limits to a ruamel scanner, and collects the tokens that it returns."""

    def __init__(self, taken: list[Token], loader: object) -> None:
        super().__init__(loader=loader)  # type: ignore[call-arg]
        self._taken = taken

    def fetch_more_tokens(self) -> object:
        if len(self.indents) + self.flow_level > _MOST_NESTED:  # type: ignore[attr-defined]
            raise _TooMuch("it is nested too deeply", "Flatten it.", self.reader.index)  # type: ignore[attr-defined]
        return super().fetch_more_tokens()  # type: ignore[misc]

    def get_token(self) -> Token | None:
        token: Token | None = super().get_token()  # type: ignore[misc]
        if token is not None:
            self._taken.append(token)
            if len(self._taken) > MOST_TOKENS:
                reason = f"it is too long: it holds more than {MOST_TOKENS:,} keys, values and brackets"
                raise _TooMuch(reason, "Split it into several files.", token.start_mark.index)
        return token


class _RoundTripScanner(_Limited, RoundTripScanner):
    pass


class _PlainScanner(_Limited, Scanner):
    pass


class _Constructor(RoundTripConstructor):
    """Constructs data from nodes, unless a few aliases would expand beyond any memory."""

    _merged = 0

    def construct_document(self, node: Node) -> object:
        for each in _nodes(node):
            if isinstance(each, ScalarNode):
                if len(each.value) > _LONGEST_NUMBER and each.tag in _NUMBERS:
                    raise _TooMuch("a number is too long", "Put it in quotes.", each.start_mark.index)
            elif isinstance(each, MappingNode):
                for key, _ in each.value:
                    if isinstance(key, (MappingNode, SequenceNode)) and _is_large(key):
                        raise _TooMuch("a key holds too much", "Give it a short name.", key.start_mark.index)
        return super().construct_document(node)

    def flatten_mapping(self, node: MappingNode) -> object:
        merges = super().flatten_mapping(node)
        for merged in merges:
            # ruamel lists where each mapping was merged, and scans that list at each merge; only edited data needs it.
            merged._ref.clear()  # noqa: SLF001 - as above
            self._merged += len(merged)
        if self._merged > _MOST_MERGED:
            raise _TooMuch("its merges (`<<`) repeat too much", "Write less of them.", node.start_mark.index)
        return merges


def _nodes(root: Node) -> Iterator[Node]:
    """A node and every node below it, once: aliases share nodes, and can make a node contain itself."""
    seen: set[int] = set()
    left = [root]
    while left:
        node = left.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            left += _inside(node)


def _is_large(root: Node) -> bool:
    """Whether a node, with its aliases expanded, is too large to be a key."""
    left, count = [root], 0
    while left and count <= _MOST_IN_A_KEY:
        left += _inside(left.pop())
        count += 1
    return count > _MOST_IN_A_KEY


def _inside(node: Node) -> Iterator[Node]:
    if isinstance(node, MappingNode):
        yield from (inner for pair in node.value for inner in pair)
    elif isinstance(node, SequenceNode):
        yield from node.value


@contextmanager
def _explained(text: str) -> Iterator[None]:
    try:
        yield
    except RecursionError as error:
        raise BrokenYaml("it is nested too deeply", "Flatten it.") from error
    except _TooMuch as error:
        starts = line_starts(text)
        line = bisect_right(starts, error.index)
        raise BrokenYaml(error.reason, error.remedy, line, error.index - starts[line - 1] + 1) from error
    except _REFUSALS as error:
        raise in_plain_words(error, text) from error


def load(text: str) -> object:
    """The data as Kometa loads it; raise BrokenYaml if Kometa refuses the file, or the file is too large."""
    return _load(text)[0]


def _load(text: str) -> tuple[object, list[Token]]:
    """The data, and its tokens."""
    taken: list[Token] = []
    yaml = YAML()
    yaml.Scanner = partial(_RoundTripScanner, taken)
    yaml.Constructor = _Constructor
    yaml.composer.warn_double_anchors = False
    with _explained(text):
        data: object = yaml.load(text)
    return data, taken


def compose(text: str) -> Node | None:
    """The node tree of one document, with duplicate keys allowed; raise BrokenYaml if YAML refuses the text."""
    yaml = YAML(typ="safe", pure=True)  # the round-trip scanner marks the folds of `>` with BEL characters
    yaml.Scanner = partial(_PlainScanner, [])
    yaml.composer.warn_double_anchors = False
    with _explained(text):
        node: Node | None = yaml.compose(text)
    return node


def read_document(text: str) -> Document:
    """Load a file's text (without byte order mark) and locate its keys and comments; raise BrokenYaml if refused."""
    data, tokens = _load(text)
    starts = line_starts(text)
    lines = split_lines(text)
    with _explained(text):
        return Document(
            lines=lines,
            starts=starts,
            comments=_comment_lines(lines, starts, _long_scalars(tokens)),
            keys=tuple(_keys(tokens, starts)) if _has_collections(data) else (),
            data=data,
            size=len(tokens),
        )


def _has_collections(data: object) -> bool:
    return isinstance(data, dict) and isinstance(data.get("collections"), dict)


def _long_scalars(tokens: Sequence[Token]) -> tuple[tuple[int, int], ...]:
    """The offsets of scalars that span several lines, and so may hold text that looks like a comment."""
    scalars = (token for token in tokens if isinstance(token, ScalarToken))
    marks = ((token.start_mark, token.end_mark) for token in scalars)
    return tuple((start.index, end.index) for start, end in marks if start.line != end.line)


def _comment_lines(lines: Sequence[str], starts: Sequence[int], scalars: Sequence[tuple[int, int]]) -> frozenset[int]:
    begins = [start for start, _ in scalars]

    def is_text(offset: int) -> bool:
        before = bisect_right(begins, offset) - 1
        return before >= 0 and offset < scalars[before][1]

    found = set()
    for number, (line, start) in enumerate(zip(lines, starts, strict=True)):
        text = line.lstrip(" \t")
        if text.startswith("#") and not is_text(start + len(line) - len(text)):
            found.add(number)
    return frozenset(found)


def _keys(tokens: Sequence[Token], starts: Sequence[int]) -> Iterator[Key]:
    """The keys right under the top-level key `collections`, in order."""
    names = _Names(tokens)
    depth, inside = 0, False
    pending: tuple[int, int] | None = None  # where the key begins, and the number of the token after it
    for number, token in enumerate(tokens):
        at_boundary = isinstance(token, (KeyToken, *_CLOSING)) and depth == _DEPTH_OF_COLLECTIONS
        if pending and at_boundary:
            key = names.key(pending[1], pending[0], token.start_mark.index, starts)
            pending = None
            if key:
                yield key
        if isinstance(token, KeyToken):
            if depth == 1:
                inside = names.text(number + 1) == "collections"
            elif at_boundary and inside:
                pending = (token.start_mark.index, number + 1)
        depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)


class _Names:
    """Reads names from a file's tokens, and resolves anchors and aliases."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._resolver = YAML().resolver
        self._anchored = {
            token.value: scalar
            for number, token in enumerate(tokens)
            if isinstance(token, AnchorToken) and (scalar := self._scalar(number))
        }

    def _scalar(self, number: int) -> tuple[ScalarToken, bool] | None:
        """The scalar that begins at this token, after its anchors and tags, and whether it has a tag."""
        tagged = False
        while isinstance(self._tokens[number], (AnchorToken, TagToken)):
            tagged = tagged or isinstance(self._tokens[number], TagToken)
            number += 1
        token = self._tokens[number]
        if isinstance(token, AliasToken):
            return self._anchored.get(token.value)
        return (token, tagged) if isinstance(token, ScalarToken) else None

    def text(self, number: int) -> str | None:
        """The text of the scalar that begins at this token, if there is one."""
        found = self._scalar(number)
        return found[0].value if found else None

    def key(self, number: int, start: int, end: int, starts: Sequence[int]) -> Key | None:
        """The key whose name begins at this token; None for a merge (`<<`), or a name that is no scalar."""
        found = self._scalar(number)
        if found is None:
            return None
        token, tagged = found
        value: object = token.value.replace("\a", "") if token.style == ">" else token.value
        if token.plain and not tagged:
            kind = str(self._resolver.resolve(ScalarNode, token.value, (True, False)))
            if kind.endswith(":merge"):
                return None
            if not kind.endswith(":str"):
                value = YAML(typ="safe", pure=True).load(token.value)
        line = bisect_right(starts, self._tokens[number].start_mark.index)
        # A name with half a surrogate pair cannot be encoded.
        return Key(name=_HALF.sub("\ufffd", str(value)), value=value, start=start, end=end, line=line)


def place_of(mapping: Mapping[Any, Any], key: object) -> tuple[int, int] | None:
    """The line and the column (from 1) of a key in loaded data; None for a key from a merge."""
    places = getattr(getattr(mapping, "lc", None), "data", None) or {}
    place = places.get(key)
    return (place[0] + 1, place[1] + 1) if place else None
