"""What can be read off a plugin's source without running it: each finding names line and cure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PUBLIC = ("qa.plugins.api", "qa.plugins.testing")
NETWORK = frozenset(
    {"socket", "ssl", "http.client", "urllib.request", "urllib3", "requests", "httpx", "aiohttp"}
    | {"ftplib", "smtplib", "imaplib", "paramiko", "boto3"}
)
PROCESSES = frozenset({"subprocess", "multiprocessing", "concurrent.futures", "threading", "asyncio"})
CLOCKS = frozenset(
    f"{before}{name}"
    for before in ("", "datetime.")
    for name in ("datetime.now", "datetime.utcnow", "date.today")
) | {"time.time", "datetime.today", "datetime.datetime.today"}
FEELINGS = ("sentiment", "emotion", "mood")
BASES = frozenset({"Connector", "Enricher", "Transcriber", "Notifier", "Exporter", "AutoScorer", "Redactor"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One line that breaks a rule."""

    rule: str
    file: str
    line: int
    happened: str
    cure: str

    @property
    def words(self) -> str:
        """The finding in a line."""
        return f"{self.file}:{self.line}: {self.happened} {self.cure} ({self.rule})"


def findings_in(folder: Path) -> list[Finding]:
    """Return what is found in all Python files of a package; tests and the twin may do more."""
    found: list[Finding] = []
    for file in sorted(folder.rglob("*.py")):
        if not ({"tests", "build", ".venv"} & set(file.relative_to(folder).parts)):
            found += findings_of(file, str(file.relative_to(folder)))
    return found


def findings_of(file: Path, name: str) -> list[Finding]:
    """Return what is found in one file."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError) as error:
        line = getattr(error, "lineno", None) or 1
        return [Finding("syntax", name, line, f"It is not Python: {error}.", "Mend it.")]
    is_twin = file.stem.endswith("twin")
    return sorted(_looked_at(tree, name, is_twin), key=lambda one: one.line)


def _looked_at(tree: ast.AST, name: str, is_twin: bool) -> Iterator[Finding]:
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 1)
        if isinstance(node, ast.Import | ast.ImportFrom):
            for rule, happened, cure in _imports(node, is_twin):
                yield Finding(rule, name, line, happened, cure)
        if is_twin:
            continue
        for rule, happened, cure in _faults(node):
            yield Finding(rule, name, line, happened, cure)


Fault = tuple[str, str, str]


def _imports(node: ast.Import | ast.ImportFrom, is_twin: bool) -> Iterator[Fault]:
    names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names]
    for name in names:
        top = name.split(".")[0]
        if top == "qa" and not name.startswith(PUBLIC):
            yield "public", f"{name} is not public.", "Import from qa.plugins.api only."
        elif name.startswith("qa.plugins.testing") and not is_twin:
            yield "public", "The kit is imported by what ships.", "Import it in the twin and in tests only."
        elif (name in NETWORK or top in NETWORK) and not is_twin:
            yield (
                "network",
                f"{name} opens connections.",
                "Use ctx.http, or ctx.connect() for what is not HTTP.",
            )
        elif (name in PROCESSES or top in PROCESSES) and not is_twin:
            yield (
                "processes",
                f"{name} starts work of its own.",
                "Do it in this call; the host runs calls in parallel.",
            )


def _faults(node: ast.AST) -> Iterator[Fault]:
    if isinstance(node, ast.Call):
        yield from _calls(node)
    elif isinstance(node, ast.ExceptHandler):
        yield from _handlers(node)
    elif isinstance(node, ast.ClassDef):
        yield from _classes(node)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value.lower()
        if any(word in text for word in FEELINGS) and " " not in text:
            yield (
                "feelings",
                f"{node.value!r} is read.",
                "Never import a vendor's judgement of feelings (law 9).",
            )


def _calls(node: ast.Call) -> Iterator[Fault]:
    called = ast.unparse(node.func)
    if called in CLOCKS:
        yield (
            "clock",
            f"{called}() asks this machine's clock.",
            "Take the vendor's times; else ctx.clock.now().",
        )
    elif called in ("time.sleep", "sleep"):
        yield "clock", "It sleeps by itself.", "Use ctx.clock.sleep(), or let ctx.http wait."
    elif called.endswith(("utcfromtimestamp", ".fromtimestamp")) and len(node.args) + len(node.keywords) < 2:
        yield "zones", f"{called}() gives a time without a zone.", "Pass UTC as second argument."
    elif called == "print":
        yield "output", "It prints.", "Use ctx.log."
    elif called in ("sys.exit", "exit", "quit", "os._exit", "os.abort"):
        yield "output", f"{called}() ends the process.", "Raise an error with a meaning."
    elif ".log." in called and any(
        "secret" in ast.unparse(one) or "headers" in ast.unparse(one) for one in node.args
    ):
        yield (
            "secrets",
            "Secrets or headers are logged.",
            "Log neither; ctx.http logs each request without them.",
        )


def _handlers(node: ast.ExceptHandler) -> Iterator[Fault]:
    caught = "" if node.type is None else ast.unparse(node.type)
    is_broad = caught in ("", "Exception", "BaseException") or "PluginError" in caught
    only_leaves = all(isinstance(one, ast.Pass | ast.Continue | ast.Break | ast.Return) for one in node.body)
    if is_broad and only_leaves:
        yield (
            "swallows",
            "Every error is swallowed.",
            "Catch the one you can do something about; let others pass.",
        )


def _classes(node: ast.ClassDef) -> Iterator[Fault]:
    if not BASES & {ast.unparse(base).split(".")[-1] for base in node.bases}:
        return
    for one in node.body:
        if isinstance(one, ast.Assign) and isinstance(one.value, ast.List | ast.Dict | ast.Set):
            names = ", ".join(ast.unparse(target) for target in one.targets)
            yield "stateless", f"{names} can change on the class.", "Use a tuple or frozenset (law 1)."
    for target in filter(None, (_kept(inner) for inner in ast.walk(node))):
        yield "stateless", f"{target} is kept.", "Keep nothing on self (law 1)."


def _kept(node: ast.AST) -> str:
    """Return what an assignment keeps on the object, empty when it keeps nothing."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AugAssign):
        targets = [node.target]
    for target in targets:
        if isinstance(target, ast.Attribute) and ast.unparse(target.value) in ("self", "cls"):
            return ast.unparse(target)
    return ""
