"""Has no layer, but classes whose names hold HTML and terminal codes. Observed: their names, made harmless."""


def named(cls):
    globals()["\x1b[2J<script>"] = cls
    return cls


@named
class Other:
    pass
