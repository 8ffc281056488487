"""The codes that our DICOM objects use: standard ones, and a few of our own where none exists."""

from pydicom.sr.coding import Code

# SNOMED CT
ABNORMAL = Code("49755003", "SCT", "Morphologically Abnormal Structure")
ANATOMY = Code("91723000", "SCT", "Anatomical Structure")
COVID_19 = Code("840539006", "SCT", "COVID-19")
LUNG = Code("39607008", "SCT", "Lung")
BOTH_SIDES = Code("51440002", "SCT", "Right and left")
ZONES = (  # from the feet to the head
    Code("281394001", "SCT", "Lower zone of lung"),
    Code("281393007", "SCT", "Middle zone of lung"),
    Code("281392002", "SCT", "Upper zone of lung"),
)
DECISIONS = {
    "Positive": Code("10828004", "SCT", "Positive"),
    "Negative": Code("260385009", "SCT", "Negative"),
    "Uncertain": Code("82334004", "SCT", "Indeterminate"),
}
LATERALITY = Code("272741003", "SCT", "Laterality")
SIDES = {
    "both": Code("51440002", "SCT", "Bilateral"),
    "one": Code("66459002", "SCT", "Unilateral"),
}
ASSOCIATED = Code("246090004", "SCT", "Associated finding")

# DICOM (PS3.16 Annex D)
ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")
COMMENT = Code("121106", "DCM", "Comment")
DEVICE = Code("121007", "DCM", "Device")
OPACITY = Code("112001", "DCM", "Opacity")
GRAD_CAM = Code("130403", "DCM", "Gradient-weighted class activation")
PROBABILITY = Code("122157", "DCM", "Probability")

# LOINC and UCUM
CHEST_CT = Code("24627-2", "LN", "Chest CT")
NO_UNITS = Code("1", "UCUM", "no units")
PERCENT = Code("%", "UCUM", "Percent")

# our own, which nothing above says
SCHEME = "99COVIDCT"
OPERATING_POINT = Code("OPERATING-POINT", SCHEME, "Probability from which it is called Positive")
OPACITY_OF_VOLUME = Code("OPACITY-VOLUME", SCHEME, "Opacity extent as percent of lung volume")
OPACITY_OF_AREA = Code("OPACITY-AREA", SCHEME, "Opacity extent as percent of lung area on a slice")
SEVERITY = Code("SEVERITY", SCHEME, "Severity score of six lung zones, 0 to 24")
