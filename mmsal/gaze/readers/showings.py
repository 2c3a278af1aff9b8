"""How often one observer was shown one video within a file."""

from __future__ import annotations

import pandas as pd


def repeated(fixations: pd.DataFrame, showing: str) -> list[dict]:
    """Observers who saw a video more than once in one file, for the command to point out.

    Args:
        fixations: Columns ``video``, ``observer`` and what is named next.
        showing: The column that tells one showing from the other.

    Returns:
        ``video``, ``observer`` and ``showings`` (2 or more) of each, as JSON values.
    """
    numbers = fixations.groupby(['video', 'observer'], sort=False)[showing].nunique()
    return [
        {'video': video, 'observer': observer, 'showings': int(number)}
        for (video, observer), number in numbers.items()
        if number > 1
    ]
