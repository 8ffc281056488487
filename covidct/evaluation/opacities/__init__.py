"""How well lungs and opacities are found, against masks that people drew."""
