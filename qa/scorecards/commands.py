"""``qa scorecards``: score, lint, test and compare forms; no database is needed for these.

``add`` and ``export`` use the database and are loaded only when they are called.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, TextIO

import click

from qa.scorecards import checks
from qa.scorecards.answers import AnswerError
from qa.scorecards.compiled import CompiledForm, compile_form
from qa.scorecards.diff import diff as differences
from qa.scorecards.display import score_shown
from qa.scorecards.document import Document, DocumentError, load
from qa.scorecards.form import Form
from qa.scorecards.lint import lint as findings_of
from qa.scorecards.results import Result, exact
from qa.scorecards.scoring import score
from qa.scorecards.shape import json_schema

FORM = click.argument("form", type=click.Path(path_type=Path, dir_okay=False))
MAX_ANSWERS_BYTES = 1_000_000


class StoreGroup(click.Group):
    """Adds the commands that need the database, without loading it for the others."""

    stored: ClassVar[dict[str, str]] = {
        "add": "Keep a form as a draft in the database, or activate it.",
        "export": "Print a version's YAML from the database.",
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in order."""
        return sorted([*super().list_commands(ctx), *self.stored])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return one command, loaded when it is called."""
        if cmd_name not in self.stored:
            return super().get_command(ctx, cmd_name)
        found: click.Command = getattr(import_module("qa.scorecards.store_commands"), cmd_name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list without loading anything."""
        words = {name: command.get_short_help_str() for name, command in self.commands.items()}
        with formatter.section("Commands"):
            formatter.write_dl(sorted({**words, **self.stored}.items()))


@click.group(cls=StoreGroup)
def group() -> None:
    """Score, lint, test and compare scorecards written in YAML."""


@group.command(name="score")
@FORM
@click.option(
    "--answers", required=True, help='A file, or - for standard input: {"fields": {}, "answers": {}}.'
)
@click.option("--lines", is_flag=True, help="One such object a line, one result a line.")
@click.option("--decimals", type=click.IntRange(1, 2), default=1, show_default=True, help="Of score_display.")
def score_command(form: Path, answers: str, lines: bool, decimals: int) -> None:
    """Print the result of answers as JSON. Exits 1 when answers cannot be scored."""
    compiled = compile_form(_document(form).form)
    with _Opened(answers) as source:
        texts = source if lines else iter([source.read(MAX_ANSWERS_BYTES + 1)])
        failed = False
        for number, text in enumerate(texts, start=1):
            if lines and not text.strip():
                continue
            answer = _scored(compiled, text, number if lines else None, decimals)
            failed = failed or "error" in answer
            sys.stdout.write(_written(answer) + "\n")
            sys.stdout.flush()  # whoever sends lines one by one reads them one by one
    if failed:
        sys.exit(1)


def _scored(compiled: CompiledForm, text: str, line: int | None, decimals: int) -> dict[str, Any]:
    place = "The answers" if line is None else f"Line {line}"
    try:
        given = _read_json(text)
        result = score(compiled, given["answers"], given["fields"])
    except AnswerError as error:
        problems = [{"ref": ref, "message": sentence} for ref, sentence in error.problems.items()]
        return {"error": f"{place}: {error}", "answers": problems}
    except ValueError as error:
        return {"error": f"{place}: {error}"}
    return as_json(compiled, result, decimals)


def _read_json(text: str) -> dict[str, dict[str, Any]]:
    if len(text) > MAX_ANSWERS_BYTES:
        raise ValueError("more than 1 MB. Send fewer or shorter answers.")
    try:
        given = _READER.decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    except RecursionError:
        raise ValueError("nested too deeply.") from None
    return _two_objects(given)


def _two_objects(given: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(given, dict):
        raise ValueError('must be an object such as {"fields": {}, "answers": {}}.')
    if unknown := set(given) - {"fields", "answers"}:
        raise ValueError(f'has the unknown key "{sorted(unknown)[0]}"; known are "fields" and "answers".')
    if "answers" not in given:
        raise ValueError('has no "answers".')
    for key in ("fields", "answers"):
        if not isinstance(given.setdefault(key, {}), dict):
            raise ValueError(f'"{key}" must be an object.')
    return given


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number that can be scored.")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'the key "{twice}" stands twice.')
    return found


_READER = json.JSONDecoder(parse_float=str, parse_constant=_refuse_constant, object_pairs_hook=_once)
_written = json.JSONEncoder(ensure_ascii=False).encode


def as_json(compiled: CompiledForm, result: Result, decimals: int = 1) -> dict[str, Any]:
    """Return a result with the published keys; every number is exact text."""
    return {
        "score": None if result.score is None else exact(result.score),
        "raw": None if result.raw is None else exact(result.raw),
        "score_display": score_shown(result.score, compiled.pass_mark, result.outcome, decimals),
        "outcome": result.outcome,
        "band": result.band,
        "fail_causes": [{"ref": cause.ref, "scope": cause.scope} for cause in result.fail_causes],
        "missing": list(result.missing),
        "sections": [_part(section) for section in result.sections],
        "questions": [_part(question) for question in result.questions],
    }


def _part(part: Any) -> dict[str, Any]:
    shown = {
        "ref": part.ref,
        "state": part.state,
        "earned": part.earned,
        "max": part.max,
        "weight_applied": part.weight_applied,
        "ratio": part.ratio,
    }
    return shown if part.band is None else {**shown, "band": part.band}


@group.command()
@FORM
@click.option("--json", "as_lines", is_flag=True, help="Print a JSON list.")
def lint(form: Path, as_lines: bool) -> None:
    """Print findings with line and column. Exits 1 when one is an error."""
    findings = findings_of(_text(form))
    if as_lines:
        click.echo(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
    else:
        for one in findings:
            click.echo(f"{form}:{one.line}:{one.column}: {one.severity}: {one.message} [{one.rule}]")
        if not findings:
            click.echo(f"{form}: nothing to remark.")
    if any(finding.severity == "error" for finding in findings):
        sys.exit(1)


@group.command()
@FORM
@click.option("--json", "as_lines", is_flag=True, help="Print a JSON list.")
def test(form: Path, as_lines: bool) -> None:
    """Run the form's own tests. Exits 1 when one fails."""
    checked = checks.run_tests(compile_form(_document(form).form))
    if as_lines:
        click.echo(json.dumps([asdict(one) for one in checked], ensure_ascii=False))
    else:
        for one in checked:
            click.echo(f"{'FAILED' if one.problems else 'passed'}  {one.name}")
            for problem in one.problems:
                click.echo(f"        {problem}")
        failed = sum(bool(one.problems) for one in checked)
        click.echo(
            f"{len(checked) - failed} passed, {failed} failed" if checked else "The form has no tests."
        )
    if any(one.problems for one in checked):
        sys.exit(1)


@group.command()
@click.argument("before", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("after", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_lines", is_flag=True, help="Print a JSON list.")
def diff(before: Path, after: Path, as_lines: bool) -> None:
    """Name each change between two forms and its class."""
    changes = differences(_document(before).form, _document(after).form)
    if as_lines:
        click.echo(json.dumps([asdict(change) for change in changes], ensure_ascii=False, default=str))
        return
    for change in changes:
        click.echo(f"{change.kind:<11} {change.place}: {_word(change.before)} → {_word(change.after)}")
    if not changes:
        click.echo("Nothing changed.")


@group.command()
def schema() -> None:
    """Print the JSON Schema of a form."""
    click.echo(json.dumps(json_schema(Form), indent=2))


def _word(value: Any) -> str:
    return "nothing" if value is None else str(value)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise click.UsageError(f"{path}: there is no such file.") from None
    except UnicodeDecodeError:
        raise click.UsageError(f"{path}: is not UTF-8 text.") from None
    except OSError as error:
        raise click.UsageError(f"{path}: cannot be read: {error.strerror}.") from None


def _document(path: Path) -> Document:
    try:
        return load(_text(path))
    except DocumentError as error:
        lines = [f"{path}:{one.line}:{one.column}: {one.message}" for one in error.findings]
        raise click.ClickException("\n".join(lines)) from None


class _Opened:
    """A file or standard input, closed only when it is ours."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._file: TextIO | None = None

    def __enter__(self) -> Any:
        if self._name == "-":
            return sys.stdin
        try:
            self._file = open(self._name, encoding="utf-8")
        except OSError as error:
            raise click.UsageError(f"{self._name}: cannot be read: {error.strerror}.") from None
        return self._file

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
