"""What people say: topics with openings, middles and ends, put together so that they read like real talk."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

Said = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Topic:
    """One reason to get in touch."""

    ref: str
    queue: str
    subject: str
    asks: tuple[str, ...]
    details: tuple[str, ...]
    work: tuple[str, ...]
    solves: tuple[str, ...]
    mood: float


TOPICS: tuple[Topic, ...] = (
    Topic(
        "double-charge",
        "Billing",
        "Charged twice this month",
        (
            "I was charged twice this month, {amount} each time.",
            "Two payments of {amount} left my account on the same day.",
            "My bank shows {amount} twice, and I only have one contract.",
        ),
        (
            "It put me overdrawn, and my rent bounced because of it.",
            "This is the second month in a row that it happens.",
            "I need to know when that money comes back.",
        ),
        (
            "I can see both payments here. The second one is a mistake on our side.",
            "Let me check with the payments team for a moment.",
            "I have asked for the second payment to be refunded.",
        ),
        (
            "The refund of {amount} reaches you within three to five working days.",
            "You get an e-mail when the refund is on its way.",
        ),
        -0.6,
    ),
    Topic(
        "outage",
        "Technical",
        "No internet since this morning",
        (
            "My internet has been down since this morning.",
            "Nothing works since about {hour} o'clock, the box blinks red.",
            "I work from home and have no connection at all.",
        ),
        (
            "I have restarted the box twice already.",
            "My neighbours have the same problem.",
            "I have a meeting at {hour} and need it back by then.",
        ),
        (
            "I see a fault in your street that the technicians are working on.",
            "Let me measure your line. That takes a minute.",
            "The line is fine up to your house, so we look at the box together.",
        ),
        (
            "It should be back by {hour} o'clock, and you get a text message.",
            "I have booked a technician for {day}, between eight and twelve.",
        ),
        -0.4,
    ),
    Topic(
        "upgrade",
        "Sales",
        "Wants a larger plan",
        (
            "I run out of data every month. What would a larger plan cost?",
            "I saw your offer for {amount} and have a question about it.",
            "My daughter needs a phone too. Is there a plan for two?",
        ),
        (
            "I do not want a new phone, only more data.",
            "What happens to the price after the first year?",
            "Can I go back if I do not need it?",
        ),
        (
            "With what you use, the middle plan fits. It is {amount} a month.",
            "The price stays for twenty four months, then it is three pounds more.",
            "You may withdraw within fourteen days, without a reason.",
        ),
        (
            "So: the middle plan at {amount} a month from {day}. Do you agree to that?",
            "I send you everything in writing today, and nothing changes before you agree.",
        ),
        0.3,
    ),
    Topic(
        "cancel",
        "Retention",
        "Wants to cancel",
        (
            "I want to cancel my contract.",
            "I am moving abroad and will not need the line any more.",
            "The competitor is {amount} cheaper, so I would like to leave.",
        ),
        (
            "I have been a customer for nine years.",
            "I do not want another offer, I only want to leave.",
            "What do I still have to pay?",
        ),
        (
            "I am sorry to hear that. I check how long your contract still runs.",
            "Your contract runs until {day}, and there is no fee after that.",
            "May I ask what made you decide?",
        ),
        (
            "Your contract ends on {day}. You get it in writing within two days.",
            "I have noted it, and you need not do anything else.",
        ),
        -0.3,
    ),
    Topic(
        "delivery",
        "Orders",
        "Parcel has not arrived",
        (
            "My new phone should have been here on {day}.",
            "The tracking has not moved for a week.",
            "The driver says nobody was at home, but I was.",
        ),
        (
            "I have paid {amount} for express delivery.",
            "I took a day off for this.",
            "Who do I talk to, you or the carrier?",
        ),
        (
            "You talk to me, I take care of the carrier.",
            "I see that the parcel is in the depot since {day}.",
            "I order a new delivery and pay the express fee back.",
        ),
        (
            "It comes on {day} between ten and two, and you may choose another day in the link.",
            "The {amount} go back to your account within five days.",
        ),
        -0.4,
    ),
    Topic(
        "login",
        "Technical",
        "Cannot sign in",
        (
            "I cannot get into my account any more.",
            "It says my password is wrong, and the mail to change it does not come.",
            "Since the update I am signed out all the time.",
        ),
        (
            "I need an invoice from there by {day}.",
            "I have looked in the spam folder too.",
            "My address there is an old one.",
        ),
        (
            "I see the old address here. I can change it once I know that it is you.",
            "Your account is locked after five tries. I unlock it now.",
            "Please try it again while I stay with you.",
        ),
        (
            "You are in again, good. The invoice is under Documents.",
            "The new mail is on its way and works for thirty minutes.",
        ),
        -0.2,
    ),
)

GREETINGS = (
    "Thank you for calling Harbor Mobile, my name is {agent}. How may I help you today?",
    "Harbor Mobile, this is {agent}. This call may be recorded. What can I do for you?",
    "Hello, you are through to {agent} at Harbor Mobile. How can I help?",
)
GREETINGS_WRITTEN = (
    "Hello, this is {agent} at Harbor Mobile. How can I help?",
    "Welcome to Harbor Mobile. I am {agent}; what can I do for you?",
    "Hi, {agent} here. I have read what you wrote and look into it now.",
)
THANKS_FOR_WRITING = (
    "thank you for writing.",
    "thank you for your message, and for the details.",
    "your message has reached me.",
)
IDENTITY = (
    "May I have your name and your postcode, please?",
    "To be sure that I talk to the account holder: your date of birth and postcode, please.",
)
EMPATHY = (
    "I am sorry about that. I understand that this is annoying.",
    "That is a real nuisance, let me have a look at once.",
    "I see why that worries you.",
)
HOLD = ("May I place you on a brief hold?", "One moment please, I look that up.")
CLOSINGS = (
    "Is there anything else I can do for you?",
    "Thank you for your patience. Have a good day.",
)
THANKS = (
    "No, that is all, thank you.",
    "All right. Thank you for your help.",
    "Fine. I hope it works this time.",
)
AMOUNTS = ("£18.50", "£24.00", "£32.90", "£42.00", "£84.20", "£9.99")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
NAMES = (
    "Robert Hale",
    "Maria Santos",
    "Tom Baker",
    "Yusuf Kaya",
    "Helen Marsh",
    "Ivo Novak",
    "Grace Obi",
    "Lena Wolf",
)
POSTCODES = ("LS7 4QA", "M14 6RT", "EH3 9GG", "BS5 0HE", "NE2 1XD")
NOTES = (
    "Spoke to billing: approved. Please tell the customer if they write again.",
    "Customer was called back and did not answer. Second try tomorrow.",
    "Waiting for the carrier, reminder set.",
)


HOLD_WRITTEN = ("One moment please, I look that up.", "I check that for you; it takes a minute or two.")


def filled(text: str, random: Random, agent: str, facts: dict[str, str]) -> str:
    """Put the facts of this conversation into a template; the same fact stays the same throughout."""
    facts.setdefault("amount", random.choice(AMOUNTS))
    facts.setdefault("hour", str(random.randint(2, 9)))
    facts.setdefault("day", random.choice(WEEKDAYS))
    return text.format(agent=agent.split()[0], **facts)


def talk(
    topic: Topic, random: Random, agent: str, customer: str, *, good: bool, written: bool = False
) -> list[Said]:
    """Return who says what; a good conversation verifies, shows interest and closes well."""
    facts: dict[str, str] = {}

    def say(who: str, text: str) -> Said:
        return who, filled(text, random, agent, facts)

    greetings = GREETINGS_WRITTEN if written else GREETINGS
    lines = [say("agent", random.choice(greetings)), say("customer", random.choice(topic.asks))]
    if good or random.random() < 0.5:
        lines.append(say("agent", random.choice(EMPATHY)))
    if good or random.random() < 0.6:
        lines += [
            say("agent", random.choice(IDENTITY)),
            say("customer", f"{customer}, {random.choice(POSTCODES)}."),
        ]
    for ask, work in zip(random.sample(topic.details, 2), random.sample(topic.work, 2), strict=True):
        lines += [say("customer", ask), say("agent", work)]
    if random.random() < 0.5:
        lines += [
            say("agent", random.choice(HOLD_WRITTEN if written else HOLD)),
            say("customer", "Yes, of course."),
            say("agent", "Thank you for waiting."),
        ]
    lines.append(say("agent", random.choice(topic.solves)))
    if good:
        lines.append(say("agent", CLOSINGS[0]))
    lines += [say("customer", random.choice(THANKS)), say("agent", CLOSINGS[1])]
    return lines


def letters(topic: Topic, random: Random, agent: str, customer: str, *, good: bool) -> list[Said]:
    """Return the letters of a written case: a good one asks who it is, answers all and names a date."""
    facts: dict[str, str] = {}
    details, work = random.sample(topic.details, 2), random.sample(topic.work, 2)
    first = customer.split()[0]

    def letter(who: str, opening: str, *paragraphs: str) -> Said:
        close = f"Kind regards\n{agent}, Harbor Mobile" if who == "agent" else f"Regards\n{customer}"
        body = "\n\n".join(part for part in (opening, *paragraphs, close) if part)
        return who, filled(body, random, agent, facts)

    found = [letter("customer", "Hello,", f"{random.choice(topic.asks)} {details[0]}")]
    kind = f"{random.choice(EMPATHY)} " if good or random.random() < 0.4 else ""
    proof = f"{IDENTITY[1]}" if good or random.random() < 0.6 else ""
    found.append(
        letter("agent", f"Dear {customer},", f"{random.choice(THANKS_FOR_WRITING)} {kind}{work[0]}", proof)
    )
    answer = f"It is {random.choice(POSTCODES)}, born on 4 May 1984. " if proof else ""
    found.append(letter("customer", "Hello,", f"{answer}{details[1]}"))
    end = f"{CLOSINGS[0]} Just answer this letter." if good else ""
    found.append(letter("agent", f"Dear {customer},", f"{work[1]} {random.choice(topic.solves)}", end))
    if random.random() < 0.6:
        found.append(("customer", f"{random.choice(THANKS)}\n\n{first}"))
    return found
