"""What an agent's page shows: the trend with its range, what to work on, what is strong, month by month."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from markupsafe import Markup

from qa.insights.score_queries import Moment
from qa.insights.scores import (
    FEWEST,
    Average,
    Scored,
    Spread,
    Tally,
    Topic,
    auto_fails,
    average,
    by_question,
    counted,
    spread_of,
    strong_at,
    to_work_on,
    topics,
    values_by_agent,
)
from qa.scorecards.compiled import CompiledForm
from qa.scorecards.models import ScorecardVersion
from qa.scorecards.queries import form_of
from qa.stats.charts import FEWEST_POINTS, ewma
from qa.stats.shrinkage import BestGuess, empirical_bayes
from qa.stats.small_samples import SCORE_BOUNDS, detectable_change, likely_places, n_to_detect
from qa.web.charts import heat, small, trend
from qa.web.charts.core import Chart, whole
from qa.web.display import MONTHS

FORTNIGHT = timedelta(days=14)
FORTNIGHTS = 12
MONTHS_BACK = 6
WINDOWS = (30, 60, 90)
TOPICS = 3
POINTS = 5
FEWEST_PEOPLE = 5
"""A team's average stands for nobody in particular from this many agents on."""


def first_day(now: datetime) -> datetime:
    """Return from when on evaluations are read: six calendar months or twelve fortnights, the longer."""
    month = date(now.year, now.month, 1)
    for _ in range(MONTHS_BACK - 1):
        month = (month - timedelta(days=1)).replace(day=1)
    start = min(month, now.date() - FORTNIGHTS * FORTNIGHT + timedelta(days=1))
    return datetime.combine(start, time(), tzinfo=now.tzinfo)


@dataclass(frozen=True, slots=True)
class CardChoice:
    """A scorecard the agent was judged by, and how often."""

    id: int
    title: str
    n: int


@dataclass(frozen=True, slots=True)
class Card:
    """The scorecard a page is about: its versions and the newest one's questions, pass mark and title."""

    id: int
    title: str
    versions: Sequence[ScorecardVersion]
    compiled: CompiledForm

    @property
    def target(self) -> float | None:
        """Return the pass mark."""
        return None if self.compiled.pass_mark is None else float(self.compiled.pass_mark)

    @property
    def target_words(self) -> str:
        """Return the pass mark as people write it."""
        return "" if self.compiled.pass_mark is None else whole(self.compiled.pass_mark)

    @property
    def questions(self) -> dict[str, str]:
        """Return the text of each question that can be met, in the order of the form."""
        return {one.ref: one.text for one in self.compiled.questions if one.base and one.counts}


def choose_card(
    rows: Sequence[Scored], versions: Sequence[ScorecardVersion], asked: int | None
) -> tuple[Card | None, list[CardChoice]]:
    """Return the scorecard asked for, else the one most used, and all there are to choose from."""
    of_card: dict[int, list[ScorecardVersion]] = {}
    for version in versions:
        of_card.setdefault(version.scorecard_id, []).append(version)
    used = Counter(row.scorecard_id for row in rows if row.scorecard_id in of_card)
    choices = [CardChoice(one, of_card[one][-1].title, n) for one, n in used.most_common()]
    chosen = next((one for one in choices if one.id == asked), choices[0] if choices else None)
    if chosen is None:
        return None, []
    found = of_card[chosen.id]
    return Card(chosen.id, chosen.title, found, form_of(found[-1]).compiled), choices


@dataclass(frozen=True, slots=True)
class TopicView:
    """A question to work on or a strength: its words, its range as a picture, a moment to hear."""

    text: str
    own: Tally
    others: Tally
    against: str
    band: Markup
    moment: Moment | None


@dataclass(frozen=True, slots=True)
class Now:
    """The last weeks: the average with its range, the best guess, twenty likely places, auto-fails."""

    days: int
    average: Average
    guess: BestGuess | None
    mu: float | None
    places: Markup | None
    below: int
    fails: Tally


@dataclass(frozen=True, slots=True)
class Plan:
    """What so many calls a month can show."""

    n: int
    change: float
    needed: int


@dataclass(frozen=True, slots=True)
class AgentNumbers:
    """Everything on an agent's page that is counted."""

    card: Card
    random: int
    targeted: int
    step: str
    trend: Chart | None
    change: str
    plan: Plan | None
    now: Now
    work_on: list[TopicView]
    kind: bool
    strong: list[TopicView]
    heat: heat.Heat | None


def numbers_of(
    card: Card,
    rows: Sequence[Scored],
    beside: Sequence[Scored],
    moments: Sequence[Moment],
    *,
    now: datetime,
    coached: Sequence[datetime] = (),
) -> AgentNumbers:
    """Return an agent's numbers by one scorecard. ``coached``: when coaching began."""
    own = [row for row in rows if row.scorecard_id == card.id]
    others = [row for row in beside if row.scorecard_id == card.id]
    spread = spread_of(values_by_agent([*own, *others]))
    buckets = _buckets(own, now)
    found = topics(by_question(own), by_question(others))
    work = to_work_on(found, TOPICS)
    strong = strong_at(found, TOPICS, but=work)
    return AgentNumbers(
        card=card,
        random=len(counted(own)),
        targeted=sum(not row.is_random for row in own),
        step=buckets.step,
        trend=_trend(card, buckets, spread, [one.astimezone(now.tzinfo).date() for one in coached]),
        change=_change(buckets, spread),
        plan=_plan(own, spread, now),
        now=_now(card, own, others, spread, now),
        work_on=[_topic(card, one, moments) for one in work],
        kind=all(100 * (one.own.range["hi"] or 0.0) >= (card.target or 0.0) for one in work),
        strong=[_topic(card, one, moments) for one in strong],
        heat=heat_by_month(card, own, now),
    )


@dataclass(frozen=True, slots=True)
class Buckets:
    """Counted scores by fortnight or month: the first day and the scores of each."""

    step: str
    days: tuple[date, ...]
    values: tuple[list[float], ...]

    def place(self, day: date) -> float:
        """Return where a day lies: 0 is the middle of the first bucket, half a step on its end."""
        at = sum(first <= day for first in self.days) - 1
        if at < 0:
            return -1.0
        ends = (*self.days[1:], self.days[-1] + timedelta(days=30 if self.step == "month" else 14))
        length = (ends[at] - self.days[at]).days
        return at - 0.5 + (day - self.days[at]).days / length

    @property
    def filled(self) -> list[tuple[date, list[float]]]:
        """Return those with a score."""
        return [(day, found) for day, found in zip(self.days, self.values, strict=True) if found]


def _buckets(rows: Sequence[Scored], now: datetime) -> Buckets:
    """Return the scores by fortnight when most fortnights hold an average, else by month."""
    scored = [(row.at.astimezone(now.tzinfo).date(), row.score or 0.0) for row in counted(rows)]
    today = now.date()
    fortnights = [today - place * FORTNIGHT + timedelta(days=1) for place in range(FORTNIGHTS, 0, -1)]
    found = _divided("fortnight", fortnights, scored)
    if 2 * sum(len(values) >= FEWEST for values in found.values) >= len(found.filled) > 0:
        return found
    months = [today.replace(day=1)]
    for _ in range(MONTHS_BACK - 1):
        months.insert(0, (months[0] - timedelta(days=1)).replace(day=1))
    return _divided("month", months, scored)


def _divided(step: str, days: Sequence[date], scored: Sequence[tuple[date, float]]) -> Buckets:
    values: list[list[float]] = [[] for _ in days]
    for day, score in scored:
        place = sum(first <= day for first in days) - 1
        if place >= 0:
            values[place].append(score)
    first = next((place for place, one in enumerate(values) if one), len(days))
    return Buckets(step, tuple(days[first:]), tuple(values[first:]))


def _label(step: str, day: date) -> str:
    month = MONTHS[day.month - 1]
    return month if step == "month" else f"{day.day} {month}"


def _trend(card: Card, buckets: Buckets, spread: Spread, coached: Sequence[date]) -> Chart | None:
    points = []
    for day, values in zip(buckets.days, buckets.values, strict=True):
        found = average(values, spread)
        points.append(trend.Point(_label(buckets.step, day), found.n, found.mean, found.lo, found.hi))
    events = [
        (version.activated_at.date(), f"form version {version.number}", f"version {version.number}")
        for version in card.versions
        if version.activated_at
    ] + [(day, f"coaching began {_label('', day)}", "coaching") for day in coached]
    marks = [trend.Mark(buckets.place(day), words, short) for day, words, short in events]
    step = buckets.step
    if all(point.value is None for point in points):
        return None
    return trend.chart(
        points,
        about=f"Average score by {step}",
        target=card.target,
        target_words=f"pass {card.target_words}" if card.target_words else "",
        marks=[mark for mark in marks if 0 <= mark.place <= len(points) - 1],
    )


def _change(buckets: Buckets, spread: Spread) -> str:
    """Return whether the scores shifted, in words; what cannot be told is told as that."""
    scored = buckets.filled
    if not spread.sd or len(scored) < 2:
        return "Too few evaluations to see a trend."
    means = [sum(values) / len(values) for _, values in scored]
    found = ewma(means, sigma=spread.sd, n=[len(values) for _, values in scored])
    signals = found["signals_1based"]
    if signals:
        return f"Shift since {_label(buckets.step, scored[signals[0] - 1][0])}."
    if buckets.step == "month":
        return "Too few evaluations a fortnight to tell a shift from chance."
    if len(scored) < FEWEST_POINTS:
        return f"{FEWEST_POINTS} fortnights are needed before a shift can be told from chance."
    return "No unusual change."


def _plan(rows: Sequence[Scored], spread: Spread, now: datetime) -> Plan | None:
    recent = sum(row.at >= now - timedelta(days=90) for row in counted(rows))
    n = round(recent / 3)
    if not spread.sd or not n:
        return None
    change = detectable_change(n, spread.sd)["change"]
    return Plan(n, change, n_to_detect(POINTS, spread.sd)["n_per_period"])


def _now(card: Card, own: Sequence[Scored], others: Sequence[Scored], spread: Spread, now: datetime) -> Now:
    """Return the shortest of the last 30, 60 or 90 days with three evaluations, else the last 90."""
    days, rows = WINDOWS[-1], list[Scored]()
    for days in WINDOWS:
        rows = [row for row in own if row.at >= now - timedelta(days=days)]
        if len(counted(rows)) >= FEWEST:
            break
    found = average([row.score or 0.0 for row in counted(rows)], spread)
    guess, mu = _best_guess(rows, own, others)
    target, places = card.target, list[float]()
    if found.lo is not None and found.hi is not None:
        places = likely_places(found.lo, found.hi)["places"]
    below = sum(place < target for place in places) if target is not None else 0
    return Now(
        days,
        found,
        guess,
        mu,
        small.places(places, target=target, ends=_ends(places)),
        below,
        auto_fails(rows),
    )


def _ends(places: Sequence[float]) -> tuple[float, float] | None:
    """Return an axis for scores that a bonus lifts over 100; None for all others."""
    if not places or max(places) <= SCORE_BOUNDS[1]:
        return None
    return 10 * (min(places) // 10), 10 * (max(places) // 10 + 1)


def _best_guess(
    rows: Sequence[Scored], own: Sequence[Scored], others: Sequence[Scored]
) -> tuple[BestGuess | None, float | None]:
    """Return the best guess for these rows, by how half a year's scores differ within and between agents."""
    groups = values_by_agent([*own, *others])
    if len(groups) < FEWEST_PEOPLE:
        return None, None
    whole = empirical_bayes(groups)
    within, between = whole["sigma2_within"], whole["tau2_between"]
    mine = values_by_agent(rows)
    if within is None or between is None or not mine:
        return None, None
    agent = next(iter(mine))
    found = empirical_bayes({**groups, **mine}, sigma2_within=within, tau2_between=between)
    return found["agents"][agent], found["mu"]


def _topic(card: Card, one: Topic, moments: Sequence[Moment]) -> TopicView:
    text = card.questions.get(one.ref, one.ref)
    found = one.own.range
    words = f"{text}: {one.own.k} of {one.own.n}"
    return TopicView(
        text=text,
        own=one.own,
        others=one.others,
        against=one.against,
        band=small.band(found["p"], found["lo"], found["hi"], ends=(0, 1), sentence=words),
        moment=next((moment for moment in moments if moment.question == one.ref), None),
    )


def heat_by_month(card: Card, rows: Sequence[Scored], now: datetime) -> heat.Heat | None:
    """Return how often each question was met in each month, from the first month with an evaluation on."""
    zone = now.tzinfo if isinstance(now.tzinfo, ZoneInfo) else None
    of_month: dict[tuple[int, int], list[Scored]] = {}
    for row in rows:
        at = row.at.astimezone(zone)
        of_month.setdefault((at.year, at.month), []).append(row)
    months = sorted(of_month)
    tallies = {month: by_question(of_month[month]) for month in months}
    months = [month for month in months if tallies[month]]
    return heat.chart(
        heat_rows(card, [tallies[month] for month in months]),
        [heat.Column(MONTHS[month - 1], f"{MONTHS[month - 1]} {year}") for year, month in months],
        about="Share met by question and month",
    )


def heat_rows(card: Card, columns: Sequence[Mapping[str, Tally]]) -> list[heat.Row]:
    """Return a row for each question of the form that was scored at least once."""
    nothing = Tally(0, 0)
    rows = []
    for ref, text in card.questions.items():
        cells = [column.get(ref, nothing) for column in columns]
        if any(cell.n for cell in cells):
            rows.append(heat.Row(text, tuple(heat.Cell(cell.k, cell.n) for cell in cells)))
    return rows


def best_moments(
    rows: Sequence[Scored], moments: Sequence[Moment], questions: Mapping[str, str], most: int = TOPICS
) -> list[tuple[str, Moment]]:
    """Return the newest pinned moments of questions that were fully met, one of each evaluation."""
    met = {row.id: row.met for row in rows}
    found: dict[int, tuple[str, Moment]] = {}
    for one in moments:
        if one.evaluation_id not in found and met.get(one.evaluation_id, {}).get(one.question):
            found[one.evaluation_id] = (questions.get(one.question, one.question), one)
    return list(found.values())[:most]
