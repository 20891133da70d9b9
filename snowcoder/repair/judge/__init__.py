"""Code that runs inside the sandbox and compiles and tests patches in Java: only its text is used."""
