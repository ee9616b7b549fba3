"""An explorer of recurrent neural networks: engine, charts and interface."""
