"""A configuration's input and output: files, secrets, certificates, and what clouds say of themselves."""
