"""A transcript: who said what when, as engines write it and every reader of speech takes it.

Times are seconds from the start of the file, three decimals, on the outside and whole milliseconds in
here: every time is rounded once, on the way in, so that sums are exact. What cannot be taken is refused
with one sentence that names the segment.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from qa.core.errors import Invalid
from qa.core.text import fault_of

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
SPEAKERS = ("agent", "customer", "unknown")
MAX_BYTES = 64_000_000
MAX_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Word:
    """One word as the engine heard it."""

    text: str
    start_ms: int
    end_ms: int
    conf: float | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of one speaker's words; ``words`` is empty or has one entry for each word of the text."""

    start_ms: int
    end_ms: int
    speaker: str
    text: str
    channel: int = 0
    conf: float | None = None
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Transcript:
    """A whole call. ``holds`` is None where the telephone system said nothing, empty where there was none."""

    duration_ms: int
    segments: tuple[Segment, ...]
    holds: tuple[tuple[int, int], ...] | None = None
    language: str = ""
    truncated: bool = False


def words_in(text: str) -> list[tuple[int, int]]:
    """Return where each word of a text starts and ends, in characters."""
    return [match.span() for match in WORD.finditer(text)]


def parse(raw: bytes) -> Transcript:
    """Return the transcript in this JSON. Raises ``Invalid`` with one sentence that names the place."""
    if len(raw) > MAX_BYTES:
        raise Invalid(f"The transcript is larger than {MAX_BYTES // 1_000_000} MB. Split the call.")
    try:
        given = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_once)
    except UnicodeDecodeError as error:
        raise Invalid(f"The transcript is not UTF-8 text (byte {error.start + 1}).") from None
    except json.JSONDecodeError as error:
        raise Invalid(
            f"The transcript is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    except RecursionError:
        raise Invalid("The transcript is nested too deeply.") from None
    except ValueError:
        raise Invalid("The transcript holds a number that is too long.") from None
    return from_json(given)


def from_json(given: Any) -> Transcript:
    """Return the transcript that a decoded JSON value holds. Raises ``Invalid``."""
    if not isinstance(given, Mapping):
        raise Invalid('A transcript is a JSON object such as {"segments": []}.')
    listed = given.get("segments")
    if not isinstance(listed, list):
        raise Invalid('The transcript needs "segments", a list.')
    segments = tuple(_segment(one, f"Segment {number}") for number, one in enumerate(listed, start=1))
    duration = given.get("duration")
    largest = max((segment.end_ms for segment in segments), default=0)
    length = largest if duration is None else _ms(duration, 'The transcript\'s "duration"')
    if duration is not None and length < 0:
        raise Invalid('The transcript\'s "duration" must not be negative.')
    return Transcript(
        duration_ms=max(length, 0),
        segments=segments,
        holds=_holds(given.get("holds")),
        language=_language(given.get("language")),
        truncated=_flag(given.get("truncated")),
    )


def _refuse_constant(name: str) -> Any:
    raise Invalid(f"The transcript holds {name}, which is not a number.")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Invalid(f'The transcript cannot be read: the key "{twice}" stands twice in one object.')
    return found


def _segment(given: Any, place: str) -> Segment:
    if not isinstance(given, Mapping):
        raise Invalid(f'{place} must be an object with "start", "end", "speaker" and "text".')
    speaker = given.get("speaker", "unknown")
    if speaker not in SPEAKERS:
        raise Invalid(f'{place}: "speaker" must be agent, customer or unknown.')
    text = _text(given.get("text"), f'{place}: "text"')
    return Segment(
        start_ms=_ms(given.get("start"), f'{place}: "start"'),
        end_ms=_ms(given.get("end"), f'{place}: "end"'),
        speaker=speaker,
        text=text,
        channel=_channel(given.get("channel"), place),
        conf=_share(given.get("conf"), f'{place}: "conf"'),
        words=_words(given.get("words"), text, place),
    )


def _words(given: Any, text: str, place: str) -> tuple[Word, ...]:
    if given is None:
        return ()
    if not isinstance(given, list):
        raise Invalid(f'{place}: "words" must be a list.')
    words = tuple(_word(one, f"{place}, word {number}") for number, one in enumerate(given, start=1))
    return words if len(words) == len(words_in(text)) else ()


def _word(given: Any, place: str) -> Word:
    if not isinstance(given, Mapping):
        raise Invalid(f'{place} must be an object with "word", "start" and "end".')
    return Word(
        text=_text(given.get("word"), f'{place}: "word"'),
        start_ms=_ms(given.get("start"), f'{place}: "start"'),
        end_ms=_ms(given.get("end"), f'{place}: "end"'),
        conf=_share(given.get("conf"), f'{place}: "conf"'),
    )


def _holds(given: Any) -> tuple[tuple[int, int], ...] | None:
    if given is None:
        return None
    if not isinstance(given, list):
        raise Invalid('The transcript\'s "holds" must be a list of [start, end] in seconds.')
    return tuple(_hold(one, f"Hold {number}") for number, one in enumerate(given, start=1))


def _hold(given: Any, place: str) -> tuple[int, int]:
    if not isinstance(given, list) or len(given) != 2:
        raise Invalid(f"{place} must be [start, end] in seconds.")
    return _ms(given[0], f"{place}: its start"), _ms(given[1], f"{place}: its end")


def _ms(given: Any, place: str) -> int:
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise Invalid(f"{place} must be a number of seconds.")
    if abs(given) > MAX_SECONDS or not math.isfinite(given):
        raise Invalid(f"{place} must be a number of seconds within a week.")
    return round(given * 1000)


def _share(given: Any, place: str) -> float | None:
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= 1:
        raise Invalid(f"{place} must be a number from 0 to 1.")
    return float(given)


def _channel(given: Any, place: str) -> int:
    if given is None:
        return 0
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given < 256:
        raise Invalid(f'{place}: "channel" must be a whole number from 0.')
    return given


def _text(given: Any, place: str) -> str:
    if not isinstance(given, str):
        raise Invalid(f"{place} must be text.")
    if fault := fault_of(given):
        raise Invalid(f"{place} {fault}")
    return given


def _language(given: Any) -> str:
    return "" if given is None else _text(given, 'The transcript\'s "language"')


def _flag(given: Any) -> bool:
    if given is not None and not isinstance(given, bool):
        raise Invalid('The transcript\'s "truncated" must be true or false.')
    return bool(given)


def seconds(ms: int) -> float:
    """Return milliseconds as seconds with three decimals."""
    return round(ms / 1000, 3)


def spoken(transcript: Transcript) -> Iterator[tuple[int, Segment]]:
    """Yield the segments that hold a word and some time inside the call, clipped to it, with their places."""
    for place, segment in enumerate(transcript.segments):
        start, end = max(segment.start_ms, 0), min(segment.end_ms, transcript.duration_ms)
        if end > start and WORD.search(segment.text):
            yield (
                place,
                segment if (start, end) == (segment.start_ms, segment.end_ms) else _clip(segment, start, end),
            )


def _clip(segment: Segment, start_ms: int, end_ms: int) -> Segment:
    return Segment(
        start_ms, end_ms, segment.speaker, segment.text, segment.channel, segment.conf, segment.words
    )
