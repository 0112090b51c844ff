"""The built-in multi-fibre reducer, spoken to as 2dFdr's ``aaorun`` is. Imports nothing of ours."""
