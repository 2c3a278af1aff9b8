"""HeatmapDumpHook: vis_cam.py's files from the test loop, whose results stay what they were."""

import csv
import json
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from torch.utils.data import DataLoader, Dataset

from mmsal.datasets.video import probe_video, read_frames
from mmsal.explain import explain_video, load_recognizer
from mmsal.heatmaps import read_heatmaps, write_heatmaps
from mmsal.hooks.samples import TracingPipeline

PARTS = {  # as clips/00sequences.txt has them, from 1
    'person02_running_d1_uncomp': [(14, 49), (58, 92)],
    'person02_walking_d1_uncomp': [(15, 83), (114, 183)],
}
STEMS = [f'{name}.frames-{start}-{end}' for name in PARTS for start, end in PARTS[name]]


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / 'maps'


@pytest.fixture
def dump_hook(out):
    """The hook's config line."""
    return lambda **options: dict(type='HeatmapDumpHook', out_dir=str(out), **options)


@pytest.fixture
def model(config_path, checkpoint_path):
    return load_recognizer(config_path, checkpoint_path, 'cpu')


def manifest(out: Path) -> dict[str, dict]:
    """Rows of the manifest by the stem that their samples' files have."""
    with (out / 'manifest.csv').open() as file:
        return {Path(row['video']).name.replace('.avi', ''): row for row in csv.DictReader(file)}


METHODS = {
    'gradcam': {},
    'as told': dict(target='running', target_layer_name='backbone/layer1', method='layercam'),
    'input gradient': dict(method='input_gradient', space='input'),
    'several at once': dict(batch_size=3),
}


@pytest.mark.parametrize('options', METHODS.values(), ids=METHODS)
def test_files_are_those_of_vis_cam(make_runner, dump_hook, model, clips, out, tmp_path, options):
    runner = make_runner(dump_hook(**options))
    attributes = set(vars(runner.model))
    runner.test()
    assert set(vars(runner.model)) == attributes
    batch_size = options.pop('batch_size', 1)
    for name, parts in PARTS.items():
        for start, end in parts:
            video = clips / f'{name}.avi'
            found = explain_video(model, video, frame_ranges=[(start - 1, end)], **options)
            write_heatmaps(found.heatmaps, tmp_path / 'expected.txt')
            path = out / f'{name}.frames-{start}-{end}.txt'
            if batch_size > 1:  # not the same sums, so not the same last digit
                ours = read_heatmaps(path)
                np.testing.assert_allclose(ours.values, found.heatmaps.values, atol=1e-4)
                continue
            assert path.read_bytes() == (tmp_path / 'expected.txt').read_bytes()
            sidecar = path.with_name(f'{path.name}.json').read_text()
            assert sidecar == (tmp_path / 'expected.txt.json').read_text()
            row = manifest(out)[f'{name}.frames-{start}-{end}']
            assert (row['status'], row['output'], row['frames']) == ('done', path.name, '8')
            assert row['prediction'] == found.prediction.label
    assert list(manifest(out)) == STEMS
    assert f'heatmaps of 4 of 4 samples: {out}' in runner.told


def test_files_of_a_folder_of_frames_are_those_of_vis_cam(
    make_runner, dump_hook, model, clips, out, tmp_path
):
    for name in PARTS:
        folder = tmp_path / 'frames' / name.split('_')[1] / name
        folder.mkdir(parents=True)
        video = clips / f'{name}.avi'
        for number, frame in enumerate(read_frames(video, range(probe_video(video).frames)), 1):
            cv2.imwrite(str(folder / f'image_{number:05d}.jpg'), frame[..., ::-1])
    dataset = dict(
        data_root=str(tmp_path / 'frames'), data_prefix=dict(img=''),
        ann_file=str(clips / '00sequences.txt'),
    )  # fmt: skip
    pipeline = model.cfg.test_pipeline
    frames_pipeline = [*pipeline[1:3], dict(type='RawFrameDecode'), *pipeline[4:]]
    runner = make_runner(
        dump_hook(), test_dataloader=dict(dataset={**dataset, 'pipeline': frames_pipeline})
    )
    runner.test()
    explained = explain_video(model, folder, frame_ranges=[(14, 83)], use_frames=True)
    write_heatmaps(explained.heatmaps, tmp_path / 'expected.txt')
    # In folders as the frames are.
    path = out / 'walking' / 'person02_walking_d1_uncomp.frames-15-83.txt'
    assert path.read_bytes() == (tmp_path / 'expected.txt').read_bytes()
    assert len(list(out.rglob('*.txt'))) == 4


def test_results_are_those_without_the_hook(make_runner, dump_hook, model, tmp_path):
    steps = model.cfg.test_pipeline
    pipeline = [*steps[:5], dict(type='Flip', flip_ratio=0.5), steps[5],
                dict(type='PackActionInputs', meta_keys=('flip', 'video_id'))]  # fmt: skip

    def tested(*hooks):
        path = tmp_path / 'dump.pkl'
        runner = make_runner(
            *hooks,
            randomness=dict(seed=2),
            test_dataloader=dict(batch_size=3, dataset=dict(pipeline=pipeline)),
            test_evaluator=[
                dict(type='AccMetric', metric_options=dict(top_k_accuracy=dict(topk=(1,)))),
                dict(type='DumpResults', out_file_path=str(path)),
            ],
        )
        # What is drawn after the first test depends on what was drawn in it.
        return [(runner.test(), pickle.loads(path.read_bytes())) for _ in range(2)]

    plain = tested()
    assert {one['flip'] for _, dump in plain for one in dump} == {True, False}
    hooked = tested(
        dump_hook(
            method='smoothgrad', method_options=dict(samples=1), suffix='.npz', overwrite=True
        )
    )
    for (metrics, dump), (expected_metrics, expected_dump) in zip(hooked, plain, strict=True):
        assert metrics == expected_metrics and len(dump) == len(expected_dump) == 4
        for one, other in zip(dump, expected_dump, strict=True):
            assert one.keys() == other.keys()
            assert one.pop('pred_score').equal(other.pop('pred_score')) and one == other


def test_workers_that_stay_get_the_new_pipeline(make_runner, dump_hook, out):
    runner = make_runner(test_dataloader=dict(num_workers=1, persistent_workers=True))
    runner.test()
    assert runner.test_dataloader._iterator is not None
    runner.register_hook(dump_hook())
    runner.test()
    assert list(manifest(out)) == STEMS
    # And the old one again; a sample that still had its trace would not know its own video.
    assert not isinstance(runner.test_dataloader.dataset.pipeline, TracingPipeline)
    for batch in runner.test_dataloader:
        assert all('heatmap_trace' not in sample for sample in batch['data_samples'])
    runner.test_dataloader._iterator = None


def test_a_second_run_goes_on_where_the_first_was_stopped(make_runner, dump_hook, out):
    def run(**options):
        make_runner(dump_hook(**options), test_dataloader=dict(dataset=dict(indices=2))).test()

    run()
    first, second = (out / f'{stem}.txt' for stem in STEMS[:2])
    before = second.read_bytes()
    first.write_text('still mine')
    second.unlink()
    run()
    assert first.read_text() == 'still mine' and second.read_bytes() == before

    with pytest.raises(ValueError, match=r"made with target None, not 'running'.*overwrite=True"):
        run(target='running')
    assert first.read_text() == 'still mine'
    run(target='running', overwrite=True)
    assert read_heatmaps(first).meta['target_label'] == 'running'


def test_weights_that_no_checkpoint_holds_are_told_apart(make_runner, dump_hook, out):
    runner = make_runner(dump_hook(), load_from=None)
    runner.test()
    meta = read_heatmaps(out / f'{STEMS[0]}.txt').meta
    assert meta['checkpoint'] == {'path': None, 'sha256': None}
    next(runner.model.parameters()).data += 1
    with pytest.raises(ValueError, match='made with weights_sha256'):
        runner.test()


@TRANSFORMS.register_module()
class TurnedWhenWalking(BaseTransform):
    """Turns some samples' frames by 90 degrees, which no way leads back from."""

    def transform(self, results):
        if 'walking' in results['video_id']:
            results['imgs'] = [np.rot90(image, 2).transpose(1, 0, 2) for image in results['imgs']]
            results['imgs'] = [cv2.resize(image, (64, 48)) for image in results['imgs']]
        return results


def test_a_sample_that_cannot_be_explained_fails_alone(make_runner, dump_hook, model, out):
    steps = model.cfg.test_pipeline
    pipeline = [*steps[:5], dict(type='TurnedWhenWalking'), *steps[5:]]
    dataloader = dict(dataset=dict(pipeline=pipeline))
    expected = make_runner(test_dataloader=dataloader).test()
    runner = make_runner(dump_hook(batch_size=4), test_dataloader=dataloader)
    assert runner.test() == expected
    rows = manifest(out)
    assert [rows[stem]['status'] for stem in STEMS] == ['done', 'done', 'failed', 'failed']
    assert 'turns or bends' in rows[STEMS[2]]['error']
    assert sorted(path.name for path in out.glob('*.txt')) == [f'{stem}.txt' for stem in STEMS[:2]]
    told = [line for line in runner.told if line.startswith('no heatmaps of ')]
    assert len(told) == 2 and STEMS[2].partition('.')[2] in told[0] and 'turns' in told[0]
    assert f'heatmaps of 2 of 4 samples: {out}' in runner.told


OPTIONS = {
    'layer': (dict(target_layer_name='backbone/layer9'), "'backbone/layer9' does not exist"),
    'class': (dict(target='flying'), "class 'flying' does not exist; there is: 0 walking"),
    'method': (dict(method='magic'), "expected method to be one of gradcam.*'magic'"),
    'option': (dict(method_options=dict(steps=3)), 'gradcam has no options, got steps'),
    'space': (dict(space='outer'), "expected space .* 'outer'"),
    'suffix': (dict(suffix='.csv'), "expected suffix .* '.csv'"),
    'decimals': (dict(decimals=0), 'expected decimals from 1'),
    'batch size': (dict(batch_size=0), 'expected a batch size of at least 1'),
}


@pytest.mark.parametrize(('options', 'told'), OPTIONS.values(), ids=OPTIONS)
def test_what_cannot_work_is_refused_before_the_first_batch(
    make_runner, dump_hook, out, monkeypatch, options, told
):
    monkeypatch.setattr(TracingPipeline, '__call__', None)
    with pytest.raises(ValueError, match=told) as refusal:
        make_runner(dump_hook(**options)).test()
    assert '\n' not in str(refusal.value)
    assert not out.exists()


class Unlisted(Dataset):
    """A dataset that gives two samples of one name, and no list of them."""

    def __init__(self, dataset):
        self.samples = [dataset.get_data_info(0), dataset.get_data_info(2)]
        folder = Path(self.samples[0]['filename']).parent
        other = folder / 'person02_walking_d1_uncomp.avi'
        self.samples[1].update(
            filename=f'{folder}/../{folder.name}/{other.name}', clip_range=(0, 40)
        )
        self.samples.append({**self.samples[1], 'filename': str(other)})
        self.pipeline = dataset.pipeline

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, place):
        return self.pipeline(dict(self.samples[place]))


def test_one_file_for_two_samples_is_refused_as_soon_as_it_is_known(make_runner, dump_hook, out):
    runner = make_runner(dump_hook())
    collate = runner.test_dataloader.collate_fn
    unlisted = Unlisted(runner.test_dataloader.dataset)
    runner.test_loop.dataloader = DataLoader(unlisted, batch_size=2, collate_fn=collate)
    with pytest.raises(ValueError, match=r'would get one heatmap file, person02_walking_d1_uncomp'):
        runner.test()
    names = json.loads((out / 'settings.json').read_text())['frame_ranges']
    assert names == {}  # nothing was known at the start
    assert sorted(path.name for path in out.glob('*.txt')) == [
        'person02_running_d1_uncomp.frames-14-49.txt',
        'person02_walking_d1_uncomp.frames-1-40.txt',
    ]
