"""What the pages say, and how values become words."""

from html import escape

from covidct.reports.words import NO_DECISION, NO_LUNGS, OUTSIDE_LUNGS, RESEARCH_USE, percent

__all__ = ["NO_LUNGS", "OUTSIDE_LUNGS", "literal", "percent"]

NOTICE = f"<strong>{RESEARCH_USE}</strong> {NO_DECISION}"
TITLE = "COVID-19 on a chest CT slice"
LEAD = (
    "Drop in one or many axial slices. Each is called Positive or Negative with a calibrated "
    "probability, beside a map of what moved the network’s score."
)
ACCEPT = "I understand and accept"
USE_NOTICE = f"""
#### Before you begin
- **{RESEARCH_USE}** {NO_DECISION}
- **Slices to diagnose stay in the memory** of the computer that runs this page. Neither they nor
  their names and headers are stored or logged. Labelled slices on the other pages are kept there
  until you delete them.
- **Upload only what you may.** Letters in a picture, a patient’s name among them, are not removed.
"""
UPLOADER = "Axial chest CT slices: drop them here, or choose files"
NO_SLICE = "There is no slice to judge in what was dropped."
NO_SLICE_HINT = "Drop an axial chest CT slice, a series, or a ZIP of them."
FORMATS = (
    "PNG, JPEG, TIFF, BMP, DICOM files of one slice or many, or a ZIP of them, told by content and "
    "not by name. They stay in the memory of the computer that runs this page and are never stored."
)
FIRST_LOOK = (
    "Take a synthetic one, drawn by the program. The network learnt from real slices, so its "
    "verdict on a drawing only shows how this page works."
)
LOADING = "Loading the network…"
DRAWING = "Drawing the map…"
LOADING_TENSORFLOW = "It needs TensorFlow, which takes about ten seconds to load, once."
NO_MODEL = "No slice can be classified: the model in use cannot be opened."
VIEWING_ONLY = (
    "For viewing only: the network always gets its own window, −600 / 1500, and no choice here "
    "changes the verdict."
)
IDENTIFIERS = (
    "Puts the patient and the study of this DICOM file’s header into the overlay, so that an "
    "PACS files it with them. Without it the overlay holds neither."
)
NO_MEANING = "The network gives every picture a verdict; on this one it means nothing."
CANCELLED = "Not looked at: this was cancelled."
LOOK_ANYWAY = "Show the result anyway"
SIGN_IN = "Sign in to covidct"
CLOSED = "These pages are closed."
BAD_SECRETS = (
    "The server’s secrets cannot be read, so it is not known who may see them. Whoever runs the "
    "server should look into .streamlit/secrets.toml."
)
HALF_SET_UP = (
    "Sign-in is only partly configured: the secrets have a section [access] or [auth], but name no "
    "provider. Whoever runs the server should look into .streamlit/secrets.toml."
)
NO_ROLE = (
    "Your account may look at everything here, but not train, promote, delete or otherwise change "
    "what the server keeps. Whoever runs the server can give it the role for that."
)
NOT_FROM_HERE = (
    "It may not be read from here: folders lie in COVIDCT_HOME, or in one that whoever runs the "
    "server names in COVIDCT_DATA_FOLDERS."
)
TRAINING_TITLE = "Train on your own slices"
TRAINING_LEAD = (
    "Fit a network to labelled slices, watch it learn, look at its mistakes beside those of the "
    "model in use, and keep it only if it is better."
)
EVALUATION_TITLE = "How good is the model?"
EVALUATION_LEAD = (
    "Measure a model on labelled slices: how well it tells the classes apart, whether its "
    "probabilities can be believed, what it goes by, and where it is wrong."
)
HOW_TO_READ = """
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
"""


def literal(text: str) -> str:
    """Text from a file or its name for use in HTML, never taken for markup."""
    return escape(text, quote=True)
