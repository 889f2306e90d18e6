"""The pages of docs/plugins that are made of the code, so that they cannot say anything else."""

from __future__ import annotations

import inspect
import re
from textwrap import dedent, fill, indent

from qa.plugins import hookspecs
from qa.plugins.scaffolding import AUTHS, PAGINGS
from qa.plugins.testing import extension_suites
from qa.plugins.testing.laws import LAWS, Check, law_of
from qa.plugins.testing.registry import CHECKS


def check_page(check: Check) -> str:
    """What a check means, what usually breaks it, how to mend it."""
    return f"""# {check.number}: {check.title}

About {law_of(check.law)}.

## What it means

{_wrapped(check.means)}

## What usually breaks it

{_wrapped(check.cause)}

## How to mend it

{_wrapped(check.cure)}

Instead of

```python
{check.wrong}
```

write

```python
{check.right}
```

Run it alone with `qa plugin check --only {check.number}`. All checks: [the kit](README.md).
"""


def _wrapped(words: str) -> str:
    return fill(words, 118, break_on_hyphens=False)


def check_index() -> str:
    """All checks, by number."""
    rows = "\n".join(
        f"| [{check.number}]({check.number}.md) | {check.title} | {check.law or '–'} |" for check in CHECKS
    )
    return f"""# The checks of the kit

Each runs in a process of its own, on the product's own sync loop and HTTP client, against your twin: a
vendor in memory. Time is virtual and the network is cut off, so nothing waits and nothing leaks. A check
that does not concern your connector is skipped; one that cannot hold for a reason goes into `[exempt]` of
`quality.toml`, with the reason.

| Check | What holds | [Law](../laws.md) |
|---|---|---|
{rows}
"""


def hooks_page() -> str:
    """Every hook with its arguments and its promise."""
    parts = []
    for name, hook in sorted(_hooks().items(), key=lambda pair: pair[1].__code__.co_firstlineno):
        signature = inspect.signature(hook)
        arguments = ", ".join(str(one).replace("'", "") for one in signature.parameters.values())
        returns = str(signature.return_annotation).replace("'", "")
        called = f"```text\n{name}({arguments}) -> {returns}\n```"
        parts.append(f"## {name}\n\n{called}\n\n{_markdown(hook.__doc__ or '')}\n")
    opening = dedent(hookspecs.__doc__ or "").strip().replace("``", "`")
    return f"# Hook reference\n\nMade from the specifications in the code. {opening}\n\n" + "\n".join(parts)


def _hooks() -> dict[str, object]:
    return {name: hook for name, hook in vars(hookspecs).items() if name.startswith("qa_")}


def _markdown(text: str) -> str:
    """Return a docstring's reStructuredText as Markdown."""
    text = inspect.cleandoc(text).replace("``", "`")
    text = re.sub(r"\.\. versionadded:: (.*)", r"*Since \1.*", text)

    def block(match: re.Match[str]) -> str:
        return f"\n\n```python\n{dedent(match[1]).strip()}\n```\n"

    text = re.sub(r" ?::\n\n((?:    .*\n|\n)+)", block, text + "\n")
    return re.sub(r"```\n(?=[*\w]|`[^`])", "```\n\n", text).strip() + "\n"


QUOTAS = (
    ("A fixed rate", 'Quota("10/min")', "The host keeps to it, for all runs of a source together."),
    (
        "`Retry-After`, in seconds or as a date",
        'Quota("200/min")',
        "Always understood; nothing to declare.",
    ),
    (
        "A header with the seconds that are left",
        'Quota("60/min", headers=(ResetHeader("ratelimit-reset", "delta_s"),))',
        "Zendesk, Genesys.",
    ),
    (
        "A header with an epoch",
        'Quota("120/min", headers=(ResetHeader("X-RateLimit-Reset", "epoch_s"),))',
        "Intercom, Aircall. Milliseconds: `epoch_ms`.",
    ),
    (
        "403 with a word in the body",
        'Quota("1000/day", body_codes=("REQUEST_LIMIT_EXCEEDED",))',
        "Salesforce. Without it a used-up quota looks like a missing permission.",
    ),
    ("Another status", 'Quota("30/min", codes=(429, 420))', "Some older vendors."),
)
"""In words, as code, and a remark."""


def cookbook_page() -> str:
    """Signing in, paging and quotas, from the tables that `qa plugin new` works with."""
    auths = "\n".join(
        f"### {auth.words[0].upper()}{auth.words[1:]}\n\n`qa plugin new my-desk --auth {name}`\n\n```python\n"
        f'class Config(Form):\n    url = URLField("Address", validators=[InputRequired(), URL()])\n'
        f"{indent(auth.config, '    ')}\n\ndef sign_in(self, ctx):\n{indent(auth.sign_in, '    ')}\n```\n"
        for name, auth in AUTHS.items()
    )
    pagings = "\n".join(
        f"### {paging.words[0].upper()}{paging.words[1:]}\n\n`qa plugin new my-desk --paging {name}`\n\n"
        f"```python\nwhile True:\n{indent(paging.pull, '    ')}\n```\n"
        for name, paging in PAGINGS.items()
    )
    quotas = "\n".join(f"| {words} | `{code}` | {remark} |" for words, code, remark in QUOTAS)
    return COOKBOOK.format(auths=auths, pagings=pagings, quotas=quotas)


COOKBOOK = """# Cookbook

The recipes for signing in and paging are the very pieces that `qa plugin new` puts together; the kit runs
on each combination of them.

## Signing in

`sign_in()` returns headers. It is asked once before a run's first request and once more after a 401, so a
short-lived token may be fetched in it. The headers go to the host of the source's address and to nobody
else.

{auths}
## Paging

A page's cursor means “everything up to and including this page is yours”. The last page of a run has
`done=True`, and its cursor is where the next run begins.

{pagings}
## Quotas

Declare what the vendor allows and how it says “too many”; waiting is the host's work.

| The vendor has | Declare | Remark |
|---|---|---|
{quotas}

## What changes after the end

Ratings, wrap-up times and reopened tickets arrive late. Read a little back: let the first question of a run
begin `lag` before the newest change you have seen. What comes again unchanged costs nothing.

## Recordings

Put a `MediaRef` with the address or id into the record, and write `fetch_media()`; mostly it is one line,
`return ctx.http.download(ref.ref)`. Name hosts other than the vendor's in `media_hosts`.

## Writing back

Write the key into what you leave at the vendor, look for it first, and change nothing else.

## Webhooks

Declare how they are signed; the host verifies, stores and answers. `webhook()` names what to read again and
`pull_one()` reads it. A delivery is never data.
"""


def laws_table() -> str:
    """The ten laws as lines."""
    return "\n".join(f"{number}. **{law}.**" for number, law in LAWS.items())


SUITES = (
    extension_suites.TranscriberSuite,
    extension_suites.EnricherSuite,
    extension_suites.AutoScorerSuite,
    extension_suites.RedactorSuite,
    extension_suites.NotifierSuite,
    extension_suites.ExporterSuite,
    extension_suites.TrainingProviderSuite,
    extension_suites.ScorecardImporterSuite,
    extension_suites.PanelSuite,
)


def extensions_page() -> str:
    """The suites for other extensions and what each of their checks proves."""
    parts = []
    for suite in SUITES:
        rows = "\n".join(f"| {one.number} | {one.title}. {one.means} | {one.cure} |" for one in suite.CHECKS)
        about = (suite.__doc__ or "").strip()
        parts.append(
            f"## {suite.__name__}\n\n{about}\n\n| Check | What holds | Cure |\n|---|---|---|\n{rows}\n"
        )
    return EXTENSIONS + "\n".join(parts)


EXTENSIONS = """# Transcribers, scorers, notifiers and the rest

Each kind has a suite; one line in your tests runs it:

```python
class TestChat(NotifierSuite, extension=Chat, twin=ChatTwin): ...
```

Every check runs in a process of its own with virtual time and without a network; what your extension asks
goes to the twin. In every check answers cross to the host as they do in production, and nothing may be kept
on `self`. Attributes of the suite say more: `config` and `secrets` are the plugin's settings, `target` is
where a message goes, `finds` maps texts to the label a redactor must find, and `transcript`, `audio` and
`question` replace the kit's own.

"""
