"""Who works in the demo centre: two sites, six teams, and one sign-in for each role."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from string import ascii_uppercase
from typing import Any

FIRST = [
    "Dana",
    "Kofi",
    "Leilani",
    "Aisha",
    "Femi",
    "Renata",
    "Tomasz",
    "Hugo",
    "Noor",
    "Priya",
    "Mara",
    "Owen",
    "Ingrid",
    "Jonas",
    "Chidi",
    "Amara",
    "Luca",
    "Sofia",
    "Mateo",
    "Elif",
    "Yara",
    "Henrik",
    "Nadia",
    "Ravi",
    "Clara",
    "Emeka",
    "Greta",
    "Pablo",
    "Mina",
    "Oskar",
    "Tessa",
    "Idris",
    "Zofia",
    "Bram",
    "Lucia",
    "Dmitri",
    "Hanna",
    "Kwame",
    "Vera",
    "Felix",
]
LAST = [
    "Ortiz",
    "Mensah",
    "Kahale",
    "Bello",
    "Adeyemi",
    "Silva",
    "Wieczorek",
    "Marchetti",
    "Haddad",
    "Raman",
    "Lindqvist",
    "Price",
    "Solheim",
    "Weber",
    "Okafor",
    "Diallo",
    "Romano",
    "Costa",
    "Vargas",
    "Demir",
    "Saleh",
    "Lund",
    "Petrova",
    "Iyer",
    "Fischer",
    "Eze",
    "Braun",
    "Ruiz",
    "Park",
    "Nilsson",
    "Moore",
    "Hassan",
    "Kowalska",
    "Janssen",
    "Moreno",
    "Orlov",
    "Virtanen",
    "Boateng",
    "Horvat",
    "Kraus",
]
SITES = (
    ("Harbor North", ("Billing North", "Technical North", "Orders North")),
    ("Harbor South", ("Billing South", "Technical South", "Sales South")),
)
ROLE_PEOPLE = (
    ("evaluator", "Mara Lindqvist"),
    ("agent", "Dana Ortiz"),
    ("lead", "Priya Raman"),
    ("coach", "Owen Price"),
    ("manager", "Ingrid Solheim"),
    ("ops", "Jonas Weber"),
    ("calibrator", "Clara Fischer"),
    ("privacy", "Nadia Petrova"),
    ("auditor", "Henrik Lund"),
    ("admin", "Ilse Verhoeven"),
)
SEVERITY = (0.0, -0.12, 0.10, -0.04, 0.05)
"""How much milder (+) or stricter (-) each of the five evaluators is, in shares of an answer."""


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """One person to be made."""

    name: str
    email: str
    roles: tuple[str, ...]
    team: str | None
    signs_in: bool
    quality: float = 0.0
    severity: float = 0.0
    former_team: str | None = None
    moved_days_ago: int = 0

    def team_on(self, days_ago: int) -> str | None:
        """Return the team they worked in so many days ago."""
        return self.former_team if self.former_team and days_ago > self.moved_days_ago else self.team


TEAM_SIZE = 15
MOVED_DAYS = (20, 70)


def sites_for(agents: int) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the sites with their teams: six, or as many as put fifteen agents into each."""
    count = max(1, -(-agents // (TEAM_SIZE * sum(len(names) for _, names in SITES))))
    return tuple(
        (
            site,
            (
                *names,
                *(f"{name} {number}" for number in range(2, count + 1) for name in names),
            ),
        )
        for site, names in SITES
    )


def everybody(random: Random, agents: int) -> list[DemoPerson]:
    """Return all people; the one for each role first."""
    teams = [team for _, names in sites_for(agents) for team in names]
    found = [
        DemoPerson(
            name=name,
            email=f"{name.lower().replace(' ', '.')}@harbor.example",
            roles=(role,),
            team=teams[0] if role in {"agent"} else SITES[0][0] if role == "lead" else None,
            signs_in=True,
            quality=0.78,
        )
        for role, name in ROLE_PEOPLE
    ]
    taken = {person.name for person in found}

    def name() -> str:
        made = first, last = random.choice(FIRST), random.choice(LAST)
        tries = [" ".join(made), *(f"{first} {letter}. {last}" for letter in ascii_uppercase)]
        chosen = next((one for one in tries if one not in taken), f"{tries[0]} {len(taken)}")
        taken.add(chosen)
        return chosen

    def add(roles: tuple[str, ...], team: str | None, **facts: Any) -> None:
        who = name()
        mail = f"{who.lower().replace(' ', '.')}.{len(found)}@harbor.example"
        found.append(DemoPerson(who, mail, roles, team, False, **facts))

    for severity in SEVERITY[1:]:
        add(("evaluator",), None, severity=severity)
    for team in teams[1:]:
        add(("lead",), team)
    for _ in range(2):
        add(("coach",), None)
    for number in range(agents - 1):
        place = number % len(teams)
        facts: dict[str, Any] = {"quality": min(0.97, max(0.5, random.gauss(0.8, 0.08)))}
        if number % 10 == 7:
            facts |= {"former_team": teams[place - 1], "moved_days_ago": random.randint(*MOVED_DAYS)}
        add(("agent",), teams[place], **facts)
    return found
