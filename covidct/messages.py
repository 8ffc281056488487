"""Texts for people: English by themselves, and in another language where there is a catalogue.

A text is marked where it is written and translated where it is shown, as GNU gettext's manual has
it for deferred translation and oslo.i18n's ``Message`` does it: ``N_("The folder {name} holds no
files.", name=folder.name)`` is its English sentence, and keeps the template, by which catalogues
find it, and the parameters. Catalogues are extracted by Babel, which knows ``N_`` and ``ngettext``,
and ``_``, by which pages mark and translate at once (:func:`covidct.ui.strings._`).
"""

from collections.abc import Mapping
from gettext import NullTranslations
from string import Formatter
from typing import Any, Self

_AS_PYTHON = Formatter()


class Message(str):
    """A text for people that is its own English sentence, wherever a string is taken.

    The parameters are filled in by ``str.format``; a text without any is taken as it is, braces
    too. It can be pickled and copied, and JSON writes the English sentence. To be called by the
    functions below, which Babel knows, or with a text that one of them has marked elsewhere.

    Args:
        template: the English text with named parameters in braces, the msgid of catalogues.
        plural: the same for any ``count`` but 1, which then is one of the parameters.
        parameters: values by name; messages among them are translated with the text.
    """

    __slots__ = ("parameters", "plural", "template")

    template: str
    plural: str
    parameters: Mapping[str, Any]

    def __new__(cls, template: str, plural: str = "", /, **parameters: Any) -> Self:  # noqa: ANN401, D102
        message = super().__new__(cls, _rendered(template, plural, parameters))
        message.template, message.plural, message.parameters = template, plural, parameters
        return message

    def __getnewargs_ex__(self) -> tuple[tuple[str, str], Mapping[str, Any]]:
        return (self.template, self.plural), self.parameters

    def translated(self, catalogue: NullTranslations, formatter: Formatter = _AS_PYTHON) -> str:
        """The text in the language of a catalogue; in English where that does not hold it.

        Args:
            catalogue: of the language.
            formatter: puts values into texts, numbers as the language writes them.
        """
        return _rendered(self.template, self.plural, self.parameters, catalogue, formatter)


def N_(template: str, /, **parameters: Any) -> Message:  # noqa: ANN401
    """Mark a text to be translated where it is shown.

    Args:
        template: the English text, literally, or it is not extracted.
        parameters: values by the names that stand in braces.
    """
    return Message(template, **parameters)


def ngettext(singular: str, plural: str, count: int, /, **parameters: Any) -> Message:  # noqa: ANN401
    """Mark a text that depends on a number, which is the parameter ``count``.

    Args:
        singular: the English text for one, literally.
        plural: that for any other number, literally.
        count: the number.
        parameters: further values by the names that stand in braces.
    """
    return Message(singular, plural, count=count, **parameters)


def number(value: float, form: str) -> Message:
    """A number by itself, which languages write with signs of their own.

    Args:
        value: the number.
        form: how ``str.format`` writes it, ".3f".
    """
    return Message(f"{{value:{form}}}", value=value)


def joined(*parts: str, by: str = " ") -> Message:
    """Whole sentences after one another, or the items of a list; each is translated by itself.

    Args:
        parts: in their order.
        by: what stands between them.
    """
    names = [f"part{number}" for number in range(len(parts))]
    return Message(by.join(f"{{{name}}}" for name in names), **dict(zip(names, parts, strict=True)))


def _rendered(
    template: str,
    plural: str,
    parameters: Mapping[str, Any],
    catalogue: NullTranslations = NullTranslations(),  # noqa: B008 - it holds nothing
    formatter: Formatter = _AS_PYTHON,
) -> str:
    if not template:  # by which catalogues find their own header
        return ""
    text = (
        catalogue.ngettext(template, plural, parameters["count"])
        if plural
        else catalogue.gettext(template)
    )
    if not parameters:
        return text
    values = {
        name: value.translated(catalogue, formatter) if isinstance(value, Message) else value
        for name, value in parameters.items()
    }
    return formatter.format(text, **values)
