"""The programs that write pages and pictures of the docs; not part of the installation."""
