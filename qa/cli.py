"""The ``qa`` command: a group that finds its sub-commands by module name, so that --help loads nothing."""

from __future__ import annotations

import sys
from typing import Any

import click

from qa.core.lazy import LazyGroup

COMMANDS: dict[str, tuple[str, str, str]] = {
    "run": ("qa.serve_commands", "run", "Serve the site and its worker under one command."),
    "serve": ("qa.serve_commands", "serve", "Serve the site only; run `qa worker` beside it."),
    "worker": ("qa.worker_commands", "worker", "Do the background work: media, releases, deliveries."),
    "upgrade": ("qa.upgrade_commands", "upgrade", "Bring the database to this program's version."),
    "demo": ("qa.demo.commands", "demo", "Fill an empty site with a believable centre, or take it away."),
    "import": ("qa.interactions.commands", "import_", "Bring in conversations from JSON Lines."),
    "user": ("qa.accounts.commands", "group", "Add people and hand out sign-in links."),
    "scorecards": (
        "qa.scorecards.commands",
        "group",
        "Score, lint, test, compare, add and export scorecards.",
    ),
    "speech": ("qa.interactions.speech_commands", "group", "Measure, match and transcribe conversations."),
    "redact": (
        "qa.interactions.redact_commands",
        "redact",
        "Hide card numbers, codes and addresses in text and sound.",
    ),
    "evaluations": ("qa.evaluations.commands", "group", "Recompute stored scores and compare."),
    "stats": ("qa.stats.commands", "stats", "Compute one statistic from JSON to JSON, to check the product."),
    "plugin": ("qa.plugin_commands", "plugin", "List, examine, enable and make plugins."),
    "x": ("qa.plugin_commands", "x", "Run a command of a plugin."),
    "secrets": ("qa.secrets_commands", "secrets", "Change the data key and seal everything anew."),
    "source": ("qa.interactions.sources.commands", "source", "Add, test, try and pull sources."),
    "jobs": ("qa.jobs_commands", "group", "List, retry and discard background jobs."),
    "doctor": ("qa.doctor_commands", "doctor", "Look at this machine and its configuration; change nothing."),
}
"""Name: module, attribute, and the line that ``qa --help`` shows."""


@click.group(cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="candor", message="candor %(version)s")
@click.option(
    "--config",
    type=click.Path(dir_okay=False),
    default=None,
    help="Another qa.toml; QA_CONFIG does the same.",
)
@click.pass_context
def qa(ctx: click.Context, config: str | None) -> None:
    """Candor: quality assurance and coaching for contact centres.

    Settings come from qa.toml in this folder and from QA_* variables; `qa doctor` shows them.
    """
    ctx.obj = config


def main(arguments: list[str] | None = None) -> Any:
    """Run the command; a refusal is one sentence and an exit code, never a trace."""
    try:
        return qa.main(args=arguments, prog_name="qa", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo("Stopped.", err=True)
        sys.exit(130)
    except Exception as error:
        sentence = _sentence_of(error)
        if sentence is None:
            raise
        click.echo(f"qa: {sentence}", err=True)
        sys.exit(2)


def _sentence_of(error: Exception) -> str | None:
    """Return what to tell a person, or None for a fault of ours, which keeps its trace."""
    told = {"SettingsError", "KeyFileError"} | {
        "DomainError",
        "NotFound",
        "Forbidden",
        "Conflict",
        "Invalid",
        "TooMany",
        "Unavailable",
    }
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & told:
        return str(error)
    if "OperationalError" in names:
        return "the database does not answer or is not set up. Run `qa upgrade`, then `qa doctor`."
    return None


if __name__ == "__main__":
    main()
