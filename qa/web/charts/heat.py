"""A heat map of shares: every cell prints k of n, and colour only says the same again.

Under three scored there is no colour. The map is a table, so it reads without colours and without eyes; the
picture is for taking away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from qa.web.charts.core import element, number, picture

FEWEST = 3
LEVELS = ((0.45, "1"), (0.70, "2"), (0.85, "3"), (0.95, "4"))
KEY = (
    ("1", "under 45 %"),
    ("2", "45–70 %"),
    ("3", "70–85 %"),
    ("4", "85–95 %"),
    ("5", "95 % and more"),
    ("", "outlined: fewer than 3, no colour"),
)
CELL_WIDTH, CELL_HEIGHT, NAMES_WIDTH = 58, 30, 210


@dataclass(frozen=True, slots=True)
class Cell:
    """So many met, of so many scored; None scored is an empty cell."""

    k: int
    n: int

    @property
    def level(self) -> str:
        """Return "1" (low) to "5", or "few"."""
        if self.n < FEWEST:
            return "few"
        share = self.k / self.n
        return next((level for limit, level in LEVELS if share < limit), "5")

    @property
    def words(self) -> str:
        """Return what the cell prints."""
        return f"{self.k}/{self.n}" if self.n else "–"


@dataclass(frozen=True, slots=True)
class Row:
    """A question and its cells, one for each column."""

    name: str
    cells: tuple[Cell, ...]
    href: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A month or an agent: what the head prints, and in full when that is short."""

    label: str
    full: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class Heat:
    """A heat map: what its table holds, its sentence, and the picture to take away."""

    corner: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    sentence: str
    svg: Markup

    @property
    def key(self) -> tuple[tuple[str, str], ...]:
        """Return levels with their words."""
        return KEY


def chart(
    rows: Sequence[Row], columns: Sequence[Column], *, about: str, corner: str = "Question"
) -> Heat | None:
    """Return the heat map, or None when it has no cells. ``about``: "Share met by question and month"."""
    if not rows or not columns:
        return None
    lowest = [row.name for row in rows if any(cell.level == "1" for cell in row.cells)]
    found = f"Under 45 % somewhere: {', '.join(lowest)}." if lowest else "Nothing is under 45 %."
    sentence = f"{about}. {found}"
    return Heat(corner, tuple(columns), tuple(rows), sentence, _svg(rows, columns, sentence))


def _svg(rows: Sequence[Row], columns: Sequence[Column], sentence: str) -> Markup:
    parts: list[Markup] = []
    for place, column in enumerate(columns):
        x = number(NAMES_WIDTH + CELL_WIDTH * (place + 0.5))
        parts.append(element("text", column.label, x=x, y=14, text_anchor="middle"))
    for place, row in enumerate(rows):
        top = 22 + CELL_HEIGHT * place
        parts.append(element("text", row.name, class_="label", x=0, y=top + 18))
        for column_place, cell in enumerate(row.cells):
            left = NAMES_WIDTH + CELL_WIDTH * column_place
            size = {"x": left + 1, "y": top, "width": CELL_WIDTH - 2, "height": CELL_HEIGHT - 2, "rx": 3}
            parts.append(element("rect", class_="cell", data_level=cell.level, **size))
            middle = {"x": number(left + CELL_WIDTH / 2), "y": top + 18, "text_anchor": "middle"}
            parts.append(element("text", cell.words, class_="label", **middle))
    width, height = NAMES_WIDTH + CELL_WIDTH * len(columns), 24 + CELL_HEIGHT * len(rows)
    return picture(parts, width=width, height=height, sentence=sentence, kind="heat-picture")
