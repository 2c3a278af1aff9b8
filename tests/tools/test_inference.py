"""inference.py: a table, or JSON and nothing else, on stdout."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


pytestmark = pytest.mark.usefixtures('one_thread')


@pytest.fixture
def video(clips):
    return clips / 'person02_walking_d1_uncomp.avi'


@pytest.fixture
def infer(command, config_path, checkpoint_path):
    def call(*words) -> str:
        words = (config_path, checkpoint_path, *words, '--device', 'cpu')
        status, printed, errors = command('inference.py', *words)
        assert status == 0, errors
        return printed

    return call


def rows(table: str) -> list[tuple[float, int, str]]:
    """A printed table: score, class, label."""
    split = (line.split() for line in table.splitlines())
    return [(float(score), int(number), label) for score, number, label in split]


def test_table_of_classes_by_falling_score(infer, video):
    (score, number, label), (other, *_) = rows(infer(video))
    assert score >= other and score + other == pytest.approx(1, abs=2e-6)
    assert ('walking', 'running')[number] == label


def test_top(infer, video):
    assert rows(infer(video, '--top', 1)) == rows(infer(video))[:1]
    assert rows(infer(video, '--top', 9)) == rows(infer(video))


def test_frames_are_classified_as_the_ranges_alone(infer, video):
    """Two ranges: the mean of each one's probabilities."""
    one, two, both = (
        {label: score for score, _, label in rows(infer(video, '--frames', ranges))}
        for ranges in ('1-40', '111-150', '1-40,111-150')
    )
    assert one != two
    for label, score in both.items():
        assert score == pytest.approx((one[label] + two[label]) / 2, abs=2e-6)


def test_scores_are_those_of_mmaction2(infer, video, config_path, checkpoint_path):
    from mmaction.apis import inference_recognizer, init_recognizer

    model = init_recognizer(str(config_path), str(checkpoint_path), device='cpu')
    expected = inference_recognizer(model, str(video)).pred_score.tolist()
    found = {number: score for score, number, _ in rows(infer(video))}
    assert [found[0], found[1]] == pytest.approx(expected, abs=1e-5)


def test_json_is_all_that_a_process_prints(infer, video, config_path, checkpoint_path):
    """MMEngine logs to stdout, whatever runs first; only a fresh process shows it."""
    script = ROOT / 'tools' / 'inference.py'
    words = [config_path, checkpoint_path, video, '--json', '--device', 'cpu']
    done = subprocess.run(
        [sys.executable, str(script), *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told['video'] == str(video)
    printed = [(one['score'], one['class'], one['label']) for one in told['predictions']]
    assert printed == rows(infer(video))
