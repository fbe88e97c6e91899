"""Run every regular expression of the package over long texts made of its own pieces: `python -m tests.pattern_trial`.

Prints a line for each that needs more than a second of CPU for 100 kB. Each runs in a process of its own, which the
system ends: `re` holds the interpreter's lock, so nothing in the same process could.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import pkgutil
import re
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from time import process_time
from types import ModuleType
from typing import Any

import kometa_ai

LENGTH = 100_000
LIMIT = 1.0
_SCREENS = ((3_000, 0.0009), (10_000, 0.01))
"""How long a text is tried first, and from how many seconds on a longer one is tried.

What takes quadratic time, and a second for the full length, takes so long here; most patterns are done with the first.
"""
_CALLS = ("compile", "search", "match", "fullmatch", "sub", "subn", "split", "findall", "finditer")
_MADE_AT_RUN_TIME = "ab"  # stands for what an f-string brings in
_CATEGORIES = {"CATEGORY_SPACE": " \t\n", "CATEGORY_WORD": "a0_", "CATEGORY_DIGIT": "7"}
_OTHERS = {"CATEGORY_NOT_SPACE": "x", "CATEGORY_NOT_WORD": " ", "CATEGORY_NOT_DIGIT": "x"}
_SPOILERS = ("", "!", "\n", "x")
_MOST_PAIRS = 12
_MOST_ENDS = 4

Pattern = re.Pattern[Any]


def patterns() -> dict[str, Pattern]:
    """Every pattern of the package by its place: those of modules, and those written in calls of `re`."""
    found: dict[str, Pattern] = {}
    for info in pkgutil.walk_packages(kometa_ai.__path__, "kometa_ai."):
        if info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            found |= {f"{info.name}.{where}": pattern for where, pattern in _held(name, value)}
        found |= _written(module)
    seen: dict[tuple[Any, int], str] = {}
    return {name: one for name, one in found.items() if seen.setdefault((one.pattern, one.flags), name) == name}


def _held(name: str, value: object) -> Iterator[tuple[str, Pattern]]:
    if isinstance(value, re.Pattern):
        yield name, value
    elif isinstance(value, dict):
        yield from _held(name, tuple(value.values()))
    elif isinstance(value, tuple | list | set | frozenset):
        for number, item in enumerate(value):
            yield from _held(f"{name}[{number}]", item)


def _written(module: ModuleType) -> dict[str, Pattern]:
    """The patterns of `re.search(r"...", text)` and the like, in functions, too."""
    found = {}
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CALLS):
            continue
        if isinstance(node.func.value, ast.Name) and node.func.value.id == "re" and node.args:
            text = _literal(node.args[0])
            if text is not None:
                flags = eval(ast.unparse(flag), {"re": re}) if (flag := _flags(node)) else 0  # noqa: S307 - our source
                found[f"{module.__name__}:{node.lineno}"] = re.compile(text, flags)
    return found


def _flags(call: ast.Call) -> ast.expr | None:
    named = next((word.value for word in call.keywords if word.arg == "flags"), None)
    return named or next(
        (arg for arg in call.args[1:] if ast.unparse(arg).startswith("re.") and "(" not in ast.unparse(arg)), None
    )


def _literal(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else _MADE_AT_RUN_TIME for part in node.values)
        return "".join(map(str, parts))
    return None


# The texts


class _Texts:
    """Texts that make a pattern try long and in vain: its pieces again and again, behind what has to come before."""

    def __init__(self, pattern: Pattern) -> None:
        source = pattern.pattern
        self._repeats: list[tuple[str, str]] = []  # what stands before a repeated piece, and the piece
        self._alphabet: dict[str, None] = {}
        self._refused: dict[str, None] = {}  # by classes such as [^'"]
        text = source.decode("latin-1") if isinstance(source, bytes) else source
        self._whole = self._walk(_parser.parse(text, pattern.flags & ~re.UNICODE & ~re.DEBUG), "")

    def __iter__(self) -> Iterator[tuple[str, str, str]]:
        """Each as a beginning, a piece to be repeated, and an end."""
        letters = list(self._alphabet | self._refused)
        ends = ("", "\x01", *list(self._refused)[:_MOST_ENDS])
        pieces = letters + [one + other for one in letters[:_MOST_PAIRS] for other in letters[:_MOST_PAIRS]]
        pieces += [self._whole, f" {self._whole}", "x ", " # # # '"]
        before = dict.fromkeys(["", *(start for start, _ in self._repeats)])
        for piece in dict.fromkeys(filter(None, pieces)):
            for end in ends:
                yield "", piece, end
        for start in before:
            for letter in letters:
                for spoiler in (*_SPOILERS, *ends):
                    yield start, letter, spoiler
            yield "", start + "x", ""
            yield "", f" {start}", "\x01"
        for start, piece in self._repeats:
            for spoiler in (*_SPOILERS, *ends):
                yield start, piece, spoiler
                yield "", start + piece, spoiler
                yield "", f"{start}{piece} ", spoiler

    def _walk(self, items: Iterable[tuple[Any, Any]], before: str) -> str:
        """Note letters and repeats; return a text that these items match, more or less."""
        sample = ""
        for op, args in items:
            sample += self._item(op, args, before + sample)
        return sample

    def _item(self, op: Any, args: Any, before: str) -> str:
        if op in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            least, most, body = args
            piece = self._walk(body, before)
            if most > 1:
                self._repeats.append((before, piece))
            return piece if least < 2 else piece * 3
        if op is sre.SUBPATTERN:
            return self._walk(args[-1], before)
        if op is sre.ATOMIC_GROUP:
            return self._walk(args, before)
        if op is sre.BRANCH:
            samples = [self._walk(branch, before) for branch in args[1]]
            return samples[0]
        if op in (sre.ASSERT, sre.ASSERT_NOT):
            self._walk(args[1], before)
            return ""
        letters = _letters(op, args)
        if op is sre.IN and args[0][0] is sre.NEGATE:
            self._refused |= dict.fromkeys(_of_class(args[1:]))
        self._alphabet |= dict.fromkeys(letters)
        return letters[:1]


def _letters(op: Any, args: Any) -> str:
    """Some of the characters that an item of one character matches."""
    if op is sre.LITERAL:
        return chr(args)
    if op is sre.NOT_LITERAL:
        return "x" if args != ord("x") else "y"
    if op is sre.ANY:
        return "x."
    if op is sre.IN:
        return _of_class(args)
    return ""


def _of_class(items: Sequence[tuple[Any, Any]]) -> str:
    if items[0][0] is sre.NEGATE:
        refused = re.compile(f"[{''.join(_as_class(items[1:]))}]")
        return "".join(letter for letter in "x 7\t\n:#'\"<-,." if not refused.match(letter))[:5]
    found = ""
    for op, args in items:
        if op is sre.LITERAL:
            found += chr(args)
        elif op is sre.RANGE:
            found += chr((args[0] + args[1]) // 2)
        elif op is sre.CATEGORY:
            found += _CATEGORIES.get(str(args), _OTHERS.get(str(args), ""))
    return found


def _as_class(items: Sequence[tuple[Any, Any]]) -> Iterator[str]:
    for op, args in items:
        if op is sre.LITERAL:
            yield re.escape(chr(args))
        elif op is sre.RANGE:
            yield f"{re.escape(chr(args[0]))}-{re.escape(chr(args[1]))}"
        elif op is sre.CATEGORY:
            name = str(args).removeprefix("CATEGORY_")
            letter = {"SPACE": "s", "WORD": "w", "DIGIT": "d"}[name.removeprefix("NOT_")]
            yield "\\" + (letter.upper() if name.startswith("NOT_") else letter)


# The trial


def _try(pattern: Pattern, pipe: int) -> None:
    """Run the pattern over all texts; write what is tried into the pipe before the system may end this process."""
    for start, piece, end in _Texts(pattern):
        for method in ("fullmatch", "sub"):  # a search is where `sub` begins
            for length, suspect in (*_SCREENS, (LENGTH, LIMIT)):
                text = start + piece * (length // len(piece)) + end
                given = text.encode("latin-1", "replace") if isinstance(pattern.pattern, bytes) else text
                os.write(pipe, f"{method} {start!r} {piece!r} {end!r} {length}\n".encode())
                used = process_time()
                signal.setitimer(signal.ITIMER_PROF, LIMIT)  # CPU time, too; the end of it ends the process
                if method == "sub":
                    pattern.sub(given[:0], given)
                else:
                    pattern.fullmatch(given)
                if process_time() - used < suspect:
                    break


def slow(pattern: Pattern) -> str | None:
    """The text over which the pattern needs too long, else None."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        try:
            _try(pattern, write)
        finally:
            os._exit(0 if sys.exc_info()[0] is None else 2)
    os.close(write)
    with os.fdopen(read, "rb") as lines:
        last = lines.read().strip().rpartition(b"\n")[2]
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 2:
        return "the trial itself fails"
    return last.decode() if status else None


def main() -> None:
    """Print the patterns that are too slow, of the package or of the command line; the last line counts those tried."""
    found = {given: re.compile(given) for given in sys.argv[1:]} or patterns()
    for name, pattern in found.items():
        if text := slow(pattern):
            print(f"slow: {name} {pattern.pattern!r}: {text}", flush=True)  # noqa: T201 - its result
    print(f"tried: {len(found)}")  # noqa: T201


if __name__ == "__main__":
    main()
