"""Naming the class to explain."""

import pytest

from mmsal.explain.recognizer import find_class


def test_by_name_or_number():
    names = ['walking', 'running', '7']
    assert find_class(names, None) is None
    assert find_class(names, 'running') == find_class(names, 1) == find_class(names, '1') == 1
    assert find_class(names, 7) == 2  # a name, though it looks like a number


def test_of_few_all_are_listed():
    with pytest.raises(ValueError, match="'hopping' does not exist; there is: 0 walking, 1 runn"):
        find_class(['walking', 'running'], 'hopping')


def test_of_many_the_likeliest_are_listed():
    names = [f'sport number {number}' for number in range(400)]
    names[17] = 'riding a bike'
    with pytest.raises(ValueError, match="'rides a bike' does not exist; there is: 17 riding a"):
        find_class(names, 'rides a bike')
    with pytest.raises(ValueError, match=r'0 sport number 0, 1 sport number 1, .* 399 sport'):
        find_class(names, 'qqq')  # like none of them


@pytest.mark.parametrize('wanted', ['riding a bike', '400', 400])
def test_without_names_it_says_how_to_give_some(wanted):
    with pytest.raises(ValueError, match=r'a number from 0 to 399; .*class_names = \[\.\.\.\]'):
        find_class([str(number) for number in range(400)], wanted)
