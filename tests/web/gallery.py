"""One of each chart, from fixed numbers: held against pictures that somebody looked at.

``python -m tests.web.gallery`` draws the pictures anew; look at them before they are committed.
"""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from qa.stats.charts import p_chart
from qa.stats.funnels import funnel_by_lot
from qa.stats.small_samples import likely_places
from qa.web.charts import control, funnel, heat, small, trend

GOLDEN = Path(__file__).parent / "golden"
DAYS = ("3 Jun", "17 Jun", "1 Jul", "15 Jul", "29 Jul", "12 Aug")
DAYS += ("26 Aug", "9 Sep", "23 Sep", "7 Oct", "21 Oct", "4 Nov")
AVERAGES = ((84, 5), (88, 4), (79, 6), (85, 5), (None, 2), (76, 5), (78, 6), (74, 5), (80, 5), (83, 6))
AVERAGES += ((86, 5), (81, 6))
SCORES = {
    "Aisha Bello": [92.5, 87.5, 90, 95, 82.5, 85, 90, 77.5, 87.5, 92.5, 80, 85],
    "Bartosz Zielinski": [70, 85, 82.5, 90, 87.5, 75, 80, 95, 82.5],
    "Dana Ortiz": [72.5, 88, 80, 67.5, 82.5, 79],
    "Hugo & Söhne <Marchetti>": [95, 85, 90, 87.5],
    "Kofi Mensah": [55, 62.5, 70, 45, 60, 72.5, 67.5, 50, 65, 57.5, 70, 62.5, 60, 55],
    "Leilani Kahale": [85, 90, 77.5, 82.5, 87.5, 80, 75, 92.5],
    "Noor Haddad": [90, 87.5, 95, 82.5, 85, 92.5, 80],
    "Zeynep Aydin": [90, 60],
}
FAILS = (3, 1, 2, 1, 0, 2, 1, 1, 2, 3, 1, 0, 2, 1, 1, 2, 9, 2, 1, 2)
WEEKS = (40, 39, 42, 37, 40, 41, 38, 36, 43, 42, 37, 40, 41, 38, 36, 43, 40, 39, 41, 40)
QUESTIONS = {
    "Greeting": "9/9 14/15 11/11 10/10 2/2 6/6",
    "Refund date told": "3/8 5/14 4/10 3/9 1/2 4/6",
    "Hold explained": "1/2 4/5 2/2 3/4 0/0 2/2",
    "Tone": "8/9 14/15 10/11 9/10 2/2 6/6",
}


def trend_chart() -> trend.Chart:
    """Half a year of one agent, with one period of too few calls and two events."""
    points = []
    for day, (value, n) in zip(DAYS, AVERAGES, strict=True):
        half = 22 / n**0.5
        ends = (None, None) if value is None else (max(0.0, value - half), min(100.0, value + half))
        points.append(trend.Point(day, n, value, *ends))
    marks = [trend.Mark(6.5, "form version 4", "version 4"), trend.Mark(7.2, "coaching began", "coaching")]
    drawn = trend.chart(
        points, about="Average score per fortnight", target=80, target_words="pass 80", marks=marks
    )
    assert drawn is not None
    return drawn


def funnel_chart() -> funnel.Chart:
    """A team of which one lies outside and one has too few calls."""
    found = funnel_by_lot(SCORES, seed=1)
    standings = [
        funnel.Standing(name, one["n"], one["mean"], one["place"], f"/agents/{place}")
        for place, (name, one) in enumerate(found["agents"].items())
    ]
    limits = funnel.Limits(found["n"], found["lo95"], found["hi95"], found["lo998"], found["hi998"])
    drawn = funnel.chart(standings, limits, found["center"], caption="random calls since 1 November")
    assert drawn is not None
    return drawn


def control_chart() -> control.Chart:
    """Auto-fails of twenty weeks, of which one stands out."""
    found = p_chart(list(FAILS), list(WEEKS))
    periods = [
        control.Period(f"week {24 + place}", k, n, low, high, place + 1 in found["signals_1based"])
        for place, (k, n, low, high) in enumerate(zip(FAILS, WEEKS, found["lcl"], found["ucl"], strict=True))
    ]
    drawn = control.chart(periods, found["center"], about="Auto-fails by week")
    assert drawn is not None
    return drawn


def heat_map() -> heat.Heat:
    """Four questions over six months."""
    rows = [
        heat.Row(name, tuple(heat.Cell(*map(int, cell.split("/"))) for cell in cells.split()))
        for name, cells in QUESTIONS.items()
    ]
    columns = [heat.Column(month) for month in ("Jun", "Jul", "Aug", "Sep", "Oct", "Nov")]
    drawn = heat.chart(rows, columns, about="Share met by question and month")
    assert drawn is not None
    return drawn


def small_pictures() -> dict[str, Markup]:
    """The pictures that stand inside lines and tiles."""
    answers = [small.Answer(name, "Fully") for name in ("Mara", "Ines", "Raúl")]
    answers += [small.Answer("Finn", "Partly"), small.Answer("Owen", "Partly")]
    calls = [
        small.Single(score, score >= 80, f"{score}", f"/evaluations/{place}")
        for place, score in enumerate((100, 95, 92.5, 92.5, 85, 80, 77.5, 70, 45, 0))
    ]
    drawn = {
        "band": small.band(
            23 / 57, 0.29, 0.53, ends=(0, 1), target=0.6, sentence="23 of 57, 29 to 53 per cent"
        ),
        "spark": small.spark([84, 84.6, 83.9, None, 84.5, 83.6], target=85, sentence="Quality by week"),
        "places": small.places(likely_places(72, 90)["places"], target=80),
        "strip": small.strip(["No", "Partly", "Fully"], answers, "Fully"),
        "singles": small.singles(calls, target=80, sentence="Ten calls, six of which met the mark"),
    }
    return {name: one for name, one in drawn.items() if one is not None}


def pictures() -> dict[str, Markup]:
    """Every picture by the name of its file."""
    found = {"heat": heat_map().svg, **small_pictures()}
    charts = {"trend": trend_chart(), "funnel": funnel_chart(), "control": control_chart()}
    for name, drawn in charts.items():
        found[f"{name}-wide"], found[f"{name}-narrow"] = drawn.wide, drawn.narrow
    return found


if __name__ == "__main__":
    for file_name, svg in pictures().items():
        (GOLDEN / f"{file_name}.svg").write_text(svg.replace("><", ">\n<") + "\n", encoding="utf-8")
