"""What was made from what: the manifests of stages, the files of a run, and what rests on them."""
