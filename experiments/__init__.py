"""Everything that plays the game from outside: command line, studies, checks and generated pages."""
