"""Phrase rules as people write them: what must or must not be said, by whom, when and how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, NodeEvent

from candor_spacy.patterns import PatternError, Sequence, parse

MAX_BYTES = 256_000
MAX_RULES = 500
MAX_PATTERNS = 100
KEYS = ("ref", "say", "who", "within", "from", "expect", "unless", "after", "times", "languages")
WHO = ("agent", "customer", "any")


class RuleError(ValueError):
    """A rule cannot be read; one sentence names the rule and the cure."""


@dataclass(frozen=True, slots=True)
class Window:
    """Where a hit must start: in the first or the last milliseconds of speech, or of the call."""

    first_ms: int | None = None
    last_ms: int | None = None
    from_call: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, ready to be looked for; ``spoken`` are its patterns as written."""

    ref: str
    say: tuple[Sequence, ...]
    spoken: tuple[str, ...]
    who: str = "any"
    window: Window = Window()
    expects_present: bool = True
    unless: tuple[Sequence, ...] = ()
    after: str | Rule | None = None
    least: int = 1
    most: int | None = None
    languages: tuple[str, ...] = ()


def read(text: str) -> tuple[Rule, ...]:
    """Return the rules in a YAML document with the key ``rules``. Raises ``RuleError``."""
    given = yaml_of(text)
    if not isinstance(given, Mapping) or set(given) != {"rules"} or not isinstance(given["rules"], list):
        raise RuleError('The rules must be a document with the one key "rules", a list.')
    if len(given["rules"]) > MAX_RULES:
        raise RuleError(f"More than {MAX_RULES} rules in one document. Make two of it.")
    found: list[Rule] = []
    for number, one in enumerate(given["rules"], start=1):
        rule = rule_of(one, f"Rule {number}", earlier=frozenset(known.ref for known in found))
        if not rule.ref:
            rule = replace(rule, ref=f"rule {number}")
        if any(known.ref == rule.ref for known in found):
            raise RuleError(f'Rule {number}: the ref "{rule.ref}" is taken by an earlier rule.')
        found.append(rule)
    return tuple(found)


def yaml_of(text: str) -> Any:
    """Return what a YAML document holds; no anchors, aliases, tags or doubled keys. Raises ``RuleError``."""
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise RuleError(f"The rules are larger than {MAX_BYTES // 1000} kB.")
    try:
        for event in YAML(typ="safe", pure=True).parse(StringIO(text)):
            tagged = isinstance(event, NodeEvent) and getattr(event, "ctag", None)
            if isinstance(event, AliasEvent) or getattr(event, "anchor", None) or tagged:
                line = event.start_mark.line + 1
                raise RuleError(f"Line {line}: anchors, aliases and tags are not taken. Write it out.")
        return YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"Line {mark.line + 1}: " if mark is not None else ""
        raise RuleError(f"{place}not valid YAML: {str(error.problem).split(chr(10))[0]}.") from None
    except (YAMLError, ValueError) as error:
        if isinstance(error, RuleError):
            raise
        raise RuleError(f"Not valid YAML: {str(error).split(chr(10))[0]}.") from None
    except RecursionError:
        raise RuleError("The rules are nested too deeply.") from None


def rule_of(given: Any, place: str, *, earlier: frozenset[str] | None = None) -> Rule:
    """Return one rule from its keys; ``earlier`` holds what ``after`` may name. Raises ``RuleError``."""
    if not isinstance(given, Mapping):
        raise RuleError(f'{place} must be a mapping such as {{say: "thank you"}}.')
    ref = given.get("ref", "")
    if not isinstance(ref, str):
        raise RuleError(f'{place}: "ref" must be text; put it in quotes.')
    place = f'Rule "{ref}"' if ref else place
    unknown = sorted(str(key) for key in set(given) - set(KEYS))
    if unknown:
        raise RuleError(f'{place} has the unknown key "{unknown[0]}"; known are {", ".join(KEYS)}.')
    if "say" not in given:
        raise RuleError(f'{place} needs "say": the phrases to look for.')
    spoken = _texts(given["say"], f'{place}: "say"')
    if not spoken:
        raise RuleError(f'{place}: "say" names no phrase.')
    least, most = _times(given.get("times"), place)
    return Rule(
        ref=ref,
        say=_patterns(spoken, f'{place}: "say"'),
        spoken=spoken,
        who=_one_of(given.get("who", "any"), WHO, f'{place}: "who"'),
        window=_window(given, place),
        expects_present=_one_of(given.get("expect", "present"), ("present", "absent"), f'{place}: "expect"')
        == "present",
        unless=_patterns(_texts(given.get("unless", []), f'{place}: "unless"'), f'{place}: "unless"'),
        after=_after(given.get("after"), place, earlier),
        least=least,
        most=most,
        languages=_texts(given.get("languages", []), f'{place}: "languages"'),
    )


def _texts(given: Any, place: str) -> tuple[str, ...]:
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, list | tuple) or not all(isinstance(one, str) for one in listed):
        raise RuleError(
            f"{place} must be text or a list of texts; put what YAML reads as a number in quotes."
        )
    if len(listed) > MAX_PATTERNS:
        raise RuleError(f"{place} has more than {MAX_PATTERNS} entries.")
    return tuple(listed)


def _patterns(texts: tuple[str, ...], place: str) -> tuple[Sequence, ...]:
    found = []
    for text in texts:
        try:
            found.append(parse(text))
        except PatternError as error:
            raise RuleError(f'{place}: the pattern "{text[:60]}" {error}') from None
    return tuple(found)


def _one_of(given: Any, known: tuple[str, ...], place: str) -> str:
    if given not in known:
        raise RuleError(f"{place} must be {' or '.join(known)}.")
    return str(given)


def _window(given: Mapping[str, Any], place: str) -> Window:
    within = given.get("within")
    if within is None:
        within = {}
    if not isinstance(within, Mapping) or set(within) - {"first", "last", "from"}:
        raise RuleError(f'{place}: "within" must be such as {{first: 30}} or {{last: 20, from: call}}.')
    if "first" in within and "last" in within:
        raise RuleError(f'{place}: "within" takes first or last, not both. Make two rules of it.')
    base = _one_of(within.get("from", given.get("from", "speech")), ("speech", "call"), f'{place}: "from"')
    return Window(
        first_ms=_seconds(within.get("first"), f'{place}: "first"'),
        last_ms=_seconds(within.get("last"), f'{place}: "last"'),
        from_call=base == "call",
    )


def _seconds(given: Any, place: str) -> int | None:
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given <= 86_400:
        raise RuleError(f"{place} must be a number of seconds up to a day.")
    return round(given * 1000)


def _times(given: Any, place: str) -> tuple[int, int | None]:
    if given is None:
        return 1, None
    if not isinstance(given, Mapping) or not given or set(given) - {"min", "max"}:
        raise RuleError(f'{place}: "times" must be such as {{min: 1, max: 3}}.')
    least, most = given.get("min", 1 if given.get("max") != 0 else 0), given.get("max")
    whole = [
        isinstance(one, int) and not isinstance(one, bool) and one >= 0
        for one in (least, most)
        if one is not None
    ]
    if not all(whole) or (most is not None and most < least) or least is None:
        raise RuleError(f'{place}: "times" needs whole numbers, min not above max.')
    return least, most


def _after(given: Any, place: str, earlier: frozenset[str] | None) -> str | Rule | None:
    """Return the ref of an earlier rule, or a rule that stands here itself."""
    if given is None:
        return None
    if isinstance(given, Mapping):
        return rule_of(given, f"{place}, after")
    if not isinstance(given, str):
        raise RuleError(f'{place}: "after" must be the ref of an earlier rule.')
    if earlier is not None and given not in earlier:
        raise RuleError(f'{place}: "after" names "{given}", which is no earlier rule.')
    return given
