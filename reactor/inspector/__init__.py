"""The microscope: a page that shows the loop at work, and what feeds it."""
