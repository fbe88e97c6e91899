"""Resolve the templates of a collection as Kometa does: its own attributes, and what the templates add.

This follows Kometa's `apply_template`. The value of a variable comes from the file's entry in config.yml and from its
library, then from the call, the external template's entry, the collection's `variables`, and the template's defaults.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import msgspec

from kometa_ai.kometa.checking.values import is_plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kometa_ai.core.item import Kind

VARIABLE = re.compile(r"<<([^<>]++)>>")
_NOT_ATTRIBUTES = frozenset({"default", "optional", "conditionals", "move_prefix", "move_collection_prefix"})
_ROUNDS = 8
_MOST_VALUES = 2_000
_DEEPEST = 50
_LONGEST_VALUE = 4_000
_MOST_VARIABLES = 500


class Template(NamedTuple):
    """The body of a template, and the variables from the entry that names its file as an external one."""

    body: object
    variables: Mapping[Any, Any]


class Loading(NamedTuple):
    """One way in which Kometa loads a file: the library, and the `template_variables` of library and entry.

    `kind` is the library's kind, as far as it is known.
    """

    library: str = ""
    variables: Mapping[Any, Any] = {}
    kind: Kind | None = None


class Shelf(msgspec.Struct, frozen=True):
    """The templates that a file can call, by name; `is_whole` is False if some lie outside of Kometa's folder."""

    templates: Mapping[str, Template]
    is_whole: bool = True


class Effective(msgspec.Struct):
    """A collection as Kometa sees it, with attribute names in lower case.

    `unseen` are templates that lie outside of the folder or are too large, `missing` are templates that do not exist.
    `refused` says why Kometa cannot use a template. `effort` is the number of values that were resolved.
    """

    attributes: dict[str, Any]
    unseen: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    refused: str = ""
    effort: int = 0


class _Refused(Exception):
    """Kometa cannot use the template."""


class _Dropped(Exception):
    """Kometa leaves out the attribute, because a variable in it has no value."""


def effective(name: str, body: Mapping[Any, Any], shelf: Shelf, loading: Loading) -> Effective:
    """The collection with this name and body, for this way of loading its file."""
    own = {str(key).lower(): value for key, value in body.items()}
    found = Effective(dict(own), effort=len(own))
    calls = own.get("template")
    if "template" not in own:
        return found
    brought: dict[str, Any] = {}
    unseen: list[str] = []
    missing: list[str] = []
    for call in calls if isinstance(calls, list) else [calls]:
        wanted = call.get("name") if isinstance(call, dict) else None
        if not isinstance(call, dict) or not wanted or not is_plain(wanted):
            found.refused = "its `template` does not say which: Kometa wants `template: {name: …}`."
            continue
        template = shelf.templates.get(str(wanted))
        if template is None:
            (missing if shelf.is_whole else unseen).append(str(wanted))
            continue
        if len(call) + len(loading.variables) + len(template.variables) > _MOST_VARIABLES:
            unseen.append(str(wanted))
            continue
        try:
            variables = _variables(name, own, call, template, loading)
            for key, value in variables.attributes(template.body, body):
                brought.setdefault(key, value)
            found.effort += variables.effort
        except _Refused as error:
            found.refused = f"{error}."
    for key, value in brought.items():
        found.attributes.setdefault(key.lower(), value)
    found.unseen, found.missing = tuple(unseen), tuple(missing)
    return found


def _mapping_of(template: Mapping[Any, Any], key: str, where: str) -> Mapping[Any, Any]:
    """A part of a template or a call that has to be a mapping; empty if it is absent."""
    if key not in template:
        return {}
    part = template[key]
    if not isinstance(part, dict) or not part:
        raise _Refused(f"the `{key}` of {where} is blank or no mapping")
    return part


def _variables(
    name: str,
    own: Mapping[str, Any],
    call: Mapping[Any, Any],
    template: Template,
    loading: Loading,
) -> _Variables:
    """The variables of one call, in the order in which Kometa applies them."""
    where = f"its template {call['name']}"
    if not isinstance(template.body, dict):
        raise _Refused(f"{where} is no mapping")
    title = own.get("name") or template.body.get("name") or name
    known = {
        **call,
        "collection_name": str(title) if is_plain(title) else name,
        "mapping_name": name,
        "library_type": loading.kind or "movie",
        "library_typeU": "Show" if loading.kind == "show" else "Movie",
        "library_name": loading.library,
    }
    definition = own.get("variables")
    given: dict[str, Any] = {}
    conditionals = dict(_mapping_of(template.body, "conditionals", where))
    defaults = dict(_mapping_of(template.body, "default", where))
    optional: set[str] = set()
    sources = (known, template.variables, definition if isinstance(definition, dict) else {}, loading.variables)
    more: dict[Any, Any] = {}
    for source in sources:
        defaults |= _mapping_of(source, "default", f"the call of {where}")
        more |= _mapping_of(source, "conditionals", f"the call of {where}")
        for written, value in source.items():
            key = _put_in(str(written), known)
            if key in {"default", "conditionals"}:
                continue
            if value is None:
                optional.add(key)
                given.pop(key, None)
            elif source is loading.variables or key not in given:
                given[key] = value
    conditionals |= {key: value for key, value in more.items() if key not in given}
    given.pop("name", None)  # the name of the template, not a variable
    return _Variables(given, defaults, optional, conditionals, template.body.get("optional"))


def _put_in(text: str, values: Mapping[Any, Any]) -> str:
    """The text with variables replaced by scalar values."""
    if "<<" not in text:
        return text

    def value(found: re.Match[str]) -> str:
        known = values.get(found[1])
        return str(known) if known is not None and is_plain(known) else found[0]

    return VARIABLE.sub(value, text)[:_LONGEST_VALUE]


class _Variables:
    """The variables of one call. An optional one without a value drops the attribute that it stands in."""

    def __init__(
        self,
        given: dict[str, Any],
        defaults: Mapping[Any, Any],
        optional: set[str],
        conditionals: Mapping[Any, Any],
        declared: object,
    ) -> None:
        self._given = given
        names = {_put_in(str(key), conditionals and given) for key in conditionals}
        self._defaults = {
            key: self._value(value)
            for key, value in (
                (_put_in(str(key), given), value) for key, value in list(defaults.items())[:_MOST_VARIABLES]
            )
            if key not in given and key not in optional and key not in names
        }
        texts = str(declared).split(",") if declared and is_plain(declared) else []
        for each in (declared if isinstance(declared, list) else texts)[:_MOST_VARIABLES]:
            name = _put_in(str(each).strip(), given) if is_plain(each) else ""
            if name not in self._defaults and name not in names:
                optional |= {name, f"{name}_encoded"}
        for key, rule in conditionals.items():
            self._decide(_put_in(str(key), self._defaults | given), rule, optional)
        for values in (self._given, self._defaults):
            values |= {f"{key}_encoded": quote(str(value)) for key, value in [*values.items()] if is_plain(value)}
        self._optional = {key for key in optional if key not in self._given and key not in self._defaults}
        self._values = self._defaults | self._given
        self._left = _MOST_VALUES

    def _value(self, value: object) -> object:
        if not isinstance(value, str):
            return value
        whole = VARIABLE.fullmatch(value)
        return self._given[whole[1]] if whole and whole[1] in self._given else _put_in(value, self._given)

    @property
    def effort(self) -> int:
        """How many variables and values were resolved so far."""
        return len(self._values) + _MOST_VALUES - self._left

    # Conditionals

    def _decide(self, name: str, rule: object, optional: set[str]) -> None:
        """Give a variable the value of the first condition that holds."""
        if name in self._given:
            return
        if not isinstance(rule, dict) or "conditions" not in rule:
            raise _Refused(f"the conditional {name} of a template it uses has no `conditions`")
        conditions = rule["conditions"]
        for condition in conditions if isinstance(conditions, list) else [conditions]:
            if not isinstance(condition, dict) or "value" not in condition:
                raise _Refused(f"a condition of {name} in a template it uses has no `value`")
            if all(self._holds(str(key), wanted) for key, wanted in condition.items() if key != "value"):
                value = condition["value"]
                break
        else:
            value = rule.get("default")
        if value is None:
            optional |= {name, f"{name}_encoded"}
        else:
            self._given[name] = value

    def _holds(self, key: str, wanted: object) -> bool:
        key = _put_in(key, self._defaults | self._given)
        base, _, kind = key.rpartition(".")
        everything = self._defaults | self._given
        if kind == "exists":
            is_wanted = is_plain(wanted) and str(wanted).lower() in {"true", "t", "yes", "y", "1"}
            return (self._given.get(base) is not None) == is_wanted
        if kind in {"not", "notdefault"}:
            values = self._given if kind == "not" else everything
            return base not in values or not _is_one_of(values[base], wanted)
        return key in everything and _is_one_of(everything[key], wanted)

    # Attributes

    def attributes(self, body: object, own: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
        """Each attribute that the template adds to a collection with these attributes of its own."""
        for key, value in body.items() if isinstance(body, dict) else ():
            if key in own or str(key) in _NOT_ATTRIBUTES:
                continue
            try:
                yield str(self._filled(str(key))), self._resolved(value, 0)
            except _Dropped:
                continue

    def _resolved(self, value: object, depth: int) -> object:
        self._left -= 1
        # Aliases can nest deeper than the text itself.
        if self._left < 0 or depth > _DEEPEST:
            return value
        if isinstance(value, dict):
            return dict(self._kept(((key, item) for key, item in value.items()), depth)) or self._dropped()
        if isinstance(value, list):
            return [item for _, item in self._kept((("", item) for item in value), depth)] or self._dropped()
        return self._filled(value)

    def _kept(self, items: Iterator[tuple[object, object]], depth: int) -> Iterator[tuple[object, object]]:
        for key, item in items:
            try:
                yield self._filled(key), self._resolved(item, depth + 1)
            except _Dropped:
                continue

    def _dropped(self) -> object:
        raise _Dropped

    def _filled(self, value: object) -> object:
        """A scalar with all known variables replaced; a scalar that is only a variable takes its value and type."""
        for _ in range(_ROUNDS):
            if not isinstance(value, str) or "<<" not in value:
                break
            if any(name in self._optional for name in VARIABLE.findall(value)):
                raise _Dropped
            before = value
            whole = VARIABLE.fullmatch(value)
            value = self._values[whole[1]] if whole and whole[1] in self._values else _put_in(value, self._values)
            if value == before:
                break
        return value


def _is_one_of(value: object, wanted: object) -> bool:
    if not is_plain(value):
        return False
    if isinstance(wanted, list):
        return any(value == one for one in wanted)
    return is_plain(wanted) and str(value) == str(wanted)
