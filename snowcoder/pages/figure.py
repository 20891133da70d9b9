"""A figure in a page: SVG inside its HTML, which the page's style makes dark."""

from __future__ import annotations

import io

import matplotlib
from markupsafe import Markup
from matplotlib.figure import Figure


def as_svg(figure: Figure, name: str) -> Markup:
    """The figure as an element `<svg>`, the same each time. Figures of one page have different names."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):  # ids of one figure are not those of another
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    return Markup(buffer.getvalue()[buffer.getvalue().index("<svg") :])
