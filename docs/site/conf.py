"""How Sphinx makes a site of the Markdown files of this project: `make docs`.

The pages are those that a reader of the repository sees, so the sources lie where they lie, README.md at the
root among them. Nothing is fetched while it is built, and the pages fetch nothing when they are read.
"""

from importlib.metadata import version as version_of

project = "stylize"
version = release = version_of("stylize")
copyright = "the authors of stylize"  # noqa: A001 Sphinx asks for this name

extensions = ["myst_parser"]
root_doc = "docs/index"
source_suffix = {".md": "markdown"}
include_patterns = ["docs/*.md", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "NOTICE.md", "SECURITY.md"]
exclude_patterns = [".*", "build", "manifests", "node_modules", "tests", "benchmarks", "shared"]

myst_heading_anchors = 3
smartquotes = False  # it makes one dash of the two of an option
html_theme = "furo"
html_title = "stylize"
html_copy_source = False
html_show_sphinx = False
templates_path = ["."]
html_additional_pages = {"index": "to_the_first_page.html"}
