"""All checks of the kit, in the order of their numbers."""

from __future__ import annotations

from qa.plugins.testing.checks import crashes, declared, media, pages, pushes, records, secrets, times, wires
from qa.plugins.testing.laws import Check

CHECKS: tuple[Check, ...] = (
    pages.c01,
    pages.c02,
    pages.c03,
    crashes.c04,
    crashes.c05,
    times.c06,
    wires.c07,
    wires.c08,
    secrets.c09,
    times.c10,
    records.c11,
    media.c12,
    secrets.c13,
    wires.c14,
    pages.c15,
    pages.c16,
    pages.c17,
    pushes.c18,
    pushes.c19,
    pages.c20,
    records.c21,
    pushes.c22,
    wires.c23,
    pages.c24,
    records.c25,
    times.c26,
    wires.c27,
    wires.c28,
    media.c29,
    records.c30,
    records.c31,
    pages.c32,
    pages.c33,
    crashes.c34,
    declared.c35,
    declared.c36,
    declared.c37,
    pages.c38,
)
