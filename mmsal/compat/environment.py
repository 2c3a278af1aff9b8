"""The installed packages: are they there, in versions that fit, and quiet?"""

import warnings
from importlib import metadata

# What to tell the user to install, and the versions that MMAction2 1.2.0 asserts.
REQUIREMENTS = {
    'torch': ((2, 6), (3,), 'torch==2.13.0'),
    'mmengine': ((0, 10, 4), (1,), 'mmengine==0.10.7'),
    'mmaction2': ((1, 2), (1, 3), 'mmaction2==1.2.0'),
    'mmcv': ((2, 0), (2, 2), 'mmcv-lite==2.1.0'),
}


class EnvironmentProblem(ImportError):
    """A package that mmsal stands on is missing or has the wrong version."""


def _installed_version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _release(version):
    numbers = []
    for part in version.split('+')[0].split('.'):
        digits = ''.join(char for char in part if char.isdigit())
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)


def check_environment(installed_version=_installed_version):
    """Compare the installed packages with :data:`REQUIREMENTS`, without importing them.

    Args:
        installed_version: Function from a distribution's name to its version or None.

    Raises:
        EnvironmentProblem: Names the package, the version found and the command that mends it.
    """
    both = [name for name in ('mmcv', 'mmcv-lite') if installed_version(name)]
    if len(both) == 2:
        raise EnvironmentProblem(
            'mmcv and mmcv-lite are both installed and overwrite each other. Run: '
            'pip uninstall -y mmcv mmcv-lite && pip install mmcv-lite==2.1.0'
        )
    for name, (lowest, below, install) in REQUIREMENTS.items():
        version = installed_version(both[0] if name == 'mmcv' and both else name)
        wanted = f'{".".join(map(str, lowest))} or newer, below {".".join(map(str, below))}'
        if version is None:
            raise EnvironmentProblem(
                f'mmsal needs {name} ({wanted}), which is not installed. Run: pip install {install}'
            )
        if not lowest <= _release(version) < below:
            raise EnvironmentProblem(
                f'mmsal needs {name} {wanted}, but {version} is installed. '
                f'Run: pip install {install}'
            )


def silence_known_warnings():
    """Keep two warnings that no user can act on out of every command's output.

    mmcv-lite says at each import that it has no deformable attention, which no recognizer uses;
    setuptools says that the ``pkg_resources`` MMEngine asks for will go (open-mmlab/mmcv#3325).
    """
    warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')
    warnings.filterwarnings('ignore', message='pkg_resources is deprecated as an API')
