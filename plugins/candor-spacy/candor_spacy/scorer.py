"""Suggests an answer to a scorecard question from what was said, with the words or what was searched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from candor_spacy.heard import Heard
from candor_spacy.rules import Rule, RuleError, rule_of
from candor_spacy.verdicts import Judge, Outcome, quotes_of
from qa.plugins.api import (
    Abstain,
    AutoScorer,
    ConfigError,
    Context,
    QuestionView,
    Scale,
    ScoredInteraction,
    Searched,
    Span,
    Suggestion,
)

VERSION = "1"
WORDS_OF = {"agent": "of the agent", "customer": "of the customer", "any": "of both"}


class Phrases(AutoScorer):
    """Looks for the phrases that a question names: said or not, by whom, when and how often."""

    key = "phrases"
    title = "Phrase rules"
    version = VERSION

    def score(
        self, ctx: Context, question: QuestionView, scale: Scale, interaction: ScoredInteraction
    ) -> Suggestion | Abstain:
        """Return an answer with quotes, or abstain with the reason's code."""
        given = dict(question.rule)
        answers = given.pop("answer", None)
        if not given:
            return Abstain("no_rule")
        rule = _rule(given, question)
        heard = Heard(interaction.transcript)
        outcome = Judge(heard).judge(rule)
        if outcome.verdict == "abstain":
            return Abstain(outcome.reason or "abstain")
        answer = _answer(answers, outcome.verdict, scale, question)
        if answer is None:
            return Abstain("no_answer")
        return _suggestion(answer, outcome, heard)


def _rule(given: dict[str, Any], question: QuestionView) -> Rule:
    languages = list(given.get("languages", question.languages))
    try:
        return rule_of({**given, "ref": question.ref, "languages": languages}, "The rule")
    except RuleError as error:
        raise ConfigError(str(error), field=question.ref) from None


def _answer(answers: Any, verdict: str, scale: Scale, question: QuestionView) -> str | None:
    """Return what the question's author answers for a verdict; None leaves that verdict to people."""
    if not isinstance(answers, Mapping) or set(answers) - {"met", "not_met"}:
        raise ConfigError(
            f'Question "{question.ref}": "answer" must be such as {{met: y, not_met: n}}.', field=question.ref
        )
    answer = answers.get(verdict)
    if answer is not None and scale.options and answer not in scale.options:
        raise ConfigError(
            f'Question "{question.ref}" has no option "{answer}"; it has {", ".join(scale.options)}.',
            field=question.ref,
        )
    return answer


def _suggestion(answer: str, outcome: Outcome, heard: Heard) -> Suggestion:
    rule, hits = outcome.rule, outcome.hits
    if len(hits) >= max(rule.least, 1):
        confidence = sorted((hit.conf for hit in hits), reverse=True)[max(rule.least, 1) - 1]
        spans = [
            Span(one.segment, one.start, one.end, one.quote, hit.start_ms / 1000, hit.end_ms / 1000)
            for hit in hits
            for one in quotes_of(hit, heard)
        ]
        return Suggestion(answer, round(confidence, 4), spans, f"Said at {_clock(hits[0].start_ms)}.")
    searched = outcome.searched
    start, end = searched.window
    said = "not said" if not hits else f"said {len(hits)} of {rule.least} times"
    return Suggestion(
        answer,
        round(outcome.confidence, 4),
        Searched(list(searched.segments), list(rule.spoken), (start / 1000, end / 1000)),
        f"{searched.words} words {WORDS_OF[rule.who]}, {_clock(start)}–{_clock(end)}; {said}.",
    )


def _clock(ms: int) -> str:
    seconds = ms // 1000
    return f"{seconds // 60}:{seconds % 60:02d}"
