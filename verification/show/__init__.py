"""What a report looks like: as text, as a page, and a class in one page. Nothing is computed here."""
