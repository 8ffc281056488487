import copy
import json
import pickle

import pytest

from covidct import errors
from covidct.errors import ArchiveError, CovidCTError, UnreadableSlice
from covidct.messages import N_, Message, ngettext

HOSTILE = "a {file} of {0} %s %(x)s"


class _Shouting:
    """A catalogue of a language that is English in capitals; parameters keep their names."""

    def gettext(self, template):
        return "".join(
            part if part.startswith("{") else part.upper()
            for part in template.replace("{", "\0{").replace("}", "}\0").split("\0")
        )

    def ngettext(self, singular, plural, count):
        return self.gettext(singular if count == 1 else plural)


def texts():
    return [
        N_("The folder holds no files."),
        N_("{found} of {needed} samples are there.", found=3, needed=9),
        N_("{file} cannot be read.", file=HOSTILE),
        ngettext("One slice is missing.", "{count:,} slices are missing.", 1200),
        N_("{why} Try again.", why=N_("{host} cannot be reached.", host="a.b")),
        Message(HOSTILE),
        Message(""),
    ]


def test_a_message_is_its_english_sentence():
    assert texts() == [
        "The folder holds no files.",
        "3 of 9 samples are there.",
        f"{HOSTILE} cannot be read.",
        "1,200 slices are missing.",
        "a.b cannot be reached. Try again.",
        HOSTILE,
        "",
    ]
    assert ngettext("One slice is missing.", "{count} slices are missing.", 1).startswith("One")


def test_a_message_keeps_what_catalogues_need():
    message = N_("{found} of {needed} samples are there.", found=3, needed=9)
    assert message.template == "{found} of {needed} samples are there."
    assert message.parameters == {"found": 3, "needed": 9}


def test_translation_changes_the_template_and_no_value():
    assert [text.translated(_Shouting()) for text in texts()] == [
        "THE FOLDER HOLDS NO FILES.",
        "3 OF 9 SAMPLES ARE THERE.",
        f"{HOSTILE} CANNOT BE READ.",
        "1,200 SLICES ARE MISSING.",
        "a.b CANNOT BE REACHED. TRY AGAIN.",
        _Shouting().gettext(HOSTILE),
        "",
    ]


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_message_survives_pickle(protocol):
    for text in texts():
        again = pickle.loads(pickle.dumps(text, protocol))
        assert (again, again.translated(_Shouting())) == (text, text.translated(_Shouting()))


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy])
def test_a_message_survives_copying(again):
    for text in texts():
        assert again(text).translated(_Shouting()) == text.translated(_Shouting())


def test_json_writes_the_english_sentence():
    assert json.loads(json.dumps(texts())) == texts()


def test_a_parameter_that_is_not_given_is_an_error_where_the_text_is_written():
    with pytest.raises(KeyError):
        N_("The {folder} holds {count} files.", folder="x")


def test_an_error_is_its_english_sentence_and_keeps_the_message():
    error = ArchiveError(N_("The ZIP holds {entries:,} entries.", entries=12345))
    again = pickle.loads(pickle.dumps(error))
    for one in (error, again):
        assert str(one) == one.message == "The ZIP holds 12,345 entries."
        assert one.message.translated(_Shouting()) == "THE ZIP HOLDS 12,345 ENTRIES."


def test_the_code_of_an_error_is_the_class_that_is_documented():
    class Detail(UnreadableSlice):
        pass

    assert Detail("x").code == UnreadableSlice("x").code == "UnreadableSlice"
    public = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    for kind in (kind for kind in public if issubclass(kind, CovidCTError)):
        assert kind("x").code == kind.__name__
        assert kind.__name__ in errors.__doc__
