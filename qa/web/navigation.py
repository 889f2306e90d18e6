"""What every page's frame shows: who is here, where one can go, what the site is called."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from flask import request, url_for

from qa.web import context

COUNTS = "nav_counts"


@dataclass(frozen=True, slots=True)
class Link:
    """One entry: ``roles`` says who finds it useful; what it opens asks for permission itself."""

    label: str
    endpoint: str
    icon: str
    roles: frozenset[str]
    current: bool = False
    url: str = ""
    count: int | None = None


def _roles(names: str) -> frozenset[str]:
    return frozenset(names.split())


EVERYBODY = _roles("agent evaluator coach lead calibrator manager ops privacy auditor admin")
GROUPS: tuple[tuple[str, tuple[Link, ...]], ...] = (
    (
        "Work",
        (
            Link("Home", "insights.home", "home", EVERYBODY),
            Link("My queue", "evaluations.queue", "queue", _roles("evaluator")),
            Link(
                "Interactions",
                "interactions.index",
                "inbox",
                _roles("agent evaluator coach lead calibrator manager ops privacy"),
            ),
            Link("Assignments", "evaluations.assignments", "dice", _roles("lead manager")),
            Link(
                "Evaluations",
                "evaluations.index",
                "check-form",
                _roles("agent evaluator coach lead manager ops"),
            ),
        ),
    ),
    (
        "People",
        (
            Link("My progress", "insights.agents", "chart", _roles("agent")),
            Link("Agents", "insights.agents", "person", _roles("coach lead manager ops")),
        ),
    ),
    (
        "Learn",
        (
            Link("Coaching", "coaching.index", "coach", _roles("agent coach lead manager")),
            Link(
                "Training",
                "training.index",
                "book",
                _roles("agent evaluator coach lead calibrator manager ops admin"),
            ),
            Link("Scorecards", "scorecards.index", "form", EVERYBODY),
            Link("Machine answers", "autoscorers.index", "search", _roles("manager privacy auditor")),
            Link("Comment templates", "evaluations.templates", "comment", _roles("evaluator lead manager")),
        ),
    ),
    (
        "Organise",
        (
            Link("People", "accounts.people", "people", _roles("lead manager ops privacy admin")),
            Link("Teams", "accounts.teams", "flag", _roles("manager admin")),
            Link("Plugins", "extensions.index", "plug", _roles("manager privacy auditor admin")),
            Link("Sources", "sources.index", "inbox", _roles("manager privacy auditor admin")),
            Link("Mail", "mail.show", "mail", _roles("admin")),
        ),
    ),
)


def page_facts() -> dict[str, Any]:
    """Return what base templates read: actor, nav, site."""
    actor = context.find_actor()
    return {
        "actor": actor,
        "nav": groups_for(actor.roles) if actor else [],
        "keymap": dict(actor.keys) if actor else {},
        "site": {"name": context.settings().site_name, "zone": context.settings().time_zone},
    }


def groups_for(roles: frozenset[str]) -> list[dict[str, Any]]:
    """Return the groups that hold at least one link for these roles, the current one marked."""
    shown = []
    for title, links in GROUPS:
        mine = [_placed(link) for link in links if link.roles & roles]
        if mine:
            shown.append({"title": title, "links": mine})
    return shown


def _placed(link: Link) -> Link:
    url = url_for(link.endpoint)
    section = (request.endpoint or "").split(".")[0]
    here = request.endpoint == link.endpoint or (
        request.path.startswith(url + "/") and url != "/" and section == link.endpoint.split(".")[0]
    )
    return replace(link, url=url, current=here)
