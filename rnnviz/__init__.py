"""An explorer of recurrent neural networks: engine, charts and interface."""

__version__ = "0.1.0"
