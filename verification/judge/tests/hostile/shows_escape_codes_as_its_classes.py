"""Has no layer, but classes whose names hold HTML and terminal codes. Observed: their names, made harmless."""

for number in range(3):
    name = f"\x1b[2J<script>{number}"
    globals()[name] = type(name, (), {"__module__": __name__})
