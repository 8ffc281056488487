"""LiteRT graphs for the rest of the house; imports neither TensorFlow nor anything of covidct."""
