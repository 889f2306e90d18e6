"""The rules of the house, held by the build: one commit site, claimed routes, permissions asked."""

from __future__ import annotations

import ast
import configparser
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from flask import Flask

import qa
from qa.accounts.permissions import Permission
from qa.accounts.policy import POLICY
from qa.cli import COMMANDS
from qa.config import SETTINGS
from qa.core.db import Base, Database
from qa.web.access import MACHINE, PUBLIC, SIGNED_IN, claim_of

ROOT = Path(__file__).parents[1]
MODULES = sorted(path for path in (ROOT / "qa").rglob("*.py"))


def name_of(path: Path) -> str:
    """The import name of a module's file."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_says_what_it_is_for_and_stays_small(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    assert ast.get_docstring(tree), "a module docstring says what it is for"
    code = [line for line in source.splitlines() if line.strip() and not line.strip().startswith("#")]
    assert len(code) <= 400
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, f"{node.name} is too long"
            imports = [one for one in ast.walk(node) if isinstance(one, ast.Import | ast.ImportFrom)]
            assert not imports, f"{node.name} imports inside"


def test_there_is_one_commit_in_the_product() -> None:
    sites = [name_of(path) for path in MODULES if ".commit()" in path.read_text(encoding="utf-8")]
    assert sites == ["qa.core.db"]


def transactions(tree: ast.AST) -> Iterator[ast.With]:
    """Every ``with transaction()`` of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.With) and any("transaction()" in ast.unparse(item) for item in node.items):
            yield node


@pytest.mark.parametrize("path", [p for p in MODULES if p.name.endswith("views.py")], ids=name_of)
def test_no_refusal_is_caught_inside_a_transaction(path: Path) -> None:
    for block in transactions(ast.parse(path.read_text(encoding="utf-8"))):
        assert not [node for node in ast.walk(block) if isinstance(node, ast.Try)]


def test_every_route_claims_a_permission_row(app: Flask) -> None:
    known = {*map(str, Permission), PUBLIC, SIGNED_IN, MACHINE}
    for endpoint, view in app.view_functions.items():
        if endpoint != "static":
            claim = claim_of(view)
            assert claim, f"{endpoint} claims nothing"
            assert set(map(str, claim)) <= known


def test_every_permission_has_its_row() -> None:
    assert set(POLICY) == set(Permission)


ASKS = (
    "require(",
    "visible(",
    "get_",
    "find_active(",
    "_submitted(",
    "_people(",
    "_one(",
    "_seen(",
    "_locked_draft(",
    "_start(",
    "take_viewer(",
    "may_somewhere(",
)
BEFORE_ANYBODY_IS_SIGNED_IN = {
    "find_link",
    "begin_sign_in",
    "look_at",
    "complete_sign_in",
    "choose_password",
    "end_links",
}


@pytest.mark.parametrize(
    "path", [p for p in MODULES if p.name.endswith(("service.py", "queries.py"))], ids=name_of
)
def test_services_and_queries_that_take_an_actor_ask_for_permission(path: Path) -> None:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        arguments = [argument.arg for argument in node.args.args]
        if arguments[:1] != ["session"] or node.name in BEFORE_ANYBODY_IS_SIGNED_IN:
            continue
        if "actor" in arguments:
            body = ast.unparse(node)
            assert any(word in body for word in ASKS), f"{node.name} never asks"


def test_relationships_are_never_loaded_by_accident() -> None:
    for mapper in Base.registry.mappers:
        for relation in mapper.relationships:
            assert relation.lazy == "raise", f"{mapper.class_.__name__}.{relation.key}"


def test_importing_any_module_does_nothing() -> None:
    for module in pkgutil.walk_packages(qa.__path__, "qa."):
        if "migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def test_the_packages_that_ship_are_the_packages_on_the_disk() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    shipped = set(setup["options"]["packages"].split())
    there = {name_of(path.parent / "__init__.py") for path in (ROOT / "qa").rglob("__init__.py")}
    assert shipped == there | {"qa.migrations", "qa.migrations.versions"}


def test_the_migrated_schema_is_the_models_schema(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, Base.metadata) == []


def test_no_third_party_script_stands_in_the_repository() -> None:
    scripts = [p for p in (ROOT / "assets" / "src").rglob("*.js") if p.stat().st_size > 60_000]
    assert scripts == []


@pytest.mark.parametrize("name", [*SETTINGS, *COMMANDS])
def test_settings_and_commands_are_named_in_the_operators_pages(name: str) -> None:
    pages = "\n".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "operate").glob("*.md"))
    assert f"`{name}`" in pages or f"qa {name}" in pages


def test_every_lint_rule_is_said_in_a_sentence() -> None:
    from qa.scorecards.lint import RULES

    page = (ROOT / "docs" / "evaluate" / "scorecards.md").read_text(encoding="utf-8")
    assert [rule for rule in RULES if f"`{rule}`" not in page] == []


def test_every_class_and_function_in_core_says_what_the_caller_gets() -> None:
    for module in ("db", "errors", "jobs", "outbox", "storage", "crypto", "text", "audit"):
        loaded = importlib.import_module(f"qa.core.{module}")
        for name, thing in inspect.getmembers(loaded, inspect.isfunction):
            if not name.startswith("_") and thing.__module__ == loaded.__name__:
                assert thing.__doc__, f"{module}.{name}"


@pytest.mark.parametrize(
    "path", sorted((ROOT / "plugins").glob("*/candor_*/**/*.py")), ids=lambda path: path.stem
)
def test_plugins_import_the_plugin_api_and_nothing_else_of_the_product(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [one.name for one in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            if name.split(".")[0] == "qa":
                assert name in {"qa.plugins.api", "qa.plugins.testing"}, f"{path}: {name}"
