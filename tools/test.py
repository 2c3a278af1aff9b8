"""Test a recognizer: MMAction2's own test.py, from the installed package, with mmsal's checks.

python tools/test.py CONFIG CHECKPOINT --dump out.pkl [MMAction2's options]
"""

from command_line import run
from mmaction_script import run_script


def main() -> None:
    run_script('test.py')


if __name__ == '__main__':
    run(main)
