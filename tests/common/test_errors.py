"""Errors are sentences, and one of an input says which one."""

from citytwin.errors import CityTwinError, ConfigError, InputError


def test_an_error_of_an_input_is_one_of_the_configuration_and_says_which():
    error = InputError("it is in bar", 2)
    assert isinstance(error, ConfigError)
    assert isinstance(error, CityTwinError)
    assert (str(error), error.number) == ("it is in bar", 2)
