"""evidence.py: tables and curves of a folder of synthetic clips, going on where it stopped."""

import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mmsal.datasets.synthetic import read_truth
from mmsal.explain import explain_video, load_recognizer, predict_video

EVIDENCE = 'saliency/evidence.py'
WRITTEN = (
    'curves.png', 'deletion.csv', 'evidence.csv', 'frames.csv', 'parts', 'predictions.csv',
    'settings.json', 'summary.csv', 'summary.md',
)  # fmt: skip
SHORT = ('--device', 'cpu', '--steps', 3, '--limit', 2)

pytestmark = pytest.mark.usefixtures('one_thread')


@pytest.fixture
def evidence(command, config_path, checkpoint_path):
    def call(clips, out, *options):
        return command(
            EVIDENCE, config_path, checkpoint_path, clips, '--out-dir', out, *SHORT, *options
        )

    return call


def table(out, name):
    return pd.read_csv(out / f'{name}.csv')


def times(out):
    return {path: path.stat().st_mtime_ns for path in sorted(out.glob('parts/*/*.csv'))}


def test_tables_hold_what_explain_video_and_the_truth_say(
    evidence, clips, tmp_path, config_path, checkpoint_path
):
    out = tmp_path / 'new' / 'out'
    status, printed, errors = evidence(
        clips, out, '--methods', 'gradcam', 'input_gradient', '--orders', 'pixels', 'frames',
        '--subset', 'all',
    )  # fmt: skip
    assert (status, errors) == (0, '')
    assert sorted(path.name for path in out.iterdir()) == sorted(WRITTEN)
    assert printed == (out / 'summary.md').read_text() + f'results: {out}\n'
    assert 'SYNTHETIC' in printed
    shares, curves = table(out, 'evidence'), table(out, 'deletion')
    keys = ['video', 'range', 'method', 'region', 'dilation']
    assert shares.columns.tolist() == [*keys, 'share', 'area', 'ratio']
    assert not shares.duplicated(keys).any() and len(shares) == 2 * 2 * 2 * 2
    assert curves.columns.tolist() == [
        'video', 'range', 'method', 'order', 'kind', 'fraction', 'probability', 'logit'
    ]  # fmt: skip
    assert curves.groupby('method').size().to_dict() == dict.fromkeys(
        ('random', 'gradcam', 'input_gradient'),
        2 * 2 * (4 + 9),  # clips, kinds, steps + 1
    )
    model = load_recognizer(config_path, checkpoint_path, device='cpu')
    for row in table(out, 'predictions').itertuples():
        first, last = (int(frame) for frame in row.range.split('-'))
        said = predict_video(model, clips / row.video, [(first - 1, last)])
        assert (row.prediction, row.label) == (said.label, row.video.split('_')[1])
        of_clip = curves[(curves['video'] == row.video) & (curves['range'] == row.range)]
        for kind, whole in (('deletion', 0), ('insertion', 1)):
            ends = of_clip[(of_clip['kind'] == kind) & (of_clip['fraction'] == whole)]
            assert ends['probability'].to_numpy() == pytest.approx([said.score] * 6, abs=1e-5)
        truth = read_truth(clips / 'truth' / row.video.replace('_uncomp.avi', '.npz'))
        for method in ('gradcam', 'input_gradient'):
            maps = explain_video(
                model, clips / row.video, method, frame_ranges=[(first - 1, last)]
            ).heatmaps
            for region in ('legs', 'body'):
                inside = getattr(truth, region)[maps.frame_indices]
                share = maps.values[inside].sum(dtype=float) / maps.values.sum(dtype=float)
                found = shares.query(
                    'video == @row.video and range == @row.range and method == @method and '
                    'region == @region and dilation == 0'
                )
                assert found['share'].item() == pytest.approx(share, rel=1e-3)
                assert found['area'].item() == pytest.approx(inside.mean())
    with Image.open(out / 'curves.png') as picture:
        pixels = np.asarray(picture.convert('RGB')).astype(int)
    assert (np.ptp(pixels, axis=2) > 60).mean() > 0.0005  # two methods are drawn in colour


def test_a_second_run_goes_on(evidence, clips, tmp_path):
    out = tmp_path / 'out'
    assert evidence(clips, out, '--methods', 'gradcam')[0] == 0
    former, summary = times(out), (out / 'summary.md').read_text()
    lost = next(path for path in former if path.match('gradcam/*.deletion.csv'))
    lost.unlink()
    assert evidence(clips, out, '--methods', 'gradcam')[0] == 0
    changed = {path for path, when in times(out).items() if when != former[path]}
    assert changed == {lost, lost.with_name(lost.name.replace('deletion', 'frames'))}
    assert (out / 'summary.md').read_text() == summary

    former = times(out)
    assert evidence(clips, out, '--methods', 'gradcam', 'input_gradient')[0] == 0
    assert times(out).items() > former.items()
    assert table(out, 'evidence')['method'].unique().tolist() == ['gradcam', 'input_gradient']

    status, _, errors = evidence(clips, out, '--methods', 'gradcam', '--steps', 2)
    assert status == 2 and errors.count('\n') == 1
    assert f'{out} holds results of other steps: ' in errors
    assert times(out).items() > former.items()
    assert evidence(clips, out, '--methods', 'gradcam', '--steps', 2, '--overwrite')[0] == 0
    assert not list(out.glob('parts/input_gradient/*.csv'))
    assert table(out, 'deletion')['fraction'].nunique() == 3
    former = times(out)
    assert evidence(clips, out, '--methods', 'gradcam', '--steps', 2, '--overwrite')[0] == 0
    assert all(when != former[path] for path, when in times(out).items())


def test_a_clip_that_fails_is_told_and_the_others_done(evidence, clips, tmp_path):
    folder = tmp_path / 'clips'
    shutil.copytree(clips, folder)
    (folder / 'truth' / 'person02_walking_d1.npz').write_bytes(b'no truth')
    status, _, errors = evidence(folder, tmp_path / 'out', '--methods', 'gradcam', 'hirescam')
    assert status == 3
    assert errors.count('\n') == errors.count('failed: ') == 2
    assert 'gradcam on person02_walking_d1_' in errors and 'not a truth file' in errors
    shares = table(tmp_path / 'out', 'evidence')
    assert shares['video'].unique().tolist() == ['person02_running_d1_uncomp.avi']
    assert len(table(tmp_path / 'out', 'predictions')) == 2


def test_nothing_but_failures(evidence, clips, tmp_path):
    folder = tmp_path / 'clips'
    shutil.copytree(clips, folder)
    for video in folder.glob('*.avi'):
        video.write_bytes(b'no video')
    status, _, errors = evidence(folder, tmp_path / 'out', '--methods', 'gradcam')
    assert status == 2
    assert 'is not a video' in errors and errors.endswith(
        'error: nothing could be measured on the 2 clips\n'
    )


def no_truth(folder):
    shutil.rmtree(folder / 'truth')


def real_ones(folder):
    (folder / 'clips.json').unlink()


def one_truth_gone(folder):
    (folder / 'truth' / 'person02_running_d1.npz').unlink()


FAULTS = {
    'no truth': (no_truth, [], 'no synthetic clips with known evidence (no truth)'),
    'not from here': (real_ones, [], 'no synthetic clips with known evidence (no clips.json)'),
    'a truth is missing': (one_truth_gone, [], 'no truth of person02_running_d1'),
    'no such folder': (shutil.rmtree, [], 'no synthetic clips with known evidence'),
    'unknown method': (None, ['--methods', 'guess'], "method to be one of gradcam, "),
    'method of other networks': (None, ['--methods', 'attention_rollout'], 'attention'),
    'limit': (None, ['--limit', 0], 'a limit of at least 1 clip, got 0'),
    'steps': (None, ['--steps', 0], 'steps of at least 1, got 0'),
    'dilation': (None, ['--dilation', -8], 'dilations of 0 pixels or more, got -8'),
    'order': (None, ['--orders', 'rows'], "'rows'"),
    'device': (None, ['--device', 'tpu'], "'tpu'"),
}  # fmt: skip


@pytest.mark.parametrize(('spoil', 'options', 'words'), FAULTS.values(), ids=FAULTS)
def test_faults_are_one_line(evidence, clips, tmp_path, spoil, options, words):
    folder = clips
    if spoil is not None:
        folder = tmp_path / 'clips'
        shutil.copytree(clips, folder)
        spoil(folder)
    status, _, errors = evidence(folder, tmp_path / 'out', *options)
    assert status == 2
    assert errors.startswith('error: ') and errors.count('\n') == 1 and words in errors
    assert not (tmp_path / 'out').exists()


def test_a_network_of_other_classes(command, clips, config_path, checkpoint_path, tmp_path):
    import torch

    weights = torch.load(checkpoint_path, weights_only=True)
    weights['meta']['dataset_meta']['classes'] = ('boxing', 'handclapping')
    torch.save(weights, tmp_path / 'other.pth')
    status, _, errors = command(
        EVIDENCE, config_path, tmp_path / 'other.pth', clips, '--out-dir', tmp_path / 'out', *SHORT
    )
    assert status == 2
    assert errors == (
        'error: the clips show running, walking, which is no class of the network: boxing, '
        'handclapping\n'
    )
    assert not (tmp_path / 'out').exists()
