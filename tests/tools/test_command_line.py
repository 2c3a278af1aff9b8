"""Bad input: whatever the mistake, one line that says what is wrong, exit code 2, nothing written.

Each case is a command line, with braces for what differs from test to test: {config},
{checkpoint} and {video} are good, {bad} is the folder of things that are not, {out} is new.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
ONE = '{config} {checkpoint} {video} --device cpu --file-url {out}/x.txt '
BOTH = ONE + '--out-filename {out}/x.mp4 '
LIST = '{config} {checkpoint} {bad}/list.txt --device cpu --file-url {out} '


class RunsCode:
    """Unpickled, it leaves a file behind."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.system, (f'touch {self.marker}',)


def write_bad_videos(folder: Path, video: Path) -> None:
    data = video.read_bytes()
    (folder / 'empty.avi').touch()
    (folder / 'half.avi').write_bytes(data[: len(data) // 2])
    (folder / 'head.avi').write_bytes(data[:100])
    (folder / 'words.avi').write_text('no video, but words\n' * 500)
    (folder / 'no_frames').mkdir()


def write_bad_configs(folder: Path, config: Path) -> None:
    (folder / 'words.py').write_text('this is (not Python\n')
    (folder / 'no_model.py').write_text('test_pipeline = []\n')
    (folder / 'no_pipeline.py').write_text(
        f'_base_ = [{str(config)!r}]\n'
        'test_pipeline = None\n'
        "test_dataloader = dict(_delete_=True, dataset=dict(type='KTHDataset'))\n"
    )
    (folder / 'odd_pipeline.py').write_text(
        f'_base_ = [{str(config)!r}]\n'
        "test_dataloader = dict(dataset=dict(pipeline=[dict(type='NoSuchStep')]))\n"
    )
    hooks = {
        'slip_hook': dict(type='HeatmapDumpHook', out_dir='maps', decimls=3),
        'bare_hook': dict(type='HeatmapDumpHook'),
        'no_hook': dict(type='NoSuchHook'),
    }
    for name, hook in hooks.items():
        (folder / f'{name}.py').write_text(
            f'_base_ = [{str(config)!r}]\ncustom_hooks = [{hook!r}]\n'
        )


def write_bad_checkpoints(folder: Path, checkpoint: Path) -> None:
    data = checkpoint.read_bytes()
    (folder / 'empty.pth').touch()
    (folder / 'half.pth').write_bytes(data[: len(data) // 2])
    (folder / 'words.pth').write_text('no checkpoint, but words\n' * 100)
    weights = torch.load(checkpoint, weights_only=True)['state_dict']
    torch.save(torch.zeros(3), folder / 'tensor.pth')
    torch.save({'state_dict': [1, 2]}, folder / 'list.pth')
    torch.save({f'net.{key}': value for key, value in weights.items()}, folder / 'other.pth')
    torch.save({**dict(weights), 'cls_head.fc_feature.bias': 'x'}, folder / 'odd.pth')
    evil = {'state_dict': weights, 'meta': RunsCode(folder / 'marker')}
    torch.save(evil, folder / 'evil.pth')


def write_bad_lists(folder: Path, video: Path) -> None:
    lists = {
        'list': [video],  # a good one
        'empty': ['# nothing', ''],
        'twice': [video, f'{video} frames 1-20'],
        'backwards': [video.with_name('other.avi'), f'{video} frames 1-5, 9-3'],
        'malformed': [f'{video} frames 1-20;30-40'],
        'from_zero': [f'{video} frames 0-20'],
    }
    for name, lines in lists.items():
        (folder / f'{name}.txt').write_text('\n'.join(map(str, lines)) + '\n')
    (folder / 'binary.txt').write_bytes(bytes(range(256)))


@pytest.fixture(scope='module')
def places(tmp_path_factory, clips, config_path, checkpoint_path) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp('bad')
    video = clips / 'person02_running_d1_uncomp.avi'
    write_bad_videos(folder, video)
    write_bad_configs(folder, config_path)
    write_bad_checkpoints(folder, checkpoint_path)
    write_bad_lists(folder, video)
    (folder / 'file').write_text('in the way')
    return {'bad': folder, 'config': config_path, 'checkpoint': checkpoint_path, 'video': video}


# Name: (tool, command line, words that the message must hold)
CASES = {
    # Videos
    'video missing': (
        'vis_cam', '{config} {checkpoint} {bad}/gone.avi --file-url {out}/x.txt',
        ['gone.avi', 'does not exist'],
    ),
    'video empty': (
        'vis_cam', '{config} {checkpoint} {bad}/empty.avi --file-url {out}/x.txt',
        ['empty.avi is empty'],
    ),
    'video cut in half': (
        'vis_cam', '{config} {checkpoint} {bad}/half.avi --file-url {out}/x.txt',
        ['half.avi is cut short', 'of 103 frames'],
    ),
    'video cut to its header': (
        'vis_cam', '{config} {checkpoint} {bad}/head.avi --file-url {out}/x.txt',
        ['head.avi is not a video that can be read'],
    ),
    'video of words': (
        'vis_cam', '{config} {checkpoint} {bad}/words.avi --file-url {out}/x.txt',
        ['words.avi is not a video that can be read'],
    ),
    'folder without frames': (
        'vis_cam', '{config} {checkpoint} {bad}/no_frames --file-url {out}/x.txt',
        ['no_frames holds no frame called image_00001.jpg'],
    ),
    'inference: video of words': (
        'inference', '{config} {checkpoint} {bad}/words.avi', ['words.avi is not a video']
    ),
    'inference: video missing': (
        'inference', '{config} {checkpoint} {bad}/gone.avi', ['gone.avi does not exist']
    ),
    # Configs
    'config missing': (
        'vis_cam', '{bad}/gone.py {checkpoint} {video} --file-url {out}/x.txt',
        ['config', 'gone.py does not exist'],
    ),
    'config of words': (
        'vis_cam', '{bad}/words.py {checkpoint} {video} --file-url {out}/x.txt',
        ['words.py cannot be read'],
    ),
    'config without model': (
        'inference', '{bad}/no_model.py {checkpoint} {video}', ['no_model.py describes no model']
    ),
    'config without test pipeline': (
        'inference', '{bad}/no_pipeline.py {checkpoint} {video}', ['no test_pipeline']
    ),
    'config with an unknown step': (
        'inference', '{bad}/odd_pipeline.py {checkpoint} {video}', ['NoSuchStep']
    ),
    'train: config missing': ('train', '{bad}/gone.py', ['gone.py does not exist']),
    'train: config without model': ('train', '{bad}/no_model.py', ['describes no model']),
    'train: unknown model': (
        'train', '{config} --cfg-options model.type=NoSuchNet', ['cannot be built', 'NoSuchNet']
    ),
    'test: config of words': ('test', '{bad}/words.py {checkpoint}', ['words.py cannot be read']),
    'hook with a slip': (
        'test', '{bad}/slip_hook.py {checkpoint}', ['HeatmapDumpHook', "'decimls'"]
    ),
    'hook without its folder': (
        'test', '{bad}/bare_hook.py {checkpoint}', ['HeatmapDumpHook', "'out_dir'"]
    ),
    'train: unknown hook': ('train', '{bad}/no_hook.py', ["no hook 'NoSuchHook'"]),
    'model option with a slip': (
        'inference', '{config} {checkpoint} {video} --cfg-options model.backbon.depth=50',
        ["unexpected keyword argument 'backbon'"],
    ),
    'unknown model': (
        'inference', '{config} {checkpoint} {video} --cfg-options model.type=NoSuchNet',
        ['cannot be built', 'NoSuchNet'],
    ),
    'impossible depth': (
        'test', '{config} {checkpoint} --cfg-options model.backbone.depth=17',
        ['cannot be built', '17'],
    ),
    # Checkpoints
    'checkpoint missing': (
        'vis_cam', '{config} {bad}/gone.pth {video} --file-url {out}/x.txt',
        ['gone.pth does not exist'],
    ),
    'checkpoint empty': (
        'vis_cam', '{config} {bad}/empty.pth {video} --file-url {out}/x.txt',
        ['empty.pth is not a PyTorch checkpoint'],
    ),
    'checkpoint of words': (
        'vis_cam', '{config} {bad}/words.pth {video} --file-url {out}/x.txt',
        ['words.pth is not a PyTorch checkpoint'],
    ),
    'checkpoint cut in half': (
        'vis_cam', '{config} {bad}/half.pth {video} --file-url {out}/x.txt',
        ['half.pth is not a PyTorch checkpoint, or is cut short'],
    ),
    'checkpoint is a tensor': (
        'inference', '{config} {bad}/tensor.pth {video}', ['tensor.pth holds no state_dict']
    ),
    'checkpoint holds a list': (
        'inference', '{config} {bad}/list.pth {video}', ['list.pth holds no state_dict']
    ),
    'checkpoint holds a word for a weight': (
        'inference', '{config} {bad}/odd.pth {video}', ['does not fit', 'cls_head.fc_feature.bias']
    ),
    'checkpoint of another number of classes': (
        'vis_cam', ONE + '--cfg-options model.cls_head.num_classes=6',
        ['does not fit', 'cls_head.recurrent.2.weight_ih_l0', '[8, 8]', '[24, 8]'],
    ),
    'checkpoint of another network': (
        'vis_cam', '{config} {bad}/other.pth {video} --file-url {out}/x.txt',
        ['does not fit', 'weights are missing, such as backbone.conv1.conv.weight'],
    ),
    'test: checkpoint missing': ('test', '{config} {bad}/gone.pth', ['gone.pth does not exist']),
    'test: checkpoint of another network': (
        'test', '{config} {bad}/other.pth', ['other.pth does not fit the config', 'missing']
    ),
    'test: checkpoint of another size': (
        'test', '{config} {checkpoint} --cfg-options model.cls_head.feature_size=20',
        ['cls_head.fc_feature.weight', '[16, 128]', '[20, 128]'],
    ),
    'train: nothing to resume': (
        'train', '{config} --resume {bad}/gone.pth', ['gone.pth does not exist']
    ),
    'train: resume from words': (
        'train', '{config} --resume {bad}/words.pth', ['words.pth is not a PyTorch checkpoint']
    ),
    # Layers, classes and methods
    'layer missing': (
        'vis_cam', ONE + '--target-layer-name backbone/layer9',
        ["'backbone/layer9' does not exist", 'backbone/layer1', 'backbone/layer2'],
    ),
    'layer without a feature map': (
        'vis_cam', ONE + '--target-layer-name cls_head/fc_feature',
        ["'cls_head/fc_feature' gives no feature map", 'convolutional layer'],
    ),
    'list: layer missing': (
        'vis_cam', LIST + '--target-layer-name neck', ["'neck' does not exist", 'backbone']
    ),
    'layer without a name': (
        'vis_cam', ONE + '--target-layer-name backbone/layer1,', ['names of layers between commas']
    ),
    'layer twice': (
        'vis_cam', ONE + '--target-layer-name backbone/layer1,backbone.layer1',
        ['every target layer once'],
    ),
    'preview: layer missing': (
        'vis_cam', '{config} {checkpoint} {video} --device cpu --preview-model '
        '--target-layer-name backbone/layer9', ["'backbone/layer9' does not exist"],
    ),
    'class name missing': (
        'vis_cam', ONE + '--target-category jumping', ["'jumping'", '0 walking, 1 running']
    ),
    'class number missing': (
        'vis_cam', ONE + '--target-category 2', ["'2'", '0 walking, 1 running']
    ),
    'class number negative': ('vis_cam', ONE + '--target-category=-1', ["'-1'", '0 walking']),
    'list: class missing': (
        'vis_cam', LIST + '--target-category jumping', ["'jumping'", '0 walking, 1 running']
    ),
    'method unknown': ('vis_cam', ONE + '--method magic', ["'magic'", 'gradcam']),
    'list: method unknown': ('vis_cam', LIST + '--method magic', ["'magic'", 'gradcam']),
    'space unknown': ('vis_cam', ONE + '--space time', ["'time'", 'source', 'input']),
    # Devices
    'device absent': (
        'vis_cam', '{config} {checkpoint} {video} --device cuda:77 --file-url {out}/x.txt',
        ['cuda:77 is absent', 'CUDA devices'],
    ),
    'device unknown': (
        'vis_cam', '{config} {checkpoint} {video} --device tpu --file-url {out}/x.txt', ["'tpu'"]
    ),
    'inference: device absent': (
        'inference', '{config} {checkpoint} {video} --device cuda:77', ['cuda:77 is absent']
    ),
    # Outputs
    'nothing to do': ('vis_cam', '{config} {checkpoint} {video}', ['nothing to do', '--file-url']),
    'file in the place of a folder': (
        'vis_cam', '{config} {checkpoint} {video} --device cpu --file-url {bad}/file/x.txt',
        ['file'],
    ),
    'list: file in the place of a folder': (
        'vis_cam', '{config} {checkpoint} {bad}/list.txt --device cpu --file-url {bad}/file',
        ['file'],
    ),
    'list: file in the place of the overlays': (
        'vis_cam', LIST + '--out-filename {bad}/file', ['file']
    ),
    'folder that nobody can write': (
        'vis_cam', '{config} {checkpoint} {video} --device cpu --file-url /proc/mmsal/x.txt',
        ['/proc'],
    ),
    'wrong suffix of the heatmaps': (
        'vis_cam', '{config} {checkpoint} {video} --file-url {out}/x.csv', ['.txt, .txt.gz, .npz']
    ),
    'wrong suffix of the overlay': (
        'vis_cam', '{config} {checkpoint} {video} --out-filename {out}/x.avi', ['.mp4, .gif']
    ),
    'list: a file for the results': (
        'vis_cam', '{config} {checkpoint} {bad}/list.txt --file-url {out}/x.txt',
        ['expected --file-url to name a folder'],
    ),
    'test: dump is no pickle': (
        'test', '{config} {checkpoint} --dump {out}/x.csv', ['--dump', '.pkl']
    ),
    # Lists
    'list missing': (
        'vis_cam', '{config} {checkpoint} {bad}/gone.txt --file-url {out}',
        ['gone.txt cannot be read: No such file'],
    ),
    'list empty': (
        'vis_cam', '{config} {checkpoint} {bad}/empty.txt --file-url {out}',
        ['empty.txt names no video'],
    ),
    'list binary': (
        'vis_cam', '{config} {checkpoint} {bad}/binary.txt --file-url {out}',
        ['binary.txt cannot be read: it is no text in UTF-8'],
    ),
    'list names a video twice': (
        'vis_cam', '{config} {checkpoint} {bad}/twice.txt --file-url {out}',
        ['twice.txt', 'person02_running', 'once'],
    ),
    'list with a range that runs backwards': (
        'vis_cam', '{config} {checkpoint} {bad}/backwards.txt --file-url {out}',
        ['backwards.txt, line 2', '9-3'],
    ),
    'list with malformed ranges': (
        'vis_cam', '{config} {checkpoint} {bad}/malformed.txt --file-url {out}',
        ['malformed.txt, line 1', '1-20;30-40'],
    ),
    'list that counts from 0': (
        'vis_cam', '{config} {checkpoint} {bad}/from_zero.txt --file-url {out}',
        ['from_zero.txt, line 1', '0-20', 'from 1'],
    ),
    'list: --frames': ('vis_cam', LIST + '--frames 1-20', ['--frames', 'into the list']),
    # Options
    'frames beyond the video': ('vis_cam', ONE + '--frames 500-600', ['103 frames of the video']),
    'frames backwards': ('vis_cam', ONE + '--frames 9-3', ["'9-3'"]),
    'frames of words': ('inference', '{config} {checkpoint} {video} --frames all', ["'all'"]),
    'inference: frames beyond the video': (
        'inference', '{config} {checkpoint} {video} --frames 104-120', ['103 frames of the video']
    ),
    'top of nothing': ('inference', '{config} {checkpoint} {video} --top 0', ['--top', 'got 0']),
    'resolution 0': ('vis_cam', BOTH + '--target-resolution 0 0', ['resolution', '[0, 0]']),
    'resolution negative': ('vis_cam', BOTH + '--target-resolution 64 -5', ['[64, -5]']),
    'resize algorithm unknown': ('vis_cam', BOTH + '--resize-algorithm magic', ["'magic'", 'area']),
    'format of one video': ('vis_cam', ONE + '--format npz', ['--format is for a list']),
    'fps 0': ('vis_cam', BOTH + '--fps 0', ['positive frame rate', 'got 0']),
    'fps not a number': ('vis_cam', BOTH + '--fps nan', ['positive frame rate', 'nan']),
    'fps of words': ('vis_cam', BOTH + '--fps fast', ['--fps', "'fast'"]),
    'alpha 3': ('vis_cam', BOTH + '--alpha 3', ['alpha from 0 to 1', 'got 3']),
    'colormap unknown': ('vis_cam', BOTH + '--colormap rainbows', ["'rainbows'"]),
    'decimals 0': ('vis_cam', ONE + '--decimals 0', ['decimals from 1 to 9', 'got 0']),
    'decimals 10': ('vis_cam', ONE + '--decimals 10', ['decimals from 1 to 9', 'got 10']),
    'list: decimals 0': ('vis_cam', LIST + '--decimals 0', ['decimals from 1 to 9', 'got 0']),
    'cfg-options without equals sign': (
        'vis_cam', ONE + '--cfg-options model.backbone', ['KEY=VALUE', "'model.backbone'"]
    ),
    'train: cfg-options without equals sign': (
        'train', '{config} --cfg-options model.backbone', ['--cfg-options KEY=VALUE']
    ),
    'cfg-options into a list that is shorter': (
        'vis_cam', ONE + '--cfg-options test_pipeline.99.type=Flip', ['--cfg-options', '99']
    ),
    # Gaze
    'gaze: file missing': (
        'data/gaze/read_fixations', '{bad}/gone.csv --out {out}/f.csv', ['no such gaze file']
    ),
    'gaze: file of words': (
        'data/gaze/read_fixations', '{bad}/list.txt --out {out}/f.csv',
        ['list.txt', 'is not recognised', 'eyelink_asc'],
    ),
    'gaze: file empty': (
        'data/gaze/read_fixations', '{bad}/empty.avi --format diem --out {out}/f.csv '
        '--observer o --video v --eye left --space video', ['empty.avi: the file is empty'],
    ),
    'gaze: format unknown': (
        'data/gaze/read_fixations', '{bad}/list.txt --format smi --out {out}/f.csv', ["'smi'"]
    ),
    'gaze: output of another kind': (
        'data/gaze/read_fixations', '{bad}/list.txt --out {out}/f.xlsx', ['.csv or .parquet']
    ),
    'gaze: nothing to read': ('data/gaze/read_fixations', '--out {out}/f.csv', ['FILE|DIR']),
    'gaze: size of words': (
        'data/gaze/read_fixations', '{bad}/list.txt --out {out}/f.csv --video-size big', ["'big'"]
    ),
    'gaze: rectangle of words': (
        'data/gaze/read_fixations', '{bad}/list.txt --out {out}/f.csv --video-rect wide',
        ["'wide'", 'letterbox'],
    ),
    'too few words': ('vis_cam', '{config}', ['checkpoint', 'video', '--help']),
    'unknown option': ('inference', '{config} {checkpoint} {video} --magic', ['--magic']),
}  # fmt: skip

FOLDERS = {'vis_cam': 'visualizations/vis_cam.py'}


@pytest.fixture
def refused(command, places, tmp_path, monkeypatch):
    """Run a command line that must be refused, in a folder of its own; its one line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('LOCAL_RANK', '0')  # MMAction2's scripts set it for good

    def call(tool: str, line: str) -> str:
        before = {path: path.stat().st_size for path in places['bad'].rglob('*')}
        words = [word.format(out=tmp_path / 'out', **places) for word in line.split()]
        status, _, errors = command(FOLDERS.get(tool, f'{tool}.py'), *words)
        assert status == 2, errors
        assert errors.startswith('error: ') and errors.count('\n') == 1, errors
        assert not [path for path in tmp_path.rglob('*') if path.is_file()]
        assert {path: path.stat().st_size for path in places['bad'].rglob('*')} == before
        return errors

    return call


@pytest.mark.parametrize(('tool', 'line', 'words'), CASES.values(), ids=CASES)
def test_a_mistake_is_one_line(refused, tool, line, words):
    message = refused(tool, line)
    assert all(word in message for word in words), message


# --- checkpoints that would run code -----------------------------------------------------------

EVIL = {
    'vis_cam': ('vis_cam', '{config} {bad}/evil.pth {video} --file-url {out}/x.txt'),
    'list': ('vis_cam', '{config} {bad}/evil.pth {bad}/list.txt --file-url {out}'),
    'inference': ('inference', '{config} {bad}/evil.pth {video}'),
    'test': ('test', '{config} {bad}/evil.pth --work-dir {out}'),
    'train': ('train', '{config} --resume {bad}/evil.pth --work-dir {out}'),
}


@pytest.mark.parametrize(('tool', 'line'), EVIL.values(), ids=EVIL)
def test_a_checkpoint_that_would_run_code_is_refused(refused, places, tool, line):
    message = refused(tool, line)
    assert 'evil.pth was refused' in message and 'system' in message
    assert not (places['bad'] / 'marker').exists()


def test_that_checkpoint_does_run_code_where_it_may(tmp_path):
    """Else the tests above would prove nothing."""
    torch.save({'meta': RunsCode(tmp_path / 'marker')}, tmp_path / 'evil.pth')
    torch.load(tmp_path / 'evil.pth', weights_only=False)
    assert (tmp_path / 'marker').exists()


# --- an environment that is not complete -------------------------------------------------------

HIDE = """
from importlib import metadata
real = metadata.version

def version(name):
    changed = {changed!r}
    if name not in changed:
        return real(name)
    if changed[name] is None:
        raise metadata.PackageNotFoundError(name)
    return changed[name]

metadata.version = version
"""

ENVIRONMENTS = {
    'no mmcv': ({'mmcv': None, 'mmcv-lite': None}, ['mmcv', 'pip install mmcv-lite==']),
    'both': ({'mmcv': '2.1.0', 'mmcv-lite': '2.1.0'}, ['both installed', 'pip uninstall']),
    'old': ({'mmaction2': '0.24.1'}, ['mmaction2', '0.24.1', 'pip install mmaction2==']),
}


@pytest.mark.parametrize(('changed', 'words'), ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_a_missing_package_is_told_with_the_command_that_installs_it(
    places, tmp_path, changed, words
):
    (tmp_path / 'sitecustomize.py').write_text(HIDE.format(changed=changed))
    line = '{config} {checkpoint} {video} --file-url x.txt'.format(**places).split()
    done = subprocess.run(
        [sys.executable, str(ROOT / 'tools' / FOLDERS['vis_cam']), *line],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': f'{tmp_path}{os.pathsep}{ROOT}'},
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith('error: ') and done.stderr.count('\n') == 1, done.stderr
    assert all(word in done.stderr for word in words)
    assert not (tmp_path / 'x.txt').exists()


# --- warnings -----------------------------------------------------------------------------------


def test_a_warning_of_ours_is_one_line(command, places, tmp_path):
    words = [places['config'], places['checkpoint'], places['video'], '--device', 'cpu']
    status, _, errors = command(
        FOLDERS['vis_cam'], *words, '--file-url', tmp_path / 'x.txt', '--frames', '1-5000'
    )
    assert status == 0
    assert errors == (
        f'warning: {places["video"]}: frames 1-5000 end 4897 frames after the video (103 frames); '
        'do they belong to this version of it?\n'
    )


@pytest.mark.parametrize('script', ['dist_train', 'dist_test', 'dist_vis_cam'])
@pytest.mark.parametrize('gpus', ['two', '0', '-1', '1.5', ''])
def test_a_number_of_gpus_that_is_none(script, gpus):
    before = {'dist_train': 'config', 'dist_test': 'config checkpoint'}
    words = [*before.get(script, 'config checkpoint list out').split(), gpus]
    call = ['bash', str(ROOT / 'tools' / f'{script}.sh'), *words]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, '')
    assert done.stderr == f'error: expected a number of GPUs (or CPU processes), got {gpus}\n'
