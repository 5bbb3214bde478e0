"""The forms of Publish and PublishBatch are read as the standard library reads them."""

from urllib.parse import parse_qsl, urlencode

from hypothesis import example, given
from hypothesis import strategies as st

from helpers.offline.services.sns import form

TEXTS = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from('%&=+,:/"{}[] \n25C2cé')), max_size=60
)


@given(st.dictionaries(TEXTS, TEXTS, max_size=8))
def test_what_a_client_encodes_comes_out_again(fields):
    assert form.fields_of(urlencode(fields).encode()) == fields


@given(st.text(st.sampled_from("%&=+,;25C2cFfE0Zé \n\x00\x01_"), max_size=60))
@example("a=%252C&b=%2%2C&%%2C=%C3%2C&c&&=d")
@example("a=%00&b=%01&c=d")
@example("a=b=c&d=%3D%26&=&e")
@example("a=%\n&b=%")
def test_any_body_is_read_as_the_standard_library_reads_it(body):
    assert form.fields_of(body.encode()) == dict(parse_qsl(body, keep_blank_values=True))


def test_a_batch_is_in_the_order_of_its_numbers():
    fields = form.fields_of(
        b"Action=PublishBatch&PublishBatchRequestEntries.member.10.Id=ten"
        b"&PublishBatchRequestEntries.member.2.Id=two&PublishBatchRequestEntries.member.2.Message=a%2Cb"
        b"&PublishBatchRequestEntries.member.x.Id=none&PublishBatchRequestEntries.member.3.=none"
    )
    entries = form.entries_of(fields)
    assert [entry.id for entry in entries] == ["two", "ten"]
    assert entries[0].fields == {"Message": "a,b"}
