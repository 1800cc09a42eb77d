"""Figures with their captions, and with alternative texts that say in numbers what they show."""

from matplotlib.figure import Figure

from tamrl.report.pages import texts
from tamrl.report.pages.html import Picture, draw_picture


def captioned(name: str, figure: Figure, facts: str, **fields: object) -> Picture:
    """Draw a figure with its caption and alternative text.

    Parameters
    ----------
    name : of the figure and of its texts
    facts : what it shows, in numbers
    fields : what the caption names
    """
    caption, alt = texts.CAPTIONS[name].format(**fields), texts.ALTERNATIVES[name].format(**fields)
    return draw_picture(figure, name, caption=caption, alt=f"{alt} {facts}")
