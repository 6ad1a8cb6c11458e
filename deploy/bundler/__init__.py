"""The bundler: puts all that a machine without internet installs into one folder."""
