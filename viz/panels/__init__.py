"""The parts of the page, one a file: a function that writes it, and a component that shows it."""
