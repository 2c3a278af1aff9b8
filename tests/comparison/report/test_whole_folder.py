"""A folder appears whole or not at all, and nothing of the user's is lost."""

import os
import subprocess
import sys

import pytest

from mmsal.comparison.report.whole_folder import whole_folder

OWN = ('index.html', 'data')


def names(folder):
    return [path.name for path in folder.iterdir()]


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


def test_it_appears_at_the_end_and_replaces_an_earlier_one(tmp_path):
    target = tmp_path / 'deep' / 'report'
    for text in ('one', 'two'):
        with whole_folder(target, OWN) as new:
            (new / 'data').mkdir()
            (new / 'index.html').write_text(text)
            assert text == 'one' or contents(target) == {'index.html': 'one'}
        assert contents(target) == {'index.html': text}
        assert names(target.parent) == ['report']


@pytest.mark.parametrize('earlier', [True, False])
def test_a_failure_leaves_what_was_there(tmp_path, earlier):
    target = tmp_path / 'report'
    if earlier:
        target.mkdir()
        (target / 'index.html').write_text('old')
    with pytest.raises(KeyboardInterrupt), whole_folder(target, OWN) as new:
        (new / 'index.html').write_text('half')
        raise KeyboardInterrupt
    assert contents(tmp_path) == ({'report/index.html': 'old'} if earlier else {})
    assert names(tmp_path) == (['report'] if earlier else [])


def test_a_killed_run_leaves_no_report_and_the_next_sweeps(tmp_path):
    target = tmp_path / 'report'
    code = (
        'import os, signal, sys\n'
        'from pathlib import Path\n'
        'from mmsal.comparison.report.whole_folder import whole_folder\n'
        'with whole_folder(Path(sys.argv[1]), ("index.html",)) as new:\n'
        '    (new / "index.html").write_text("half")\n'
        '    os.kill(os.getpid(), signal.SIGKILL)\n'
    )
    subprocess.run([sys.executable, '-c', code, str(target)], check=False)
    assert not target.exists()
    assert len(names(tmp_path)) == 1
    with whole_folder(target, OWN) as new:
        (new / 'index.html').write_text('whole')
    assert contents(tmp_path) == {'report/index.html': 'whole'}


def test_a_report_moved_aside_by_a_killed_run_comes_back(tmp_path):
    target = tmp_path / 'report'
    aside = tmp_path / '.report.old-999999999'
    aside.mkdir()
    (aside / 'index.html').write_text('old')
    with pytest.raises(ZeroDivisionError), whole_folder(target, OWN):
        raise ZeroDivisionError
    assert contents(tmp_path) == {'report/index.html': 'old'}


def test_what_a_running_process_writes_is_left_alone(tmp_path):
    other = tmp_path / f'.report.tmp-{os.getppid()}'
    other.mkdir()
    with whole_folder(tmp_path / 'report', OWN):
        pass
    assert other.exists()


def test_a_folder_with_something_else_in_it_is_refused(tmp_path):
    target = tmp_path / 'report'
    target.mkdir()
    (target / 'results.csv').write_text('mine')
    entered = False
    with (
        pytest.raises(FileExistsError, match=r"earlier report.*'results.csv'"),
        whole_folder(target, OWN),
    ):
        entered = True
    assert not entered
    assert contents(tmp_path) == {'report/results.csv': 'mine'}
    with (
        pytest.raises(FileExistsError, match='got the file'),
        whole_folder(target / 'results.csv', OWN),
    ):
        entered = True
    assert not entered


def test_a_file_that_appears_meanwhile_is_not_lost(tmp_path):
    target = tmp_path / 'report'
    target.mkdir()
    with pytest.raises(FileExistsError), whole_folder(target, OWN):
        (target / 'notes.txt').write_text('mine')
    assert contents(tmp_path) == {'report/notes.txt': 'mine'}
