import json
from dataclasses import dataclass
from typing import Literal

import pytest

from ssd_cli.configuration import as_dict, changed, configure, digest, label, parse_label, slug
from ssd_cli.errors import MisuseError


@dataclass(frozen=True)
class Example:
    count: int = 30
    rate: float = 0.2
    sites: Literal["embed", "mid", "embed+mid"] = "embed"
    epochs: int | None = None
    on: bool = False

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count must be at least 1, not {self.count}")


def test_label_and_parameters_go_round():
    text = "example[count=10,rate=0.3,sites=embed+mid,epochs=5,on=true]"
    name, parameters = parse_label(text)
    configuration = configure(Example, name, parameters)
    assert configuration == Example(10, 0.3, "embed+mid", 5, True)
    assert label(name, configuration) == text
    assert configure(Example, *parse_label(label("example", Example()))) == Example()


def test_only_changes_stand_in_the_label():
    assert label("example", configure(Example, "example", {"count": "30", "rate": "0.5"})) == "example[rate=0.5]"
    assert changed(Example(rate=0.5)) == {"rate": 0.5}


@dataclass(frozen=True)
class Loose:
    C: int | float | bool | str | None = 1.0
    whole: float = 1
    zero: float = 0.0
    on: int | bool = True


def test_a_value_that_equals_the_default_is_the_default_in_the_identity_too():
    typed = configure(Loose, "loose", {"C": "1", "whole": "1.0", "zero": "-0"})
    assert json.dumps(as_dict(typed)) == json.dumps(as_dict(Loose()))
    assert configure(Loose, "loose", {"on": "1"}).on is not True  # 1 and true are different values of a parameter


def test_rates_keep_their_exact_value():
    rate = 0.1 + 0.2
    configuration = Example(rate=rate)
    assert configure(Example, *parse_label(label("example", configuration))).rate == rate


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("example[cuont=3]", "no parameter 'cuont'. Did you mean 'count'"),
        ("example[count=many]", "count cannot be 'many'.*a whole number"),
        ("example[count=1.5]", "count cannot be '1.5'"),
        ("example[sites=head]", "one of embed, mid, embed\\+mid"),
        ("example[epochs=x]", "a whole number or none"),
        ("example[rate=nan]", "rate cannot be 'nan'"),
        ("example[rate=-inf]", "rate cannot be '-inf'"),
        ("example[count=0]", "count must be at least 1, not 0"),
        ("example[on=maybe]", "true or false"),
        ("example[count=3,rate=0.1],example", "Repeat the option"),
    ],
)
def test_a_wrong_parameter_says_what_is_allowed(text, message):
    with pytest.raises(MisuseError) as error:
        configure(Example, *parse_label(text))
    import re

    assert re.search(message, str(error.value), re.DOTALL)


@pytest.mark.parametrize("text", ["example[count]", "example[count=1", "exa mple", "", "example[count=1,count=2]", "a[b=]"])
def test_an_unreadable_label_is_an_error(text):
    with pytest.raises(MisuseError):
        parse_label(text)


def test_slugs_are_safe_and_distinct():
    plain, one, two = slug("ssd", Example()), slug("ssd", Example(count=10)), slug("ssd", Example(count=11))
    assert plain == "ssd"
    assert one != two
    assert one.startswith("ssd-count-10-")
    assert len(one.rsplit("-", 1)[1]) == 8
    assert not set("/\\[]=,+ ") & set(one)


def test_digest_does_not_depend_on_the_order_of_keys():
    assert digest({"a": 1, "b": [1.5, None]}) == digest({"b": [1.5, None], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
