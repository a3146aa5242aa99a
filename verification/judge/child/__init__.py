"""What runs in the child process, beside the submission: imports the standard library and NumPy, nothing of ours."""
