"""Shows the notebooks on the site: mkdocs reads each as a page in Markdown, with its outputs."""

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from nbconvert import MarkdownExporter
from traitlets.config import Config

SUFFIX = ".ipynb"


class Notebook(File):
    """A notebook that is a page."""

    def is_documentation_page(self) -> bool:
        """Return true, so that mkdocs renders it, and links to it lead to the page."""
        return True


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replace each notebook by its page."""
    return Files([_page(file, config) if file.src_uri.endswith(SUFFIX) else file for file in files])


def _page(file: File, config: MkDocsConfig) -> File:
    return Notebook(file.src_uri, config.docs_dir, config.site_dir, config.use_directory_urls)


def on_page_read_source(page: Page, config: MkDocsConfig) -> str | None:  # noqa: ARG001
    """Return a notebook as Markdown; pictures are part of the text."""
    file = page.file.abs_src_path
    if file is None or not file.endswith(SUFFIX):
        return None
    pictures = Config({"ExtractOutputPreprocessor": {"enabled": False}})
    return str(MarkdownExporter(config=pictures).from_filename(file)[0])
