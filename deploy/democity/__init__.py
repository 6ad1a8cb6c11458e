"""The demo city: Almaty districts whose truth is a running water network, behind real protocols."""
