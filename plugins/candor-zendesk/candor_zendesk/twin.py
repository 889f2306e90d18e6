"""A Zendesk account in memory: what its API answers, as far as the connector asks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from qa.plugins.testing import Ask, Reply, Thing, Twin

ACCESS = "tw1n-acc3ss-7730"
HOOK_SECRET = "tw1n-h00k-77aa02"  # noqa: S105  the kit's own marker
AGENTS = {"a1": 9001, "a2": 9002}
REQUESTER = 5005
MINUTE = timedelta(minutes=1)


class ZendeskTwin(Twin):
    """Tickets with comments, calls, ratings and metrics; webhooks signed as Zendesk signs them."""

    url = "https://desk.zendesk.example"
    config = {"way": "oauth", "client_id": "candor", "tag": "qa_evaluated"}
    secrets = {"client_secret": "tw1n-cl1ent-551e", "webhook_secret": HOOK_SECRET}
    limit = "200/min"
    agent_field = "assignee_id"
    enum_fields = ("status", "via.channel")
    media_path = "/recordings/"
    tells_deletions = signs_time = True

    def is_signed_in(self, ask: Ask) -> bool:
        """Ask for the token that /oauth/tokens gave, or for the client's secret there."""
        if ask.path == "/oauth/tokens":
            return bool(ask.json()["client_secret"] == self.secrets["client_secret"])
        return ask.headers.get("authorization") == f"Bearer {ACCESS}"

    def show(self, thing: Thing) -> dict[str, Any]:
        """Return a ticket as the export shows it."""
        is_call = _is_call(thing)
        return {
            "id": thing.number,
            "url": f"{self.url}/api/v2/tickets/{thing.number}.json",
            "created_at": _stamp(thing.created_at),
            "updated_at": _stamp(thing.updated_at),
            "generated_timestamp": int(thing.updated_at.timestamp()),
            "type": "question",
            "subject": thing.text,
            "description": f"About: {thing.text}",
            "status": "deleted" if thing.deleted else "solved",
            "priority": None,
            "via": {"channel": "phone_call_inbound" if is_call else "email", "source": {"rel": None}},
            "requester_id": REQUESTER,
            "assignee_id": None if thing.agent is None else AGENTS[thing.agent],
            "group_id": 31,
            "tags": ["vip", *(["closed_by_merge"] if thing.merged_into else [])],
            "custom_fields": [{"id": 77, "value": None}],
            "satisfaction_rating": {"score": "good" if thing.number % 2 else "unoffered"},
            "comment_count": 1 + len(thing.notes) + is_call + bool(thing.merged_into),
        }

    def handle(self, ask: Ask) -> Reply:
        """Answer a request."""
        if ask.path == "/oauth/tokens":
            return Reply(json={"access_token": ACCESS, "token_type": "bearer", "expires_in": 1800})
        if ask.path == "/api/v2/users/me":
            return Reply(json={"user": {"id": 1, "email": "admin@example.com", "role": "admin"}})
        if ask.path == "/api/v2/users":
            return Reply(json={"users": self._people(), "meta": {"has_more": False}, "links": {"next": None}})
        if ask.path == "/api/v2/incremental/tickets/cursor":
            return self._export(ask)
        found = re.fullmatch(r"/api/v2/tickets/(\d+)(/comments|/tags)?", ask.path)
        thing = self.find(found[1]) if found else None
        if found is None or thing is None:
            return Reply(404, {"error": "RecordNotFound"})
        return self._ticket(ask, thing, found[2] or "")

    def _export(self, ask: Ask) -> Reply:
        """Return a page of the export; what changed within the last minute is not shown yet."""
        mark = base64.b64decode(ask.query.get("cursor", "")).decode()
        start = datetime.fromtimestamp(int(ask.query.get("start_time", 0)), UTC)
        things = self.living(None if mark else start, until=self.clock.true_now() - MINUTE)
        page, after = self.after(things, mark)
        end = after or (f"{things[-1].updated_at.isoformat()}~{things[-1].number}" if things else mark)
        return Reply(
            json={
                "tickets": page,
                "users": self._people(),
                "groups": [{"id": 31, "name": "Billing"}],
                "metric_sets": [_metrics(one) for one in page],
                "after_cursor": base64.b64encode(end.encode()).decode() or None,
                "end_of_stream": not after,
            }
        )

    def _people(self) -> list[dict[str, Any]]:
        requester = {"id": REQUESTER, "name": "Kim Customer", "email": "kim@example.com", "role": "end-user"}
        return [
            *(
                {
                    "id": AGENTS[key],
                    "name": name,
                    "email": f"{key}@example.com",
                    "role": "agent",
                    "active": True,
                }
                for key, name in self.agents.items()
            ),
            requester,
        ]

    def _ticket(self, ask: Ask, thing: Thing, part: str) -> Reply:
        if part == "/tags":
            return Reply(json={"tags": ask.json()["tags"]})
        if part == "/comments":
            return Reply(
                json={"comments": self._comments(thing), "users": self._people(), "meta": {}, "links": {}}
            )
        if ask.method == "PUT":
            comment = ask.json()["ticket"]["comment"]
            if comment.get("public") is not False:
                return Reply(422, {"error": "RecordInvalid", "description": "a score is never public"})
            self.note(thing.id, comment["body"])
        shown = self.shown([thing])[0]
        return Reply(json={"ticket": shown, "users": self._people(), "metric_sets": [_metrics(shown)]})

    def _comments(self, thing: Thing) -> list[dict[str, Any]]:
        first = {
            "id": thing.number * 100,
            "type": "Comment",
            "author_id": REQUESTER,
            "body": thing.text,
            "plain_body": thing.text,
            "public": True,
            "created_at": _stamp(thing.created_at),
            "attachments": [],
        }
        call = first | {
            "id": thing.number * 100 + 1,
            "type": "VoiceComment",
            "author_id": -1,
            "data": {
                "recording_url": f"https://voice.zdusercontent.com/recordings/{thing.number}.wav",
                "call_duration": 61,
                "started_at": _stamp(thing.created_at),
            },
        }
        notes = [
            first | {"id": thing.number * 100 + 2 + place, "author_id": 1, "body": text, "public": False}
            for place, text in enumerate(thing.notes)
        ]
        words = f'This request was closed and merged into request #{thing.merged_into} "Other".'
        merge = first | {"id": thing.number * 100 + 99, "author_id": 1, "body": words, "plain_body": words}
        calls, merges = [call] if _is_call(thing) else [], [merge] if thing.merged_into else []
        return [first, *calls, *notes, *merges]

    def deliver(self, thing: Thing, at: datetime) -> Ask:
        """Return an event as Zendesk sends it."""
        body = json.dumps({"type": "zen:event-type:ticket.updated", "detail": {"id": thing.id}}).encode()
        stamp = _stamp(at)
        signed = hmac.new(HOOK_SECRET.encode(), stamp.encode() + body, hashlib.sha256).digest()
        headers = {
            "x-zendesk-webhook-signature": base64.b64encode(signed).decode(),
            "x-zendesk-webhook-signature-timestamp": stamp,
            "x-zendesk-webhook-invocation-id": f"01HOOK{thing.number}",
            "content-type": "application/json",
        }
        return Ask("POST", "https://qa.example/hooks/zendesk", headers, body)

    def too_many(self, until: datetime) -> Reply:
        """Say that the quota is used up."""
        seconds = str(max(round((until - self.clock.true_now()).total_seconds()), 1))
        return Reply(429, {"error": "TooManyRequests"}, {"Retry-After": seconds, "ratelimit-reset": seconds})


def _is_call(thing: Thing) -> bool:
    return thing.number < 50 and thing.number % 5 == 1


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _metrics(shown: dict[str, Any]) -> dict[str, Any]:
    """Return the metrics of a ticket; Zendesk leaves many empty."""
    return {
        "ticket_id": shown["id"],
        "reopens": 0,
        "assignee_stations": 2,
        "solved_at": shown["created_at"],
        "reply_time_in_minutes": {"calendar": 7, "business": None},
        "full_resolution_time_in_minutes": {"calendar": None, "business": None},
    }
