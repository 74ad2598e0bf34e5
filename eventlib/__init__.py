"""An event-sourced order system, and the workbench that audits it."""

__version__ = "0.1.0"
