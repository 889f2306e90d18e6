"""The names of everything a person may be allowed to do, sorted. ``policy.py`` says who may."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a person is here; one person may hold several, and they add up."""

    ANONYMOUS = "anonymous"
    LINK = "link"
    SERVICE = "service"
    AGENT = "agent"
    EVALUATOR = "evaluator"
    COACH = "coach"
    LEAD = "lead"
    CALIBRATOR = "calibrator"
    MANAGER = "manager"
    OPS = "ops"
    PRIVACY = "privacy"
    AUDITOR = "auditor"
    ADMIN = "admin"


PEOPLE = tuple(role for role in Role if role not in {Role.ANONYMOUS, Role.LINK, Role.SERVICE})
"""The roles that a person can be given; the other three are doors, not people."""

ROLE_WORDS: dict[Role, str] = {
    Role.AGENT: "Agent",
    Role.EVALUATOR: "Evaluator",
    Role.COACH: "Coach",
    Role.LEAD: "Team lead",
    Role.CALIBRATOR: "Calibrator",
    Role.MANAGER: "QA manager",
    Role.OPS: "Centre manager",
    Role.PRIVACY: "Privacy officer",
    Role.AUDITOR: "Auditor",
    Role.ADMIN: "Administrator",
}
"""How people read a role."""

ROLE_MEANINGS: dict[Role, str] = {
    Role.AGENT: "Reads and acknowledges evaluations of their own conversations.",
    Role.EVALUATOR: "Scores what is in their queue. Sees a machine’s suggestion after their own answer.",
    Role.COACH: "Plans, sessions and private notes for their own coachees.",
    Role.LEAD: "Sees their teams and all below: assigns, releases, revises.",
    Role.CALIBRATOR: "Runs calibrations; sees answers of others only after the reveal.",
    Role.MANAGER: "Sees all scoring; activates scorecards, voids evaluations, arranges teams.",
    Role.OPS: "Reads conversations, released results and figures of the whole centre; hears no recordings.",
    Role.PRIVACY: "Decides on retention, erasure and originals; reads the audit log.",
    Role.AUDITOR: "Reads the audit log, and no conversation.",
    Role.ADMIN: "Brings people in, gives roles, runs the site; sees no conversation and no score.",
}
"""What a role is for, in a sentence."""


class Permission(StrEnum):
    """``area:action``."""

    ACCESS_LOG_READ = "access_log:read"
    AI_USE_ENABLE = "ai_use:enable"
    ALIAS_CONFIRM = "alias:confirm"
    ASSIGNMENT_CLAIM = "assignment:claim"
    ASSIGNMENT_CREATE = "assignment:create"
    ASSIGNMENT_LIST = "assignment:list"
    ASSIGNMENT_REASSIGN = "assignment:reassign"
    ASSIGNMENT_SKIP = "assignment:skip"
    AUDIT_DELETE = "audit:delete"
    AUDIT_READ = "audit:read"
    AUDIT_VERIFY = "audit:verify"
    AUTOSCORER_PROMOTE = "autoscorer:promote"
    AUTOSCORER_READ_LOG = "autoscorer:read_log"
    BACKUP_RUN = "backup:run"
    BREAK_GLASS_OPEN = "break_glass:open"
    CALIBRATION_CREATE = "calibration:create"
    CALIBRATION_READ_ANSWERS = "calibration:read_answers"
    CALIBRATION_READ_RESULT = "calibration:read_result"
    CALIBRATION_REVEAL = "calibration:reveal"
    CALIBRATION_SCORE = "calibration:score"
    COACHING_EFFECT_READ = "coaching_effect:read"
    COACHING_NOTE_READ_PRIVATE = "coaching_note:read_private"
    COACHING_PLAN_CREATE = "coaching_plan:create"
    COACHING_PLAN_EDIT = "coaching_plan:edit"
    COACHING_PLAN_READ = "coaching_plan:read"
    COACHING_SESSION_CONFIRM = "coaching_session:confirm"
    COACHING_SESSION_EDIT = "coaching_session:edit"
    COMMENT_TEMPLATE_EDIT = "comment_template:edit"
    CONNECTOR_EDIT = "connector:edit"
    CONNECTOR_LIST = "connector:list"
    CONNECTOR_RUN = "connector:run"
    DISPUTE_DECIDE = "dispute:decide"
    DISPUTE_OPEN = "dispute:open"
    DISPUTE_READ = "dispute:read"
    DISPUTE_WITHDRAW = "dispute:withdraw"
    ERASURE_EXECUTE = "erasure:execute"
    ERASURE_REQUEST = "erasure:request"
    ESCALATION_HANDLE = "escalation:handle"
    ESCALATION_OPEN = "escalation:open"
    ESCALATION_READ = "escalation:read"
    EVALUATION_ACKNOWLEDGE = "evaluation:acknowledge"
    EVALUATION_CONFIRM_AUTO = "evaluation:confirm_auto"
    EVALUATION_CREATE = "evaluation:create"
    EVALUATION_EDIT = "evaluation:edit"
    EVALUATION_READ = "evaluation:read"
    EVALUATION_RELEASE = "evaluation:release"
    EVALUATION_REQUEST_HUMAN = "evaluation:request_human"
    EVALUATION_REVISE = "evaluation:revise"
    EVALUATION_SELF_SCORE = "evaluation:self_score"
    EVALUATION_SUBMIT = "evaluation:submit"
    EVALUATION_VOID = "evaluation:void"
    EVALUATION_NOTE_READ_PRIVATE = "evaluation_note:read_private"
    EVALUATOR_AGREEMENT_READ = "evaluator_agreement:read"
    EXPORT_MY_DATA = "export:my_data"
    EXPORT_RUN = "export:run"
    GOLD_EDIT = "gold:edit"
    HEALTH_READ = "health:read"
    INTERACTION_CREATE = "interaction:create"
    INTERACTION_DELETE = "interaction:delete"
    INTERACTION_EDIT_METADATA = "interaction:edit_metadata"
    INTERACTION_LIST = "interaction:list"
    INTERACTION_NOMINATE = "interaction:nominate"
    INTERACTION_READ = "interaction:read"
    INTERACTION_SET_CONSENT = "interaction:set_consent"
    JOB_LIST = "job:list"
    JOB_RETRY = "job:retry"
    KPI_DEFINE = "kpi:define"
    KPI_RANK_PEOPLE = "kpi:rank_people"
    KPI_READ = "kpi:read"
    LEGAL_HOLD_LIFT = "legal_hold:lift"
    LEGAL_HOLD_SET = "legal_hold:set"
    METRICS_READ = "metrics:read"
    PLUGIN_CONFIGURE = "plugin:configure"
    PLUGIN_ENABLE = "plugin:enable"
    PLUGIN_LIST = "plugin:list"
    RECORDING_DOWNLOAD = "recording:download"
    RECORDING_LISTEN = "recording:listen"
    RECORDING_UNREDACTED = "recording:unredacted"
    RECORDING_UPLOAD = "recording:upload"
    REPORT_OPEN_LINK = "report:open_link"
    REPORT_SHARE = "report:share"
    RETENTION_EDIT = "retention:edit"
    SAMPLING_PLAN_EDIT = "sampling_plan:edit"
    SAVED_VIEW_SHARE = "saved_view:share"
    SCORECARD_ACTIVATE = "scorecard:activate"
    SCORECARD_EDIT_DRAFT = "scorecard:edit_draft"
    SCORECARD_IMPORT = "scorecard:import"
    SCORECARD_READ = "scorecard:read"
    SECRET_READ = "secret:read"
    SESSION_REVOKE = "session:revoke"
    SETTINGS_EDIT = "settings:edit"
    SUBJECT_ACCESS_EXPORT = "subject_access:export"
    SUGGESTION_READ = "suggestion:read"
    TEAM_EDIT = "team:edit"
    TOKEN_CREATE = "token:create"
    TOKEN_REVOKE = "token:revoke"
    TRAINING_ASSIGN = "training:assign"
    TRAINING_COMPLETE = "training:complete"
    TRAINING_EDIT = "training:edit"
    TRAINING_READ = "training:read"
    TRANSCRIPT_CORRECT = "transcript:correct"
    TRANSCRIPT_READ = "transcript:read"
    USER_CREATE = "user:create"
    USER_DEACTIVATE = "user:deactivate"
    USER_IMPERSONATE = "user:impersonate"
    USER_READ_PROFILE = "user:read_profile"
    USER_RESET_MFA = "user:reset_mfa"
    USER_SET_ROLE = "user:set_role"
    USER_SET_TEAM = "user:set_team"
    VOC_READ = "voc:read"
    VOC_TAG = "voc:tag"
    WEBHOOK_DELIVER = "webhook:deliver"
