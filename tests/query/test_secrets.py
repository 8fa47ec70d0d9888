"""Secrets by name: filled in when a request is sent, and only then."""

import re

import pytest

from orchestrator.model.errors import BadInput
from orchestrator.query import resolve_secrets

ENV = {"KEY": "k{1}", "A_2": "${env:KEY}"}


def test_values_take_the_place_of_names() -> None:
    doc = {"a": ["${env:KEY}", "x${env:KEY}-${env:KEY}", 5, None], "b": {"c": "plain"}}
    assert resolve_secrets(doc, ENV) == {"a": ["k{1}", "xk{1}-k{1}", 5, None], "b": {"c": "plain"}}


def test_a_value_is_not_looked_into() -> None:
    assert resolve_secrets("${env:A_2}", ENV) == "${env:KEY}"


def test_other_dollars_stay() -> None:
    assert resolve_secrets("$5 ${KEY} ${env:a-b}", ENV) == "$5 ${KEY} ${env:a-b}"


def test_an_unset_variable_is_named_with_its_place() -> None:
    doc = {"query": {"format": [{"destination": {"secret": "${env:NOT_SET}"}}]}}
    words = "query.format[0].destination.secret: the environment variable NOT_SET is not set"
    with pytest.raises(BadInput, match=re.escape(words)):
        resolve_secrets(doc, ENV)
    with pytest.raises(BadInput, match=r"^the environment variable NOT_SET is not set"):
        resolve_secrets("${env:NOT_SET}", ENV)
