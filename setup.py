"""Package of mmsal: video saliency on MMAction2."""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = {}
exec((ROOT / 'mmsal' / 'version.py').read_text(encoding='utf-8'), VERSION)

setup(
    name='mmsal',
    version=VERSION['__version__'],
    description='Which frames and pixels made a video classifier decide, and do people look there?',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['mmsal', 'mmsal.*']),
    package_data={'mmsal.comparison.report': ['templates/*', 'static/*']},
    python_requires='>=3.10',
    install_requires=[
        'mmaction2>=1.2.0,<1.3',
        'mmengine>=0.10.4,<1.0',
        'torch>=2.6,<3',
        'numpy>=1.24',
        'pandas>=2.0',
        'scipy>=1.11',  # statistics
        'POT>=0.9.3',  # the earth mover's distance
        'jinja2>=3.1',  # the report
        'decord>=0.6.0',
        'opencv-python>=4.8',
        'av>=12.0',  # writes H.264, which OpenCV's wheels cannot
        'matplotlib>=3.7',
        'rich>=13.0',
        'pillow>=10',  # pictures of the report
        'captum>=0.7',  # gradients, their integrals, occlusion
        # MMAction2 1.2.0 imports it without declaring it (mmaction/utils/dependency.py).
        'importlib_metadata',
        # MMEngine finds `_base_ = 'mmaction::...'` through pkg_resources, which setuptools 82
        # dropped and 81 warns about (open-mmlab/mmcv#3325 is the same defect).
        'setuptools<81',
    ],
    extras_require={
        # mmcv-lite and mmcv own the same module: install one of the two, never both.
        'lite': ['mmcv-lite>=2.0.0rc4,<2.2.0'],
        'full': ['mmcv>=2.0.0rc4,<2.2.0'],
        'parquet': ['pyarrow>=14'],  # fixation tables as Parquet
        'notebook': ['ipykernel>=6.29', 'nbclient>=0.9', 'nbformat>=5.9'],
        'test': [
            'pytest>=8.0',
            'pytest-xdist>=3.6',
            'hypothesis>=6.100',
            'tensorboard>=2.15',  # a visualizer back-end of MMEngine
            'ruff>=0.6',
            'selenium>=4.20',  # drives the browser that the report is tested in
            'pyarrow>=14',
            'ipykernel>=6.29',
            'nbclient>=0.9',
            'nbformat>=5.9',
            'pytorchvideo>=0.1.5',  # the networks that ours are held against
            'fvcore>=0.1.5',  # counts operations
        ],
        'dev': ['pre-commit>=3.5'],
    },
)
