"""Train a recognizer: MMAction2's own train.py, from the installed package, with mmsal's checks.

python tools/train.py CONFIG [MMAction2's options]
"""

from command_line import run
from mmaction_script import run_script


def main() -> None:
    run_script('train.py')


if __name__ == '__main__':
    run(main)
