"""The scores that are printed first."""

import numpy as np
import pandas as pd

from mmsal.comparison.gaze.headlines import headlines


def row(model, metric, reference, mean, low=np.nan, high=np.nan, share=np.nan, **more):
    return {
        'model': model, 'reference': reference, 'level': 'video', 'metric': metric,
        'convention': 'tuebingen', 'mean': mean, 'low': low, 'high': high,
        'share_of_ceiling': share, **more,
    }  # fmt: skip


def test_models_come_first_with_intervals_and_share():
    summary = pd.DataFrame(
        [
            row('chance', 'NSS', 'all observers', 0.0, -0.1, 0.1),
            row('chance', 'NSS', 'each observer', 0.0, -0.2, 0.2),
            row('net', 'NSS', 'all observers', 0.5, 0.4, 0.6),
            row('net', 'NSS', 'each observer', 0.52, 0.4, 0.6, 0.35),
            row('net', 'AUC', 'all observers', 0.7),
            row('net', 'CC', 'all observers', np.nan),
            row('net', 'NSS', 'each observer', 9.0, level='static'),
            row('human ceiling', 'NSS', 'each observer', 1.45, 1.0, 1.9, 1.0),
            row('odd', 'SIM', 'all observers', 0.4),
        ]
    )
    lines = [
        'means over videos [interval]: NSS (tuebingen, each observer), AUC (tuebingen, all '
        'observers), CC (tuebingen, all observers)',
        'net: NSS 0.52 [0.40, 0.60], AUC 0.70; 35% of the way from chance to the human ceiling '
        '(NSS)',
        'chance: NSS 0.00 [-0.20, 0.20]',
        'human ceiling: NSS 1.45 [1.00, 1.90]',
    ]
    assert headlines(summary) == lines
    assert headlines(summary, yardsticks=False) == lines[:2]


def test_what_was_measured_is_shown_where_it_is_no_headline():
    rows = [row('net', 'KLD', 'all observers', 1.5), row('net', 'EMD', 'all observers', 2.0)]
    summary = pd.DataFrame(rows).assign(convention='mit')
    assert headlines(summary) == [
        'means over videos [interval]: KLD (mit, all observers), EMD (mit, all observers)',
        'net: KLD 1.50, EMD 2.00',
    ]
