"""The command line: good use, bad use, and that help does not wait for torch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools/data/synthetic/make_clips.py'


def run(*arguments, flags=()):
    """Run the tool from this checkout."""
    return subprocess.run(
        [sys.executable, *flags, str(TOOL), *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {'PYTHONPATH': str(ROOT)},
        check=False,
    )


def test_help_tells_defaults_and_imports_nothing_heavy():
    done = run('--help', flags=['-X', 'importtime'])
    assert done.returncode == 0
    for option in ('--persons', '--evidence', '--overwrite', 'default: 1-25', 'default: 8'):
        assert option in done.stdout
    imported = {line.split('|')[-1].strip() for line in done.stderr.splitlines()}
    assert 'argparse' in imported
    assert imported.isdisjoint({'numpy', 'torch', 'rich', 'mmsal'})


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        ([], 'OUT_DIR'),
        (['out', '--persons', '5-1'], "'5-1'"),
        (['out', '--persons', 'all'], "'all'"),
        (['out', '--actions', 'boxing'], 'boxing'),
        (['out', '--evidence', 'arms'], 'arms'),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(arguments, words):
    done = run(*arguments)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and words in done.stderr


def test_clips_are_made_and_real_ones_are_not_touched(tmp_path):
    small = ['--persons', 3, '5-6', '--actions', 'running', '--passes', 1, '--observers', 1]
    done = run(tmp_path / 'out', *small, '--evidence', 'legs', '--scenarios', 4)
    assert done.returncode == 0, done.stderr
    videos = sorted(path.name for path in (tmp_path / 'out').glob('*.avi'))
    assert videos == [f'person{n:02d}_running_d4_uncomp.avi' for n in (3, 5, 6)]
    assert '3 synthetic clips' in done.stdout

    (tmp_path / 'out/clips.json').unlink()  # now they could be anybody's
    done = run(tmp_path / 'out', *small)
    assert done.returncode == 2
    assert done.stderr.count('\n') == 1 and 'choose an empty or a new folder' in done.stderr
