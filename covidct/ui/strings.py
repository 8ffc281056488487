"""What the pages say, in the language of whoever looks at them, and how values become words."""

from html import escape
from typing import Any

from covidct.messages import N_, Message
from covidct.reports import words
from covidct.reports.words import NO_DECISION, RESEARCH_USE
from covidct.ui import languages

TITLE = N_("COVID-19 on a chest CT slice")
LEAD = N_(
    "Drop in one or many axial slices. Each is called Positive or Negative with a calibrated "
    "probability, beside a map of what moved the network’s score."
)
ACCEPT = N_("I understand and accept")
USE_NOTICE = N_(
    """
#### Before you begin
- **{research_use}** {no_decision}
- **Slices to diagnose stay in the memory** of the computer that runs this page. Neither they nor
  their names and headers are stored or logged; the picture of a slice is stored only when you press
  “Store this slice”. Labelled slices on the other pages are kept there until you delete them.
- **Upload only what you may.** Letters in a picture, a patient’s name among them, are not removed.
""",
    research_use=RESEARCH_USE,
    no_decision=NO_DECISION,
)
UPLOADER = N_("Axial chest CT slices: drop them here, or choose files")
NO_SLICE = N_("There is no slice to judge in what was dropped.")
NO_SLICE_HINT = N_("Drop an axial chest CT slice, a series, or a ZIP of them.")
FORMATS = N_(
    "PNG, JPEG, TIFF, WebP, HEIC, DICOM or NIfTI files of one slice or many, or a ZIP of them, "
    "told by content and not by name. They stay in the memory of the computer that runs this page "
    "and are not stored unless you ask for it."
)
FIRST_LOOK = N_(
    "Take a synthetic one, drawn by the program. The network learnt from real slices, so its "
    "verdict on a drawing only shows how this page works."
)
LOADING = N_("Loading the network…")
DRAWING = N_("Drawing the map…")
LOADING_TENSORFLOW = N_("It needs TensorFlow, which takes about ten seconds to load, once.")
NO_MODEL = N_("No slice can be classified: the model in use cannot be opened.")
VIEWING_ONLY = N_(
    "For viewing only: the network always gets its own window, −600 / 1500, and no choice here "
    "changes the verdict."
)
IDENTIFIERS = N_(
    "Puts the patient and the study of this DICOM file’s header into the overlay, so that a PACS "
    "files it with them. Without it the overlay holds neither."
)
OBJECTS = N_(
    "A segmentation of opacities and lungs, a measurement report (TID 1500) and a map of the heat "
    "maps, to lie beside the series in a PACS. They hold its patient and study: tick the box for "
    "them."
)
INTENDED_USE = N_(
    "Research on COVID-19 in axial chest CT slices. Not a medical device and not a diagnosis."
)
LIMITS = N_(
    "Negative does not exclude COVID-19, and other lung diseases with opacities are often called "
    "Positive. Other scanners, doses and reconstructions can change the figures."
)
NO_MEANING = N_("The network gives every picture a verdict; on this one it means nothing.")
CANCELLED = N_("Not looked at: this was cancelled.")
LOOK_ANYWAY = N_("Show the result anyway")
SIGN_IN = N_("Sign in to covidct")
CLOSED = N_("These pages are closed.")
BAD_SECRETS = N_(
    "The server’s secrets cannot be read, so it is not known who may see them. Whoever runs the "
    "server should look into its file of secrets."
)
HALF_SET_UP = N_(
    "Sign-in is only partly configured: the secrets have a section [access] or [auth], but name no "
    "provider. Whoever runs the server should look into its file of secrets."
)
NO_ROLE = N_(
    "Your account may look at everything here, but not train, promote, delete or otherwise change "
    "what the server keeps. Whoever runs the server can give it the role for that."
)
NO_ARCHIVE_ROLE = N_(
    "Your account may not use the archive. Whoever runs the server can give it the role for that."
)
NO_ARCHIVE = N_("The archive cannot be used.")
ARCHIVE_HINT = N_(
    "A field left empty matches all; * and ? stand for other letters. What is found stays on this "
    "page, and slices stay in the memory of the computer that runs it."
)
RECEIVED_HINT = N_(
    "What peers send to {title} on port {port} is judged by itself, when nothing of a series came "
    "for {quiet:g} seconds. It lies in the memory of the computer that runs this page alone; the "
    "oldest series make room for new ones."
)
SEND_BACK = N_(
    "Nothing is sent before you press the last button. Results are for research, and everyone who "
    "can read the study will see them."
)
NOT_FROM_HERE = N_(
    "It may not be read from here: folders lie in COVIDCT_HOME, or in one that whoever runs the "
    "server names in COVIDCT_DATA_FOLDERS."
)
TRAINING_TITLE = N_("Train on your own slices")
TRAINING_LEAD = N_(
    "Fit a network to labelled slices, watch it learn, look at its mistakes beside those of the "
    "model in use, and keep it only if it is better."
)
EVALUATION_TITLE = N_("How good is the model?")
EVALUATION_LEAD = N_(
    "Measure a model on labelled slices: how well it tells the classes apart, whether its "
    "probabilities can be believed, what it goes by, and where it is wrong."
)
HOW_TO_READ = N_("""
- **Probability** is the network’s estimate that the slice is from a patient with COVID-19. It was
  calibrated on research data; where the disease is rarer or commoner than there, or the scanner
  differs, the true figure differs too.
- **Operating point** is the probability from which a slice is called Positive. It weighs missed
  cases against false alarms and belongs to the model.
- **Uncertain** means that the probability lies in the band in which this model does not commit
  itself.
- **The map** shows which places moved the score towards the verdict, by default beyond what they
  do on the average slice, and relative to this slice’s own peak. It is not an outline of disease: a
  bright place need not be a lesion, a dark one need not be healthy, and the brightness of two
  slices cannot be compared.
- **Negative does not exclude COVID-19.** One slice is not a scan, and many infected lungs look
  normal.
""")

# What networks answer, which is stored in English
DECISIONS = (N_("Positive"), N_("Negative"), N_("Uncertain"))


def _(text: str, /, **parameters: Any) -> str:  # noqa: ANN401
    """A text in the language of the session that is drawn; every text of a page goes through it.

    Args:
        text: a message, or an English text to be marked here, literally or by ``N_`` before.
        parameters: values by the names that stand in its braces.
    """
    if parameters or not isinstance(text, Message):
        text = Message(text, **parameters)
    language = languages.current()
    return text.translated(language.catalogue, language.formatter)


def percent(share: float) -> str:
    """A share 0 to 1 in whole percent, never claiming certainty."""
    return _(words.percent(share))


def capitalised(text: str) -> str:
    """A text with a capital letter at its beginning alone."""
    return text[:1].upper() + text[1:]


def literal(text: str) -> str:
    """Text from a file or its name for use in HTML, never taken for markup.

    A name that is not UTF-8 holds surrogates, which no message to a browser can bear.
    """
    return escape(text.encode(errors="backslashreplace").decode(), quote=True)
