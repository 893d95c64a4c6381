"""`python -m bench`: the service beside the limit of the machine, the same work without HTTP."""
