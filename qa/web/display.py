"""How values are shown: one place for every duration, moment and number that people read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from qa.config import Settings
from qa.web.charts.core import change_shown, plain, shown
from qa.web.markdown import markdown

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
THIN = "\u202f"


def clock_time(milliseconds: int | None) -> str:
    """Return a place in a recording: 00:41, 1:02:03."""
    seconds = (milliseconds or 0) // 1000
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"


def duration(milliseconds: int | None) -> str:
    """Return a length: 6:31, 1:02:03."""
    if milliseconds is None:
        return "–"
    text = clock_time(milliseconds)
    return text[1:] if text.startswith("0") and len(text) == 5 else text


def seconds(value: int | None) -> str:
    """Return whole seconds as a length."""
    return duration(None if value is None else value * 1000)


def span_words(value: timedelta) -> str:
    """Return a wait in the unit people would use: 6 min, 3 h, 2 days."""
    minutes = int(value.total_seconds() // 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 10:
        return f"{hours} h {rest:02}"
    return f"{hours} h" if hours < 48 else f"{hours // 24} days"


def lower_first(text: str) -> str:
    """Return a sentence's words as they stand inside another one."""
    text = text.rstrip("?.")
    if text.startswith("I ") or not (text[1:2].islower() or text[1:2] == " "):
        return text
    return text[0].lower() + text[1:]


def count(number: int) -> str:
    """Return a whole number with thin spaces between thousands."""
    return f"{number:,}".replace(",", THIN)


def initials(name: str) -> str:
    """Return up to two first letters."""
    parts = [part for part in name.split() if part]
    return "".join(part[0] for part in (parts[:1] + parts[-1:] if len(parts) > 1 else parts)).upper()


def per_cent(share: float) -> str:
    """Return a share of 1 in whole per cent: 38 %."""
    return f"{plain(100 * share)} %"


def ordinal(place: int) -> str:
    """Return a place in words of English: 1st, 12th, 23rd."""
    ending = "th" if place % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{ending}"


def csat(score: Decimal | None, top: Decimal | None) -> str:
    """Return a customer's answer with its scale: 2 of 5."""
    if score is None:
        return "–"
    plain = format(score.normalize(), "f")
    return plain if top is None else f"{plain} of {format(top.normalize(), 'f')}"


def exact_shown(decimals: int) -> Callable[[str | None], str]:
    """Return how exact text such as "200/3" is shown on this site, half up."""

    def show(text: str | None) -> str:
        if text is None:
            return "–"
        number = Fraction(text)
        scale = 10**decimals
        units = (abs(number.numerator) * scale * 2 + number.denominator) // (number.denominator * 2)
        return str(Decimal(units).scaleb(-decimals))

    return show


def without(arguments: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Return an address's parameters without these, and without the place in the list."""
    gone = {*names, "after"}
    return {name: value for name, value in arguments.items() if name not in gone and value}


def filters(settings: Settings) -> dict[str, Callable[..., Any]]:
    """Return the template filters of one site: moments are in its zone."""
    zone = settings.zone

    def day(moment: datetime | date) -> str:
        local = moment.astimezone(zone) if isinstance(moment, datetime) else moment
        return f"{local.day} {MONTHS[local.month - 1]} {local.year}"

    def moment(value: datetime) -> str:
        local = value.astimezone(zone)
        return f"{local.day} {MONTHS[local.month - 1]} {local:%H:%M}"

    def hour(value: datetime) -> str:
        return f"{value.astimezone(zone):%H:%M}"

    def due(value: datetime, now: datetime) -> str:
        local, today = value.astimezone(zone), now.astimezone(zone).date()
        if local.date() == today:
            return f"today {local:%H:%M}"
        if local.date() == today + timedelta(days=1):
            return "tomorrow"
        if local.date() == today - timedelta(days=1):
            return "yesterday"
        return f"{DAYS[local.weekday()]} {local.day} {MONTHS[local.month - 1]}"

    return {
        "clock_time": clock_time,
        "duration": duration,
        "seconds": seconds,
        "count": count,
        "span_words": span_words,
        "lower_first": lower_first,
        "initials": initials,
        "csat": csat,
        "day": day,
        "moment": moment,
        "hour": hour,
        "due": due,
        "exact": exact_shown(settings.decimals),
        "markdown": markdown,
        "frozen": frozenset,
        "shown": shown,
        "change_shown": change_shown,
        "per_cent": per_cent,
        "ordinal": ordinal,
    }
