"""What of a person's words is stored with a stop."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meditron_operator.core.killswitch.reason import LONGEST_REASON, LONGEST_TICKET, screened_reason, screened_ticket


@pytest.mark.parametrize(
    "words",
    [
        "wrong dose suggested",
        "answers in 5 of 20 cases are wrong, since the update to 3.3.7 at 14:30",
        "dose of 2000 mg instead of 20 mg",
        "HTTP 500 on 12345 of all",
        "8 GPUs, 70b, version 1.2",
        "stubborn answers; ask @oncall",
        "Ärztin meldet falsche Dosis",
    ],
)
def test_a_reason_is_kept(words: str) -> None:
    assert screened_reason(words).text == words
    assert not screened_reason(words).warning


@pytest.mark.parametrize(
    ("words", "looked_like"),
    [
        ("told by anna.muster@hospital.example", "an e-mail address"),
        ("anna+ward@hospital", "an e-mail address"),
        ("patient 123456 got a wrong dose", "a long number"),
        ("756.1234.5678.97 got a wrong dose", "a long number"),
        ("NHS 943 476 5919", "a record number"),
        ("943 476 5919", "a long number"),
        ("\uff11\uff12\uff13\uff14\uff15\uff16", "a long number"),
        ("12\u200b34\u200b56", "a long number"),
        ("078-05-1120", "a long number"),
        ("of 1950-01-31", "a date"),
        ("of 31.1.1950", "a date"),
        ("of 1/31/50", "a date"),
        ("MRN 12", "a record number"),
        ("mrn:12", "a record number"),
        ("MRN12", "a record number"),
        ("patient id 7", "a record number"),
        ("DOB unknown", "a date of birth"),
        ("woman born in 1950", "a date of birth"),
    ],
)
def test_a_reason_that_looks_like_a_patients_data_is_withheld(words: str, looked_like: str) -> None:
    found = screened_reason(words)
    assert found.text is None
    assert found.warning == f"the reason was withheld: it looked like {looked_like}"


@pytest.mark.parametrize("words", [None, "", "   ", "\n\t", "\u200b"])
def test_no_reason_is_none(words: str | None) -> None:
    assert screened_reason(words).text is None
    assert not screened_reason(words).warning


@pytest.mark.parametrize(
    ("words", "stored"),
    [
        ("wrong\ndose", "wrong dose"),
        ("wrong\u2028dose", "wrong dose"),
        ("wrong\u2029dose", "wrong dose"),
        ("wrong\x07dose", "wrong dose"),
        ("wr\u00adong", "wrong"),
        ("\uff37rong", "Wrong"),
        ("  wrong   dose ", "wrong dose"),
        ("d\udcffse", "d?se"),
        ("x" * (LONGEST_REASON - 1) + " y", "x" * (LONGEST_REASON - 1)),
    ],
)
def test_what_a_terminal_passes_on_becomes_one_line(words: str, stored: str) -> None:
    assert screened_reason(words).text == stored


def test_words_end_where_the_server_ends_them() -> None:
    assert screened_reason("x" * 2000).text == "x" * 1024
    assert screened_ticket("x" * 2000).text == "x" * 256


@pytest.mark.parametrize("ticket", ["INC0012345678", "CHG-2026-11-25", "https://tickets.example/7"])
def test_a_tickets_numbers_are_its_own(ticket: str) -> None:
    assert screened_ticket(ticket).text == ticket


def test_a_ticket_is_not_somebodys_address() -> None:
    found = screened_ticket("anna@hospital.example")
    assert found.text is None
    assert found.warning == "the ticket was withheld: it looked like an e-mail address"
    assert screened_ticket(None).text is None
    assert not screened_ticket(None).warning


@given(st.text(st.characters(codec=None)) | st.text(alphabet=["\udcff", "\x00", "a", "\u2028", " "]))
def test_what_is_stored_is_one_line_that_every_server_takes(words: str) -> None:
    for found, longest in ((screened_reason(words), LONGEST_REASON), (screened_ticket(words), LONGEST_TICKET)):
        text = found.text or ""
        text.encode()
        assert len(text) <= longest
        assert len(text.splitlines()) <= 1
        assert text == text.strip()


@given(st.text(), st.text(string.digits, min_size=6), st.text())
def test_a_long_number_is_never_stored(before: str, number: str, after: str) -> None:
    text = screened_reason(f"{before} {number} {after}"[:LONGEST_REASON]).text
    assert text is None or number not in text


@given(st.text(string.ascii_lowercase, min_size=1), st.text(string.ascii_lowercase, min_size=1))
def test_an_address_is_never_stored(who: str, where: str) -> None:
    assert screened_reason(f"ask {who}@{where}.example about it").text is None


@given(st.text(string.ascii_letters + " ,.;:-äöü", max_size=200))
def test_what_is_stored_once_is_stored_again(words: str) -> None:
    once = screened_reason(words).text
    assert screened_reason(once).text == once
