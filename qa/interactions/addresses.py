"""E-mail addresses and bank accounts (IBAN) in what people write and say, as places in a text."""

from __future__ import annotations

import re

from qa.interactions.digits import NUMBER_WORDS
from qa.stats.intervals import Span

_TOP = """
    com org net edu gov mil int info biz name pro mobi app dev online shop store site tech cloud email xyz
    eu uk de at ch fr es it pt nl be lu ie dk se no fi pl cz sk hu ro bg gr si hr ee lv lt mt cy is li
    us ca mx br ar cl au nz jp cn in kr za tr ru ua il ae sg hk tw io ai co me tv
"""
"""Ends of the domains that people say; "look at the dot on the screen" is no address."""
_JOINS = r"dot|point|period|underscore|dash|hyphen|minus|plus"
_ATOM = r"[^\W_]{1,64}(?:['’+_.-]{1,2}[^\W_]{1,64}){0,8}"
_GAP = r"[\s,]+"
_WRITTEN = r"(?<![\w.+%-])[\w.+%'-]+\s?@\s?[^\W_][\w-]*(?:\.[\w-]+)*\.[^\W\d_]{2,}"
_SPOKEN = (
    rf"(?<!\w){_ATOM}(?:{_GAP}(?:{_JOINS}){_GAP}{_ATOM}){{0,8}}{_GAP}at{_GAP}{_ATOM}(?:{_GAP}dot{_GAP}{_ATOM}){{0,5}}"
    rf"(?:{_GAP}dot{_GAP}|(?<=\w)\.)(?:{'|'.join(_TOP.split())})(?!\w)"
)
_MIXED = rf"(?<!\w){_ATOM}{_GAP}at{_GAP}[^\W_]+(?:[.-][^\W_]+)*\.(?:{'|'.join(_TOP.split())})(?!\w)"
_EMAIL = re.compile(f"{_WRITTEN}|{_SPOKEN}|{_MIXED}", re.IGNORECASE)
_DOMAIN_END = re.compile(rf"(?:{_GAP}dot{_GAP}|(?<=\w)\.)(?:{'|'.join(_TOP.split())})(?!\w)", re.IGNORECASE)
"""What each address without an @ ends with: most texts hold none, and are not read further."""
_WORD_BEFORE = re.compile(r"([^\W_]+)[\s,-]+$")
MAX_SPELLED = 40

_IBAN_START = re.compile(r"(?<![^\W_])(?:[A-Z][\s-]{0,3}[A-Z][\s-]{0,3}|[A-Za-z]{2})\d[\s-]{0,3}\d", re.ASCII)
"""Small letters only right before the digits: "no 12 34" is no account in Norway."""
_IBAN_GAP = frozenset(" -\t\n\u00a0")
_IBAN_CODES = """
    AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18
    DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23
    IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31
    MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24
    SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
"""
_IBAN_LENGTHS = {code[:2]: int(code[2:]) for code in _IBAN_CODES.split()}
"""Characters of an IBAN by country, from the registry of SWIFT."""
_LONGEST = max(_IBAN_LENGTHS.values())


def email_spans(text: str) -> list[Span]:
    """Return where e-mail addresses stand, written or said as "x at y dot com", spelled letters included."""
    found: list[Span] = []
    if "@" not in text and _DOMAIN_END.search(text) is None:
        return found
    for match in _EMAIL.finditer(text):
        start = _spelled_from(text, match.start())
        found.append((max(start, found[-1][1]) if found else start, match.end()))
    return found


def _spelled_from(text: str, start: int) -> int:
    """Return where the name before "at" starts when it is spelled: d a n a, nine two, dot."""
    for _ in range(MAX_SPELLED):
        before = _WORD_BEFORE.search(text, max(start - 40, 0), start)
        if before is None or not _is_spelling(before.group(1).lower()):
            break
        start = before.start(1)
    return start


def _is_spelling(word: str) -> bool:
    return len(word) == 1 or word.isdecimal() or word in NUMBER_WORDS or word in _JOINS.split("|")


def iban_spans(text: str) -> list[Span]:
    """Return where bank account numbers stand that pass their own check (mod 97), blanks allowed."""
    found: list[Span] = []
    reached = 0
    while match := _IBAN_START.search(text, reached):
        end = _iban_end(text, match.start())
        if end is not None:
            found.append((match.start(), end))
        reached = end or match.start() + 1
    return found


def _iban_end(text: str, start: int) -> int | None:
    """Return where the valid number that starts here ends, or None."""
    read: list[str] = []
    place, blanks = start, 0
    while place < len(text) and len(read) < _LONGEST and blanks <= 3:
        letter = text[place]
        place += 1
        if letter in _IBAN_GAP:
            blanks += 1
            continue
        if not (letter.isascii() and letter.isalnum()):
            break
        blanks = 0
        read.append(letter.upper())
        if _is_whole(text, place) and _is_iban("".join(read)):
            return place
    return None


def _is_whole(text: str, end: int) -> bool:
    return end == len(text) or not text[end].isalnum()


def _is_iban(number: str) -> bool:
    if len(number) != _IBAN_LENGTHS.get(number[:2]):
        return False
    return int("".join(str(int(letter, 36)) for letter in number[4:] + number[:4])) % 97 == 1
