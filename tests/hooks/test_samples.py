"""What leads back to the source, on samples that still are what they were."""

import numpy as np
import pytest
from mmaction.registry import DATASETS, TRANSFORMS
from mmengine.config import Config
from mmengine.dataset import Compose, ConcatDataset

from mmsal.explain.manifest import OutputTakenError
from mmsal.hooks.samples import (
    FIELD,
    Source,
    TracingPipeline,
    leaf_datasets,
    list_samples,
    name_sample,
)

NAMES = {
    'below a folder of the dataset': ('/data/kth/walking/a.avi', None, 'walking/a'),
    'elsewhere': ('/other/walking/a.avi', None, 'a'),
    'climbing out': ('/data/kth/../a.avi', None, 'a'),
    'a folder of frames': ('/data/kth/v1.5', None, 'v1.5'),
    'a part': ('/data/kth/a.b.avi', (0, 75), 'a.b.frames-1-75'),
    'a part of a folder of frames': ('/data/kth/v1.5', (9, 12), 'v1.5.frames-10-12'),
}


@pytest.mark.parametrize(('path', 'part', 'stem'), NAMES.values(), ids=NAMES)
def test_files_are_named_after_the_video_and_the_part_of_it(path, part, stem):
    job = name_sample({'filename': path, 'clip_range': part}, ['/data/kth'])
    assert job.stem.as_posix() == stem
    assert str(job.video) == path + (stem[stem.index('.frames') :] if part else '')
    assert job.frame_ranges == (part and (part,))


def test_a_sample_without_frames_is_refused():
    with pytest.raises(ValueError, match=r'a video .* but the dataset gives audio_path, label'):
        Source.of({'audio_path': 'a.wav', 'label': 0})


@pytest.fixture
def dataset(config_path):
    return DATASETS.build(Config.fromfile(config_path).test_dataloader.dataset)


def test_samples_that_would_get_one_file_are_refused(dataset):
    assert len(list_samples(dataset)) == 4
    joined = ConcatDataset([dataset, dataset])
    assert leaf_datasets(joined) == [dataset, dataset]
    with pytest.raises(OutputTakenError, match=r'frames-14-49 of the test .*one heatmap file'):
        list_samples(joined)
    with pytest.raises(ValueError, match='a dataset with a pipeline, not a list'):
        list_samples([])


def mirrored_at_random(dataset) -> Compose:
    """The dataset's pipeline with a random flip, told in the sample's ``flip``."""
    steps = dataset.pipeline.transforms
    flip = TRANSFORMS.build(dict(type='Flip', flip_ratio=0.5))
    pack = TRANSFORMS.build(dict(type='PackActionInputs', meta_keys=('flip',)))
    return Compose([*steps[:-2], flip, steps[-2], pack])


def test_the_samples_are_the_same_also_where_they_are_drawn_at_random(dataset):
    plain = mirrored_at_random(dataset)
    traced = TracingPipeline(plain, ())
    np.random.seed(0)
    expected = [plain(dataset.get_data_info(place % 4)) for place in range(12)]
    np.random.seed(0)
    found = [traced(dataset.get_data_info(place % 4)) for place in range(12)]
    traces = [one['data_samples'].pop(FIELD) for one in found]
    for one, other, trace in zip(found, expected, traces, strict=True):
        assert one.keys() == other.keys() and one['inputs'].equal(other['inputs'])
        assert one['data_samples'].to_dict() == other['data_samples'].to_dict()
        (view,) = trace.clip.views
        assert (view.x.scale < 0) == one['data_samples'].flip
    assert {one['data_samples'].flip for one in found} == {True, False}


def test_frames_of_a_list_with_offsets_count_from_the_folders_first():
    steps = [lambda results: {**results, 'imgs': np.zeros((1, 8, 8, 3)), 'frame_inds': [1, 3]},
             TRANSFORMS.build(dict(type='PackActionInputs'))]  # fmt: skip
    sample = {'frame_dir': 'v', 'start_index': 1, 'offset': 20}
    sample = TracingPipeline(Compose(steps), ())(sample)
    trace = sample['data_samples'].heatmap_trace
    assert trace.clip.frame_indices.tolist() == [20, 22]
    assert (trace.source.first_number, trace.source.filename_tmpl) == (1, 'img_{:05}.jpg')
