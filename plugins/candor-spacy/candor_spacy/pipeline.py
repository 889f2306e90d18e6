"""The spaCy pipeline: a blank language, sentences, and a component that weighs words.

Nothing is downloaded. The weights are VADER's (Hutto and Gilbert 2014) after this plugin's own lexicon.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import spacy
from ruamel.yaml import YAML
from spacy.language import Language
from spacy.matcher import Matcher
from spacy.tokens import Doc, Span
from spacy.util import filter_spans
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

COMPONENT = "candor_wording"
SIGNS = {"positive": 1.0, "negative": -1.0}

Doc.set_extension("wording", default=None, force=True)


@cache
def pipeline(language: str) -> Language:
    """Return the pipeline of a language that has a lexicon here."""
    made = spacy.blank(language)
    made.add_pipe("sentencizer")
    made.add_pipe(COMPONENT)
    return made


@Language.factory(COMPONENT)
def _make(nlp: Language, name: str) -> Wording:
    return Wording(nlp)


class Wording:
    """Sets ``doc._.wording``: how a text is worded, from -1 to 1."""

    def __init__(self, nlp: Language) -> None:
        lexicon = _lexicon(str(nlp.lang))
        self._analyzer = SentimentIntensityAnalyzer()
        for word in lexicon["neutral"]:
            self._analyzer.lexicon.pop(word, None)
        self._matcher = Matcher(nlp.vocab)
        for number, (phrase, weight) in enumerate(_phrases(lexicon["phrases"])):
            stand_in = f"candorphrase{number}"
            self._matcher.add(stand_in, [_pattern(nlp, phrase)])
            if weight:
                self._analyzer.lexicon[stand_in] = weight

    def __call__(self, doc: Doc) -> Doc:
        """Weigh a text."""
        found = filter_spans(self._matcher(doc, as_spans=True))
        doc._.wording = self._analyzer.polarity_scores(_with_stand_ins(doc, found))["compound"]
        return doc


def _with_stand_ins(doc: Doc, found: list[Span]) -> str:
    """Return the text with one made-up word for each phrase, which the lexicon knows the weight of."""
    pieces, reached = [], 0
    for span in found:
        pieces += [doc.text[reached : span.start_char], span.label_]
        reached = span.end_char
    return "".join([*pieces, doc.text[reached:]])


def _pattern(nlp: Language, phrase: str) -> list[dict[str, Any]]:
    return [
        {"LIKE_NUM": True} if token.text == "#" else {"LOWER": token.lower_} for token in nlp.make_doc(phrase)
    ]


def _phrases(phrases: dict[str, Any]) -> list[tuple[str, float]]:
    found = [(phrase, 0.0) for phrase in phrases["neutral"]]
    for sign, factor in SIGNS.items():
        for weight, listed in phrases[sign].items():
            found += [(phrase, factor * float(weight)) for phrase in listed]
    return found


def _lexicon(language: str) -> dict[str, Any]:
    file = resources.files("candor_spacy") / "words" / f"{language}.yaml"
    lexicon: dict[str, Any] = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
    return lexicon
