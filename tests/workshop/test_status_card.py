"""The status card is the same bytes for the same content, and what it shows is text."""

from helpers.workshop.status_card import StatusCard


def test_a_card_reads_as_text():
    card = StatusCard("Lab 1", (("Mode", "offline"), ("Participant", "amber-falcon")))
    assert str(card) == "Lab 1\n  Mode         offline\n  Participant  amber-falcon"


def test_names_never_become_markup():
    page = StatusCard("<b>", (("a", "<script>"),))._repr_html_()
    assert "&lt;b&gt;" in page
    assert "<script>" not in page
