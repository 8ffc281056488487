"""Commands of the command line, and what they say and return alike."""

NOTICE = "Research use only, not a diagnosis."
DONE, FAILED = 0, 1
