"""The verdict on a plugin as JUnit XML for a build server, and as one page for people."""

from __future__ import annotations

from html import escape
from xml.etree import ElementTree

from qa.plugins.testing.child import BROKEN, NOT_NEEDED
from qa.plugins.testing.whole import Verdict

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 "
    "1rem;color-scheme:light dark}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px "
    "solid #8884;"
    "vertical-align:top}pre{white-space:pre-wrap;margin:.3rem 0;font-size:.85rem}.broken{font-weight:700}"
)


def junit_of(verdict: Verdict) -> str:
    """Return JUnit XML: a case for loading, for each finding in the source and for each check."""
    suite = ElementTree.Element("testsuite", name=f"qa plugin check {verdict.name}")
    _case(suite, "load", verdict.load_fault)
    for finding in verdict.findings:
        _case(suite, f"{finding.rule} {finding.file}:{finding.line}", finding.words)
    for result in verdict.results:
        case = _case(suite, result.name, result.message if result.verdict == BROKEN else "")
        case.set("time", f"{result.seconds:.3f}")
        if result.verdict == NOT_NEEDED:
            ElementTree.SubElement(case, "skipped", message=_plain(result.message))
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)


def _case(suite: ElementTree.Element, name: str, fault: str) -> ElementTree.Element:
    case = ElementTree.SubElement(suite, "testcase", classname="plugin", name=name)
    if fault:
        failure = ElementTree.SubElement(case, "failure", message=_plain(fault.splitlines()[0]))
        failure.text = _plain(fault)
    return case


def _plain(text: str) -> str:
    """Return text that XML can hold."""
    return "".join(char for char in text if char in "\t\n" or ord(char) >= 32)


def page_of(verdict: Verdict) -> str:
    """Return one HTML page: the tier, what is broken first, then every check and rule."""
    title = f"{verdict.name}: {'good' if verdict.is_good else 'something is broken'}"
    tier = verdict.tier or "none yet"
    faults = "".join(f"<p class=broken>{escape(one)}</p>" for one in _faults(verdict))
    checks = "".join(
        f"<tr class={one.verdict.split()[0]}><td>{escape(one.name)}<td>{escape(one.verdict)}"
        f"<td>{one.seconds:.2f} s<td><pre>{escape(one.message)}</pre>"
        for one in verdict.results
    )
    rules = "".join(
        f"<tr><td>{escape(one.tier)}<td>{escape(one.words)}<td>{escape(one.state)}<td>{escape(one.reason)}"
        for one in verdict.standings
    )
    return (
        f"<!doctype html><html lang=en><meta "
        f"charset=utf-8><title>{escape(title)}</title><style>{STYLE}</style>"
        f"<h1>{escape(title)}</h1><p>Tier: {escape(tier)}</p>{faults}"
        f"<h2>Checks</h2><table><tr><th>Check<th>Verdict<th>Time<th>Words{checks}</table>"
        f"<h2>Quality</h2><table><tr><th>Tier<th>Rule<th>State<th>Reason{rules}</table></html>"
    )


def _faults(verdict: Verdict) -> list[str]:
    loading = [verdict.load_fault] if verdict.load_fault else []
    return [*loading, *(finding.words for finding in verdict.findings), *verdict.notes]
