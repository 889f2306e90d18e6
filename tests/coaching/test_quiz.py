"""A quiz as text: what it means, what is refused, and what an answer is worth."""

from __future__ import annotations

import pytest

from qa.coaching import quiz

TEXT = """
? What do you still have to ask? (2)
- Nothing
+ One thing the menu did not ask
- Everything again

?? What may you say before identity is checked? (2)
+ The opening hours
- The last four digits
+ How a refund works

? Put the steps in order (3)
1. Greet
2. Verify
3) Open the account

? What do you answer? (3)
> Says why it is asked
> once more.
"""


def test_a_quiz_is_read_from_plain_text() -> None:
    single, multiple, order, free = quiz.read(TEXT)
    assert (single.kind, single.points, single.right) == ("single", 2, {1})
    assert (multiple.kind, multiple.right) == ("multiple", {0, 2})
    assert (order.kind, order.options) == ("order", ("Greet", "Verify", "Open the account"))
    assert (free.kind, free.hint, free.points) == ("free", "Says why it is asked once more.", 3)
    assert quiz.total(quiz.read(TEXT)) == 10
    assert quiz.needed(quiz.read(TEXT), 75) == 8
    assert quiz.read("  \n") == ()
    assert quiz.read("?? One right, but ticked\n+ a\n- b")[0].kind == "multiple"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("+ an answer", "Line 1: a question begins with “?”."),
        ("? \n+ a\n- b", "Line 1: the question has no words."),
        ("\n? A\n+ a", "Line 2: 2 to 20 answers or steps are needed."),
        ("? A\n- a\n- b", "Line 1: mark the right answer with +."),
        ("? A\n+ a\n- a", "Line 1: two answers say the same."),
        ("? A\n+ a\n- b\n1. c\n2. d", "Line 1: a question has either answers or steps to order, not both."),
        ("? A\nb", "Line 2: an answer begins with +, -, a number or >."),
        ("? A (0)\n+ a\n- b", "Line 1: a question has 1 to 100 points."),
        ("?? A\n> b", "Line 1: “??” needs answers to tick."),
        ("? A\n+ a\n- b\n" * 61, "A quiz has at most 60 questions."),
    ],
)
def test_what_is_no_quiz_is_refused_with_the_line(text: str, said: str) -> None:
    with pytest.raises(quiz.QuizError, match=r".") as refused:
        quiz.read(text)
    assert str(refused.value) == said


def test_answers_count_whole_or_not_and_own_words_wait_for_a_person() -> None:
    questions = quiz.read(TEXT)
    right = {"1": 1, "2": [0, 2], "3": [0, 1, 2], "4": "Because the money moves."}
    assert [one.points for one in quiz.mark(questions, right, {})] == [2, 2, 3, None]
    wrong = {"1": 0, "2": [0], "3": [0, 2, 1]}
    assert [one.points for one in quiz.mark(questions, wrong, {})] == [0, 0, 0, 0]
    by_person = {"4": {"points": 2, "comment": "Say why."}}
    assert quiz.mark(questions, right, by_person)[3] == quiz.Marked(questions[3], 2, "Say why.")


def test_steps_are_shown_in_an_order_that_is_not_the_right_one() -> None:
    order = quiz.read(TEXT)[2]
    shown = [quiz.shuffled(order, f"{seed}") for seed in range(40)]
    assert all(sorted(one) == [0, 1, 2] for one in shown)
    assert [0, 1, 2] not in shown
    assert quiz.shuffled(order, "7") == quiz.shuffled(order, "7")
