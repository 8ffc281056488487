"""What the program costs, as ratios measured in one run; one part of it a module."""
