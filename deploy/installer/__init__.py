"""The installer that lies in a bundle: needs Python 3.11 and its standard library, nothing else."""
