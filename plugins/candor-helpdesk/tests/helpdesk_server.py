"""A real django-helpdesk for the tests: its own settings, database and server, on this machine only.

Run as ``python helpdesk_server.py FOLDER PORT HOOK``; ``HOOK`` is where its webhooks go, "-" for none.
"""

import os
import sys
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

FOLDER, PORT, HOOK = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
if HOOK != "-":
    os.environ["HELPDESK_NEW_TICKET_WEBHOOK_URLS"] = HOOK
    os.environ["HELPDESK_FOLLOWUP_WEBHOOK_URLS"] = HOOK

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="only for tests",
    DEBUG=False,
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(FOLDER / "helpdesk.db"),
            "OPTIONS": {"timeout": 30},
        }
    },
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.sites",
        "django.contrib.messages",
        "django.contrib.staticfiles",
        "django.contrib.humanize",
        "django.contrib.admin",
        "rest_framework",
        "helpdesk",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                    "django.template.context_processors.request",
                ]
            },
        }
    ],
    SITE_ID=1,
    USE_TZ=True,
    TIME_ZONE="America/Chicago",
    STATIC_URL="/static/",
    MEDIA_ROOT=str(FOLDER / "media"),
    EMAIL_BACKEND="django.core.mail.backends.dummy.EmailBackend",
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    LOGIN_URL="/login/",
    HELPDESK_TEAMS_MODE_ENABLED=False,
)

django.setup()

from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.urls import include, path
from django.utils import timezone
from helpdesk.models import FollowUp, Queue, Ticket

urlpatterns = [path("", include("helpdesk.urls"))]


def fill(count: int) -> None:
    """A staff account, a queue, and this many tickets with two follow-ups each."""
    call_command("migrate", verbosity=0)
    if User.objects.exists():
        return
    user = User.objects.create_user(
        "reader", "reader@example.org", "t1cket-marker", is_staff=True, is_superuser=True
    )
    queue = Queue.objects.create(title="Support", slug="support", allow_public_submission=True)
    now = timezone.now()
    tickets = Ticket.objects.bulk_create(
        [
            Ticket(
                queue=queue,
                title=f"Ticket {n}",
                description="Where?",
                submitter_email=f"kim{n}@example.org",
                created=now,
                status=1,
                priority=3,
            )
            for n in range(count)
        ],
        batch_size=500,
    )
    opened = [
        FollowUp(ticket=one, title="Ticket Opened", comment="Where is it?", public=True, date=now)
        for one in tickets
    ]
    replies = [
        FollowUp(ticket=one, title="Comment", comment=f"Here, {one.id}.", public=True, user=user, date=now)
        for one in tickets
    ]
    FollowUp.objects.bulk_create(opened + replies, batch_size=500)


class Server(ThreadingMixIn, WSGIServer):
    """Answers each request in a thread of its own."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    """Writes no log."""

    def log_message(self, *_words: object) -> None:
        return


if __name__ == "__main__":
    fill(int(os.environ.get("TICKETS", "0")))
    server = make_server("127.0.0.1", PORT, get_wsgi_application(), server_class=Server, handler_class=Quiet)
    print("ready", flush=True)
    server.serve_forever()
