"""Options of the command line: names and folders of models, sigma."""

import pytest

from mmsal.comparison.gaze import parse_models, parse_sigma


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with three folders of models in it."""
    for name in ('late', 'early', 'middle'):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_models_keep_the_order_of_the_command_line(folder):
    models = parse_models(['late', 'before=early', 'middle'])
    assert [(name, path.name) for name, path in models.items()] == [
        ('late', 'late'), ('before', 'early'), ('middle', 'middle')
    ]  # fmt: skip
    assert list(parse_models(['z=late', 'a=early'])) == ['z', 'a']
    assert list(parse_models(['middle', 'early', 'late'])) == ['middle', 'early', 'late']


@pytest.mark.parametrize('entry', ['before=', ''])
def test_an_empty_path_is_not_the_current_folder(folder, entry):
    with pytest.raises(ValueError, match=f"^expected a folder of heatmaps, got '{entry}'$"):
        parse_models([entry])
    assert parse_models(['before=.'])['before'].samefile(folder)


def test_a_folder_may_have_an_equals_sign_in_its_name(folder):
    (folder / 'lr=1').mkdir()
    assert list(parse_models(['lr=1', 'x=early'])) == ['lr=1', 'x']


@pytest.mark.parametrize('entries', [['late', 'late=early'], ['late=early', 'late']])
def test_a_name_that_another_folder_has_is_refused_in_any_order(folder, entries):
    with pytest.raises(ValueError, match='two folders are called late'):
        parse_models(entries)


@pytest.mark.parametrize(('text', 'pixels'), [('.5px', 0.5), ('2.px', 2), ('1e1px', 10)])
def test_numbers_of_sigma(text, pixels):
    assert parse_sigma(text) == pixels


@pytest.mark.parametrize('text', ['.px', '1.2.3px', '..deg', 'px'])
def test_what_is_no_number_is_refused_in_our_words(text):
    with pytest.raises(ValueError, match=r'^expected --sigma like 20px or 1deg, got'):
        parse_sigma(text, 30 if text.endswith('deg') else None)
