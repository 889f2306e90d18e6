"""What the demo centre's people learn: five modules in the library and one that left it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Course:
    """One module of the demo library; ``share`` is how many of all agents have it."""

    title: str
    summary: str
    minutes: int
    text: str
    quiz: str = ""
    video_url: str = ""
    months: int | None = None
    tags: Sequence[tuple[str, str]] = ()
    needs: str = ""
    share: float = 0.3
    pass_percent: int = 80


COURSES = (
    Course(
        title="Identity after the phone menu",
        summary="Why the menu is not enough, and what to ask once more.",
        minutes=12,
        text="""# Why two checks

The phone menu knows a number, not a person. Before anything from the account is said, ask for
**two** of: name, postcode, date of birth, account number.

- Say why you ask.
- Ask once, calmly.
- Without two facts nothing is said, and a way out is offered.

> “I only need one more thing, because we are about to change where your money goes.”""",
        quiz="""? The screen shows “caller verified by menu”. What do you still have to ask? (2)
- Nothing, the menu has done it
+ One thing the menu did not ask, if I change bank details
- Name, postcode and date of birth again, always

?? Which of these may you say before identity is checked? (2)
+ The opening hours of the complaints team
- That two debits left the account
+ How a refund works in general
- The last four digits of the account

? Put the steps in order (3)
1. Greet with company and own name
2. Look whether the screen says “caller verified”
3. Ask for two of: name, postcode, date of birth
4. Open the account

? The customer says “I have just typed all that in”. What do you answer? (3)
> Thanks, and says why one more thing is asked.""",
        months=12,
        tags=(("voice-support", "identity"),),
        share=0.4,
    ),
    Course(
        title="Refund times",
        summary="A date instead of “soon”.",
        minutes=9,
        text="""# Name a date

“Soon” leaves the customer waiting and calling again.

| case | say |
|---|---|
| debited twice | back within **5 working days** |
| cancelled order | back within **14 days** |
| by cheque | **21 days** |""",
        quiz="""? A customer was debited twice. When is the money back? (2)
+ Within 5 working days
- Soon
- Within 14 days

? What do you do when you do not know the date? (2)
- Say “as soon as possible”
+ Say when you will know, and keep it
- Pass the call on

? Which comes first? (1)
1. Say what happens next
2. Name the date
3. Ask whether anything is left""",
        tags=(("voice-support", "refund-steps"), ("voice-support", "refund-date")),
        share=0.8,
    ),
    Course(
        title="Words before a hold",
        summary="Ask, say why and how long, thank afterwards.",
        minutes=6,
        text="""# A hold in three sentences

1. “May I put you on hold for about a minute, to look at the bill?”
2. Come back earlier than you said, even without an answer.
3. “Thank you for waiting.”""",
        share=0.3,
    ),
    Course(
        title="Data protection at the desk",
        summary="What may be seen, said and written down.",
        minutes=20,
        text="""# Three rules

- Lock the screen when you stand up.
- Nothing of a customer on paper.
- Who asks about somebody else gets a friendly no.""",
        quiz="""? You go for a coffee. What about the screen? (1)
+ Locked
- Dimmed
- Left, it is only two minutes

? A husband asks about his wife’s bill. (1)
- Tell him, they live together
+ A friendly no, and how she can allow it

?? What may stand on paper? (2)
- A card number
+ My break times
- A customer’s birthday""",
        months=12,
        share=1.0,
    ),
    Course(
        title="When the customer is upset early",
        summary="Listen first, then solve.",
        minutes=15,
        text="""# The first minute

Let them finish. Name what you heard. Only then solve.""",
        video_url="https://video.example/listen-first",
        needs="Words before a hold",
        tags=(("voice-support", "understood"),),
        share=0.15,
    ),
)
RETIRED = Course(
    "The old refund form", "Replaced by “Refund times”.", 10, "# The form of last year", share=0.1
)
