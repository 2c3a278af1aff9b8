"""``--cfg-options``, read as MMEngine reads it but without importing it before ``--help``."""

from argparse import ArgumentParser


def parse_options(pairs: list[str] | None, option: str = '--cfg-options') -> dict:
    """Settings from the ``KEY=VALUE`` words of an option.

    Raises:
        ValueError: A word without an equals sign.
    """
    from mmengine.config import DictAction

    for pair in pairs or []:
        if '=' not in pair:
            raise ValueError(f'expected {option} KEY=VALUE, got {pair!r}')
    parser = ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    return parser.parse_args(['--cfg-options', *pairs] if pairs else []).cfg_options
