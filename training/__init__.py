"""How the built-in encoder was made; `README.md` beside this file says how to make it again."""
