"""The kill switch at the command line: kill, release, approve, resume, status. It needs nothing but a kubeconfig."""
