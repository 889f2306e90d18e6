"""What a team's page shows: who differs by more than chance, questions by agent, who needs a coach."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from markupsafe import Markup

from qa.accounts.models import Team, User
from qa.insights.agent_page import Card, choose_card, heat_rows
from qa.insights.score_queries import Coverage
from qa.insights.scores import (
    FEWEST,
    Average,
    Need,
    Scored,
    average,
    by_question,
    counted,
    in_need,
    need_of,
    spread_of,
    values_by_agent,
)
from qa.scorecards.models import ScorecardVersion
from qa.stats.funnels import FunnelByLot, funnel_by_lot
from qa.stats.sampling import select_random
from qa.stats.shrinkage import BestGuess, empirical_bayes, rank_range, variance_components
from qa.stats.small_samples import mean_t
from qa.web.charts import funnel, heat, small
from qa.web.charts.core import Chart, in_words, score_ends
from qa.web.display import initials

HALF_YEAR = timedelta(days=182)
NEED_WINDOW = timedelta(days=90)
PERIODS = (30, 90, 180)
LOTS = 2_000
"""Enough for the outer limits; more would only draw the same lines smoother."""

PLACE_WORDS = {
    "inside": "Inside normal chance variation.",
    "below_95": "Inside normal chance variation, at the lower edge.",
    "above_95": "Inside normal chance variation, at the upper edge.",
    "below": "Below what chance alone would give. Worth a look.",
    "above": "Above what chance alone would give. Worth a look.",
}

Address = Callable[[int], str]


@dataclass(frozen=True, slots=True)
class AgentLine:
    """One agent in the alphabetical table."""

    agent: User
    average: Average
    guess: BestGuess | None
    band: Markup
    words: str
    rank: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class NeedView:
    """Somebody who may need a coach, and why: a question's words, or the score as a whole."""

    agent: User
    need: Need
    question: str


@dataclass(frozen=True, slots=True)
class TeamNumbers:
    """Everything on a team's page that is counted."""

    card: Card
    random: int
    targeted: int
    average: Average
    mu: float | None
    funnel: Chart | None
    funnel_words: str
    heat: heat.Heat | None
    ends: tuple[float, float]
    lines: list[AgentLine]
    needs: list[NeedView]
    silent: list[NeedView]
    ranked: bool


def numbers_of(
    card: Card,
    agents: Sequence[User],
    rows: Sequence[Scored],
    *,
    now: datetime,
    days: int,
    ranks: bool,
    address: Address,
) -> TeamNumbers:
    """Return a team's numbers by one scorecard; ``rows`` reach back half a year to tell how scores differ."""
    whole = [row for row in rows if row.scorecard_id == card.id]
    recent = [row for row in whole if row.at >= now - timedelta(days=days)]
    groups = values_by_agent(recent)
    every = [value for values in groups.values() for value in values]
    center = mean_t(every)
    drawn = _by_lot(groups, int(f"{now:%Y%m}"))
    needs, silent = needs_of(card, agents, recent, whole)
    return TeamNumbers(
        card=card,
        random=len(every),
        targeted=sum(not row.is_random for row in recent),
        average=Average(center["n"], center["mean"], center["lo"], center["hi"], center["reason"])
        if len(every) >= FEWEST
        else Average(len(every)),
        mu=variance_components(values_by_agent(whole))["mu"],
        funnel=_funnel(agents, drawn, days, address),
        funnel_words=_funnel_words(agents, drawn),
        heat=_heat(card, agents, recent, address),
        ends=score_ends([value for one in groups.values() for value in one]),
        lines=_lines(card, agents, groups, whole, drawn, ranks=ranks),
        needs=needs,
        silent=silent,
        ranked=ranks,
    )


def _by_lot(groups: Mapping[str, list[float]], seed: int) -> FunnelByLot:
    return _dealt(tuple((agent, tuple(values)) for agent, values in sorted(groups.items())), seed)


@lru_cache(maxsize=64)
def _dealt(groups: tuple[tuple[str, tuple[float, ...]], ...], seed: int) -> FunnelByLot:
    """Deal once for the same evaluations: a page that is opened twice draws the same limits."""
    return funnel_by_lot({agent: list(values) for agent, values in groups}, seed=seed, draws=LOTS)


def _funnel(agents: Sequence[User], drawn: FunnelByLot, days: int, address: Address) -> Chart | None:
    standings = []
    for agent in agents:
        found = drawn["agents"].get(str(agent.id))
        place = found["place"] if found else funnel.TOO_FEW
        mean = found["mean"] if found and place != funnel.TOO_FEW else None
        standings.append(
            funnel.Standing(agent.name, found["n"] if found else 0, mean, place, address(agent.id))
        )
    limits = funnel.Limits(drawn["n"], drawn["lo95"], drawn["hi95"], drawn["lo998"], drawn["hi998"])
    caption = f"random evaluations of the last {days} days"
    return funnel.chart(standings, limits, drawn["center"], counted="evaluations", caption=caption)


def _funnel_words(agents: Sequence[User], drawn: FunnelByLot) -> str:
    judged = [one for one in drawn["agents"].values() if one["place"] != funnel.TOO_FEW]
    names = {str(agent.id): agent.name for agent in agents}
    outside = [names[key] for key, one in drawn["agents"].items() if one["place"] in {"below", "above"}]
    if not judged:
        return "Too few evaluations to tell anybody from chance."
    if not outside:
        return f"None of {len(judged)} agents does."
    return f"{in_words(sorted(outside))} {'does' if len(outside) == 1 else 'do'}, of {len(judged)} agents."


def _heat(card: Card, agents: Sequence[User], rows: Sequence[Scored], address: Address) -> heat.Heat | None:
    of_agent: dict[int, list[Scored]] = {}
    for row in rows:
        of_agent.setdefault(row.agent_id, []).append(row)
    shown = [agent for agent in agents if agent.id in of_agent]
    tallies = [by_question(of_agent[agent.id]) for agent in shown]
    return heat.chart(
        heat_rows(card, tallies),
        [heat.Column(initials(agent.name), agent.name, address(agent.id)) for agent in shown],
        about="Share met by question and agent",
    )


def _lines(
    card: Card,
    agents: Sequence[User],
    groups: Mapping[str, list[float]],
    whole: Sequence[Scored],
    drawn: FunnelByLot,
    *,
    ranks: bool,
) -> list[AgentLine]:
    spread = spread_of(values_by_agent(whole))
    parts = variance_components(values_by_agent(whole))
    guesses: Mapping[str, BestGuess] = {}
    if parts["sigma2_within"] is not None and parts["tau2_between"] is not None and groups:
        guesses = empirical_bayes(
            dict(groups), sigma2_within=parts["sigma2_within"], tau2_between=parts["tau2_between"]
        )["agents"]
    enough = {agent: values for agent, values in groups.items() if len(values) >= FEWEST}
    places = rank_range(enough, seed=1)["rank_range"] if ranks and len(enough) > 1 else {}
    low, high = score_ends([value for values in groups.values() for value in values])
    lines = []
    for agent in agents:
        key = str(agent.id)
        found = average(groups.get(key, []), spread)
        place = places.get(key)
        inside = drawn["agents"].get(key)
        lines.append(
            AgentLine(
                agent=agent,
                average=found,
                guess=guesses.get(key) if found.mean is not None else None,
                band=small.band(
                    found.mean,
                    found.lo,
                    found.hi,
                    ends=(low, max(high, found.hi or high)),
                    target=card.target,
                    sentence=f"{agent.name}: where the true average probably is",
                ),
                words=PLACE_WORDS.get(inside["place"], "") if inside else "",
                rank=(place["lo"], place["hi"]) if place else None,
            )
        )
    return lines


def needs_of(
    card: Card, agents: Sequence[User], recent: Sequence[Scored], whole: Sequence[Scored]
) -> tuple[list[NeedView], list[NeedView]]:
    """Return who has a gap at the kinder end, the largest first, and of whom nothing can be said yet."""
    spread = spread_of(values_by_agent(whole))
    of_agent: dict[int, list[Scored]] = {agent.id: [] for agent in agents}
    for row in recent:
        if row.agent_id in of_agent:
            of_agent[row.agent_id].append(row)
    found = {one: need_of(one, rows, spread, card.target) for one, rows in of_agent.items()}
    by_id = {agent.id: agent for agent in agents}

    def view(need: Need) -> NeedView:
        return NeedView(by_id[need.agent_id], need, card.questions.get(need.ref or "", need.ref or ""))

    needs = [view(one) for one in in_need(found.values())]
    silent = [view(found[agent.id]) for agent in agents if len(counted(of_agent[agent.id])) < FEWEST]
    return needs, silent


def needs_of_all(
    agents: Sequence[User],
    rows: Sequence[Scored],
    versions: Sequence[ScorecardVersion],
    *,
    now: datetime,
) -> tuple[list[NeedView], int]:
    """Return who needs a coach by any scorecard, each with the largest gap, and of how many none is known."""
    best: dict[int, NeedView] = {}
    heard: set[int] = set()
    _, choices = choose_card(rows, versions, None)
    for choice in choices:
        card, _ = choose_card(rows, versions, choice.id)
        if card is None:
            continue
        whole = [row for row in rows if row.scorecard_id == card.id]
        recent = [row for row in whole if row.at >= now - NEED_WINDOW]
        needs, silent = needs_of(card, agents, recent, whole)
        heard |= {agent.id for agent in agents} - {one.agent.id for one in silent}
        for one in needs:
            if one.agent.id not in best or one.need.gap > best[one.agent.id].need.gap:
                best[one.agent.id] = one
    found = sorted(best.values(), key=lambda one: (-one.need.gap, one.agent.id))
    return found, len(agents) - len(heard)


def drawn_by_lot(needs: Sequence[NeedView], places: int, seed: str) -> list[NeedView]:
    """Return who gets one of the places for coaching when more qualify: by hash, the others follow later."""
    chosen = set(select_random(seed, [str(one.agent.id) for one in needs], places)["selected"])
    return [one for one in needs if str(one.agent.id) in chosen]


@dataclass(frozen=True, slots=True)
class TeamLine:
    """One team in its tree: how many agents, how many with enough evaluations, who waits the longest."""

    team: Team
    depth: int
    agents: int
    covered: int
    unseen: int
    longest: User | None
    longest_since: datetime | None


def tree_of(teams: Sequence[Team]) -> list[tuple[Team, int, frozenset[int]]]:
    """Return teams in reading order with their depth and the ids of all teams in them, themselves too."""
    known = {team.id for team in teams}
    inside: dict[int | None, list[Team]] = {}
    for team in teams:
        inside.setdefault(team.parent_id if team.parent_id in known else None, []).append(team)
    found: list[tuple[Team, int, frozenset[int]]] = []

    def walk(above: int | None, depth: int) -> frozenset[int]:
        every: frozenset[int] = frozenset()
        for team in inside.get(above, ()):
            place = len(found)
            found.append((team, depth, frozenset()))
            ids = frozenset({team.id}) | walk(team.id, depth + 1)
            found[place] = (team, depth, ids)
            every |= ids
        return every

    walk(None, 0)
    return found


def coverage_lines(
    teams: Sequence[Team], agents: Sequence[User], coverage: Mapping[int, Coverage]
) -> list[TeamLine]:
    """Return each team's coverage and who was not evaluated for the longest time."""
    lines = []
    for team, depth, ids in tree_of(teams):
        mine = [agent for agent in agents if agent.team_id in ids]
        if not mine:
            continue
        seen = [coverage.get(agent.id, Coverage(0, None)) for agent in mine]
        last = [(one.last, agent) for one, agent in zip(seen, mine, strict=True) if one.last is not None]
        oldest = min(last, key=lambda pair: pair[0], default=None)
        lines.append(
            TeamLine(
                team=team,
                depth=depth,
                agents=len(mine),
                covered=sum(one.random >= FEWEST for one in seen),
                unseen=sum(one.last is None for one in seen),
                longest=oldest[1] if oldest else None,
                longest_since=oldest[0] if oldest else None,
            )
        )
    return lines
