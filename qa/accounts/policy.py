"""Who may do what, on one page.

Each row of ``POLICY`` reads like the table it is: role = scopes. *own* is about me (for an
agent) or written, opened or owned by me (for everybody else); *assigned* is in my queue, my
coachee, my session; *team* is somebody else's in my teams; *sub* is my teams and all below; *other*
is somebody else's outside my teams; *all* is everywhere.
``:state`` narrows. Roles add up. What is not listed is denied. A rule answers twice, for one
record (``holds``) and for every record at once as SQL (``clause``), and a test proves that the
two agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import and_, false, func, not_, or_, true

from qa.accounts.permissions import Permission, Role
from qa.core.actor import SYSTEM, Actor, Scope, ScopeColumns
from qa.core.db import Clause
from qa.core.errors import Forbidden

P = Permission


@dataclass(frozen=True, slots=True)
class Rule:
    """One cell of the table: a role, a scope, and the states it is narrowed to."""

    role: Role
    where: str
    states: frozenset[str] = frozenset()

    def holds(self, actor: Actor, scope: Scope) -> bool:
        """Answer for one record."""
        if self.role not in actor.roles or actor.id is None:
            return False
        if self.states and scope.state not in self.states:
            return False
        match self.where:
            case "own":
                mine = scope.agent_ids if self.role is Role.AGENT else scope.author_ids
                return actor.id in mine
            case "assigned":
                return actor.id in scope.assigned_ids
            case "team":
                return bool(scope.team_ids & actor.team_ids) and not self._is_me(actor, scope)
            case "sub":
                return bool(scope.team_ids & actor.teams_below)
            case "other":
                return not (scope.team_ids & actor.team_ids) and not self._is_me(actor, scope)
            case _:
                return True

    def clause(self, actor: Actor, columns: ScopeColumns) -> Clause:
        """Answer for every record at once, as SQL."""
        if self.role not in actor.roles or actor.id is None:
            return false()
        place = self._place(actor, actor.id, columns)
        if not self.states:
            return place
        return and_(place, columns.in_states(self.states)) if columns.in_states else false()

    def _place(self, actor: Actor, actor_id: int, columns: ScopeColumns) -> Clause:
        match self.where:
            case "own":
                mine = columns.about if self.role is Role.AGENT else columns.by
                return mine(actor_id) if mine else false()
            case "assigned":
                return columns.assigned(actor_id) if columns.assigned else false()
            case "team":
                return and_(_in_teams(actor.team_ids, columns), _not_me(actor_id, columns))
            case "sub":
                return _in_teams(actor.teams_below, columns)
            case "other":
                # a record without a team is outside all of them, where SQL's NULL would be neither
                inside = func.coalesce(_in_teams(actor.team_ids, columns), false())
                return and_(not_(inside), _not_me(actor_id, columns))
            case _:
                return true()

    @staticmethod
    def _is_me(actor: Actor, scope: Scope) -> bool:
        return actor.id in scope.agent_ids


def _in_teams(team_ids: frozenset[int], columns: ScopeColumns) -> Clause:
    return columns.in_teams(team_ids) if columns.in_teams else false()


def _not_me(actor_id: int, columns: ScopeColumns) -> Clause:
    return not_(func.coalesce(columns.about(actor_id), false())) if columns.about else true()


def grants(**cells: str) -> tuple[Rule, ...]:
    """Read one row: ``agent="own:released", lead="sub:submitted|released"``."""
    rules = []
    for role, cell in cells.items():
        for part in cell.split("+"):
            where, _, states = part.partition(":")
            rules.append(Rule(Role(role), where, frozenset(states.split("|")) if states else frozenset()))
    return tuple(rules)


POLICY: dict[Permission, tuple[Rule, ...]] = {
    P.ACCESS_LOG_READ: grants(agent="own", privacy="all", auditor="all"),
    P.AI_USE_ENABLE: grants(privacy="own"),
    P.ALIAS_CONFIRM: grants(manager="all", admin="all"),
    P.ASSIGNMENT_CLAIM: grants(evaluator="team"),
    P.ASSIGNMENT_CREATE: grants(lead="sub", manager="all"),
    P.ASSIGNMENT_LIST: grants(evaluator="own+assigned", lead="sub", manager="all"),
    P.ASSIGNMENT_REASSIGN: grants(lead="sub", manager="all"),
    P.ASSIGNMENT_SKIP: grants(evaluator="own"),
    P.AUDIT_DELETE: grants(),
    P.AUDIT_READ: grants(privacy="all", auditor="all"),
    P.AUDIT_VERIFY: grants(privacy="own", auditor="own", admin="own"),
    P.AUTOSCORER_PROMOTE: grants(manager="own"),
    P.AUTOSCORER_READ_LOG: grants(manager="own", privacy="own", auditor="own"),
    P.BACKUP_RUN: grants(admin="own"),
    P.BREAK_GLASS_OPEN: grants(admin="own"),
    P.CALIBRATION_CREATE: grants(lead="sub", calibrator="own", manager="all"),
    P.CALIBRATION_READ_ANSWERS: grants(
        evaluator="assigned:revealed",
        coach="assigned:revealed",
        lead="assigned:revealed",
        calibrator="assigned:revealed",
        manager="all:revealed",
    ),
    P.CALIBRATION_READ_RESULT: grants(
        evaluator="assigned:revealed",
        coach="assigned:revealed",
        lead="assigned:revealed",
        calibrator="assigned:revealed",
        manager="all:revealed",
    ),
    P.CALIBRATION_REVEAL: grants(lead="own", calibrator="own", manager="all"),
    P.CALIBRATION_SCORE: grants(
        evaluator="assigned",
        coach="assigned",
        lead="assigned",
        calibrator="assigned",
        manager="assigned",
    ),
    P.COACHING_EFFECT_READ: grants(agent="own", coach="own", lead="sub", manager="all"),
    P.COACHING_NOTE_READ_PRIVATE: grants(coach="own"),
    P.COACHING_PLAN_CREATE: grants(coach="assigned", lead="sub", manager="all"),
    P.COACHING_PLAN_EDIT: grants(coach="own", lead="sub", manager="all"),
    P.COACHING_PLAN_READ: grants(agent="own", coach="own+assigned", lead="sub", manager="all"),
    P.COACHING_SESSION_CONFIRM: grants(agent="own", coach="own"),
    P.COACHING_SESSION_EDIT: grants(coach="own", lead="sub", manager="all"),
    P.COMMENT_TEMPLATE_EDIT: grants(evaluator="own", lead="own", manager="all"),
    P.CONNECTOR_EDIT: grants(admin="own"),
    P.CONNECTOR_LIST: grants(manager="own", privacy="own", auditor="own", admin="own"),
    P.CONNECTOR_RUN: grants(manager="own", admin="own"),
    P.DISPUTE_DECIDE: grants(evaluator="assigned", lead="sub", manager="all"),
    P.DISPUTE_OPEN: grants(link="own:released", agent="own:released"),
    P.DISPUTE_READ: grants(agent="own", evaluator="own", lead="sub", manager="all", ops="all"),
    P.DISPUTE_WITHDRAW: grants(agent="own"),
    P.ERASURE_EXECUTE: grants(privacy="all"),
    P.ERASURE_REQUEST: grants(agent="own", manager="all", privacy="all"),
    P.ESCALATION_HANDLE: grants(lead="sub", manager="all", ops="all"),
    P.ESCALATION_OPEN: grants(agent="own", evaluator="assigned", coach="assigned", lead="sub", manager="all"),
    P.ESCALATION_READ: grants(agent="own", evaluator="own", lead="sub", manager="all", ops="all"),
    P.EVALUATION_ACKNOWLEDGE: grants(link="own:released", agent="own:released"),
    P.EVALUATION_CONFIRM_AUTO: grants(evaluator="assigned", lead="sub", manager="all"),
    P.EVALUATION_CREATE: grants(evaluator="assigned"),
    P.EVALUATION_EDIT: grants(evaluator="own:draft"),
    P.EVALUATION_READ: grants(
        link="own:released",
        agent="own:released",
        evaluator="own",
        coach="assigned:released",
        lead="sub:submitted|released",
        manager="all:submitted|released",
        ops="all:released",
    ),
    P.EVALUATION_RELEASE: grants(lead="sub:submitted|released", manager="all:submitted|released"),
    P.EVALUATION_REQUEST_HUMAN: grants(agent="own:released"),
    P.EVALUATION_REVISE: grants(
        evaluator="own:submitted",
        lead="sub:submitted|released",
        manager="all:submitted|released",
    ),
    P.EVALUATION_SELF_SCORE: grants(agent="own"),
    P.EVALUATION_SUBMIT: grants(evaluator="own:draft"),
    P.EVALUATION_VOID: grants(manager="all:submitted|released"),
    P.EVALUATION_NOTE_READ_PRIVATE: grants(evaluator="own"),
    P.EVALUATOR_AGREEMENT_READ: grants(evaluator="own", calibrator="all", manager="all"),
    P.EXPORT_MY_DATA: grants(
        agent="own",
        evaluator="own",
        coach="own",
        lead="own",
        calibrator="own",
        manager="own",
        ops="own",
        admin="own",
    ),
    P.EXPORT_RUN: grants(lead="sub", manager="all", ops="all"),
    P.GOLD_EDIT: grants(calibrator="own", manager="all"),
    P.HEALTH_READ: grants(
        anonymous="own",
        service="own",
        agent="own",
        evaluator="own",
        coach="own",
        lead="own",
        calibrator="own",
        manager="own",
        ops="own",
        privacy="own",
        auditor="own",
        admin="own",
    ),
    P.INTERACTION_CREATE: grants(service="own", manager="own"),
    P.INTERACTION_DELETE: grants(privacy="all"),
    P.INTERACTION_EDIT_METADATA: grants(service="own", lead="sub", manager="all"),
    P.INTERACTION_LIST: grants(
        agent="own",
        evaluator="assigned",
        coach="assigned",
        lead="sub",
        calibrator="assigned",
        manager="all",
        ops="all",
        privacy="all",
    ),
    P.INTERACTION_NOMINATE: grants(agent="own"),
    P.INTERACTION_READ: grants(
        agent="own",
        evaluator="assigned",
        coach="assigned",
        lead="sub",
        calibrator="assigned",
        manager="all",
        ops="all",
        privacy="all",
    ),
    P.INTERACTION_SET_CONSENT: grants(service="own", privacy="all"),
    P.JOB_LIST: grants(manager="own", admin="own"),
    P.JOB_RETRY: grants(manager="own", admin="own"),
    P.KPI_DEFINE: grants(manager="all", ops="all"),
    P.KPI_RANK_PEOPLE: grants(lead="sub", manager="all", ops="all"),
    P.KPI_READ: grants(agent="own", evaluator="own", coach="own", lead="sub", manager="all", ops="all"),
    P.LEGAL_HOLD_LIFT: grants(privacy="all"),
    P.LEGAL_HOLD_SET: grants(privacy="all"),
    P.METRICS_READ: grants(auditor="own", admin="own"),
    P.PLUGIN_CONFIGURE: grants(admin="own"),
    P.PLUGIN_ENABLE: grants(admin="own"),
    P.PLUGIN_LIST: grants(manager="own", privacy="own", auditor="own", admin="own"),
    P.RECORDING_DOWNLOAD: grants(privacy="all"),
    P.RECORDING_LISTEN: grants(
        agent="own",
        evaluator="assigned",
        coach="assigned",
        lead="sub",
        calibrator="assigned",
        manager="all",
    ),
    P.RECORDING_UNREDACTED: grants(privacy="all"),
    P.RECORDING_UPLOAD: grants(service="own", manager="own"),
    P.REPORT_OPEN_LINK: grants(link="own"),
    P.REPORT_SHARE: grants(lead="sub", manager="all", ops="all"),
    P.RETENTION_EDIT: grants(privacy="own"),
    P.SAMPLING_PLAN_EDIT: grants(manager="all"),
    P.SAVED_VIEW_SHARE: grants(
        evaluator="own",
        coach="own",
        lead="own",
        calibrator="own",
        manager="own",
        ops="own",
    ),
    P.SCORECARD_ACTIVATE: grants(manager="all"),
    P.SCORECARD_EDIT_DRAFT: grants(calibrator="all", manager="all"),
    P.SCORECARD_IMPORT: grants(manager="own"),
    P.SCORECARD_READ: grants(
        agent="all",
        evaluator="all",
        coach="all",
        lead="all",
        calibrator="all",
        manager="all",
        ops="all",
        privacy="all",
        auditor="all",
        admin="all",
    ),
    P.SECRET_READ: grants(),
    P.SESSION_REVOKE: grants(
        agent="own",
        evaluator="own",
        coach="own",
        lead="own",
        calibrator="own",
        manager="own",
        ops="own",
        privacy="own",
        auditor="own",
        admin="all",
    ),
    P.SETTINGS_EDIT: grants(admin="own"),
    P.SUBJECT_ACCESS_EXPORT: grants(privacy="all"),
    P.SUGGESTION_READ: grants(
        agent="own:released",
        evaluator="own",
        lead="sub:submitted|released",
        manager="all:submitted|released",
    ),
    P.TEAM_EDIT: grants(manager="all", admin="all"),
    P.TOKEN_CREATE: grants(manager="own", ops="own", admin="own"),
    P.TOKEN_REVOKE: grants(manager="own", ops="own", admin="all"),
    P.TRAINING_ASSIGN: grants(coach="assigned", lead="sub", manager="all"),
    P.TRAINING_COMPLETE: grants(agent="own"),
    P.TRAINING_EDIT: grants(coach="own", manager="all"),
    P.TRAINING_READ: grants(
        agent="all",
        evaluator="all",
        coach="all",
        lead="all",
        calibrator="all",
        manager="all",
        ops="all",
        admin="all",
    ),
    P.TRANSCRIPT_CORRECT: grants(service="own", evaluator="assigned", manager="all"),
    P.TRANSCRIPT_READ: grants(
        agent="own",
        evaluator="assigned",
        coach="assigned",
        lead="sub",
        calibrator="assigned",
        manager="all",
        ops="all",
    ),
    P.USER_CREATE: grants(admin="all"),
    P.USER_DEACTIVATE: grants(admin="team+other"),
    P.USER_IMPERSONATE: grants(admin="team+other"),
    P.USER_READ_PROFILE: grants(
        agent="own",
        evaluator="own+team",
        coach="own+assigned",
        lead="own+sub",
        calibrator="own",
        manager="all",
        ops="all",
        privacy="all",
        admin="all",
    ),
    P.USER_RESET_MFA: grants(admin="team+other"),
    P.USER_SET_ROLE: grants(admin="team+other"),
    P.USER_SET_TEAM: grants(lead="sub", manager="all", admin="all"),
    P.VOC_READ: grants(lead="sub", manager="all", ops="all"),
    P.VOC_TAG: grants(evaluator="assigned", lead="sub", manager="all"),
    P.WEBHOOK_DELIVER: grants(service="own"),
}


def allowed(actor: Actor, permission: Permission, scope: Scope = Scope()) -> bool:  # noqa: B008 - a frozen value
    """Tell whether ``actor`` holds ``permission`` on a record with this scope."""
    if actor is SYSTEM:
        return True
    return any(rule.holds(actor, scope) for rule in POLICY[permission])


def require(actor: Actor, permission: Permission, scope: Scope = Scope()) -> None:  # noqa: B008
    """Raise ``Forbidden`` unless ``allowed``."""
    if not allowed(actor, permission, scope):
        raise Forbidden(REFUSALS.get(permission, "Your role does not allow this."))


def visible(actor: Actor, permission: Permission, columns: ScopeColumns) -> Clause:
    """Return the WHERE clause that keeps exactly the records ``allowed`` would allow."""
    if actor is SYSTEM:
        return true()
    return or_(false(), *(rule.clause(actor, columns) for rule in POLICY[permission]))


@lru_cache
def roles_with(permission: Permission) -> frozenset[Role]:
    """Return the roles that hold ``permission`` anywhere at all."""
    return frozenset(rule.role for rule in POLICY[permission])


def may_somewhere(actor: Actor, permission: Permission) -> bool:
    """Tell whether a page that needs ``permission`` makes sense for this actor at all."""
    return actor is SYSTEM or bool(actor.roles & roles_with(permission))


REFUSALS: dict[Permission, str] = {
    P.EVALUATION_REVISE: "Only the evaluator, the team's lead or a QA manager may revise this evaluation.",
    P.EVALUATION_VOID: "Only a QA manager may void an evaluation.",
    P.EVALUATION_ACKNOWLEDGE: "Only the agent this evaluation is about may acknowledge it.",
    P.USER_SET_ROLE: "Nobody changes their own role; another administrator may.",
    P.USER_DEACTIVATE: "Nobody deactivates their own account; another administrator may.",
}
"""Sentences for refusals that people meet; everything else gets the plain one."""
